"""Which decorators make a function answer HTTP requests."""

from __future__ import annotations

from doctor.source.module_facts import RawDecorator

_METHODS = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})
_ANY_METHOD = frozenset({"route", "api_route"})


def route_of(decorator: RawDecorator) -> tuple[str, str] | None:
    """Return method and URL of ``@router.post("/webhook")`` (FastAPI, Starlette, Flask, aiohttp), or None.

    The URL is the decorator's own: a prefix of the router is not part of it.
    """
    owner, _, last = decorator.name.rpartition(".")
    url = decorator.argument
    if not owner or url is None or (url and not url.startswith("/")):
        return None
    if last in _METHODS:
        return last.upper(), url
    if last in _ANY_METHOD:
        return ",".join(decorator.methods) or "GET", url
    return None

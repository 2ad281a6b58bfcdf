"""Routes that stand in a table or are added by a call: Starlette, FastAPI, Flask, Django."""

from __future__ import annotations

import ast
from typing import NamedTuple

from doctor.source.collector import Module
from doctor.source.expressions import dotted

LITERALS = (b"add_url_rule(", b"add_route(", b"add_api_route(", b"Route(", b"path(")
"""What a file with such routes holds."""

ANY = "ANY"
"""Instead of a method: the table does not say which."""

_DJANGO = frozenset({"django.urls.path", "django.urls.re_path", "django.conf.urls.url"})
_ROUTE_CLASSES = frozenset({"starlette.routing.Route", "fastapi.routing.APIRoute", "starlette.routing.WebSocketRoute"})


class RouteEntry(NamedTuple):
    """``endpoint`` answers ``label``, such as ``POST /x``."""

    label: str
    endpoint: ast.expr


def route_entry(module: Module, call: ast.Call) -> RouteEntry | None:
    """Return what a call registers for HTTP requests, or None."""
    origin = module.origin(call.func)
    method = dotted(call.func).rpartition(".")[2]
    if origin in _DJANGO:
        return _entry(call, ANY, "view", "route")
    if origin in _ROUTE_CLASSES or method in ("add_route", "add_api_route"):
        return _entry(call, _methods(call) or "GET", "endpoint", "path")
    if method == "add_url_rule":
        return _entry(call, _methods(call) or "GET", "view_func", "rule", index=2)
    return None


def _entry(call: ast.Call, methods: str, endpoint: str, url: str, index: int = 1) -> RouteEntry | None:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    path = call.args[0] if call.args else given.get(url)
    answers = call.args[index] if len(call.args) > index else given.get(endpoint)
    if not isinstance(path, ast.Constant) or not isinstance(path.value, str) or answers is None:
        return None
    if isinstance(answers, ast.Call) and dotted(answers.func).rpartition(".")[2] == "include":
        return None
    address = path.value if path.value.startswith(("/", "^")) else f"/{path.value}"
    return RouteEntry(f"{methods} {address}", answers)


def _methods(call: ast.Call) -> str:
    for keyword in call.keywords:
        if keyword.arg == "methods" and isinstance(keyword.value, (ast.List, ast.Tuple, ast.Set)):
            values = (one.value for one in keyword.value.elts if isinstance(one, ast.Constant))
            return ",".join(str(value) for value in values)
    return ""

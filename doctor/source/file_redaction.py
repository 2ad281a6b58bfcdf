"""Takes secrets out of the facts of one file, before they are kept or leave the process that has read it.

Every text is looked at, whatever its field is called: a callee as written, the label of a hand-over and the argument of
a decorator may hold a literal as well as a line of source may. Names are left as they are, for no rule matches them.

The facts of the whole are made of these alone. A process that helps is forked after the key of the placeholders was
made, so equal secrets look the same in both.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from functools import cache, lru_cache
from typing import Any, TypeVar

from doctor.redaction import redact

T = TypeVar("T")

SHORTEST = 8
"""Characters of the shortest text in which a rule finds anything."""

IDENTITIES = frozenset({"path", "module"})
"""Fields that say which file it is; facts are joined by them, and a file may well be called ``me@example.com.py``."""

_redact = lru_cache(maxsize=4096)(redact)


def without_secrets(fact: T) -> T:
    """Return the fact with every text in it redacted, at any depth; the same object where there was nothing to do."""
    found: Any = _redacted(fact)
    return found  # type: ignore[no-any-return]


def _redacted(fact: Any) -> Any:
    kind = fact.__class__
    if kind is str:
        return fact if len(fact) < SHORTEST else _redact(fact)
    if kind is dict:
        return {_redacted(key): _redacted(value) for key, value in fact.items()} if fact else fact
    if isinstance(fact, tuple | frozenset):
        return _of_sequence(fact) if fact else fact
    names = _names(kind)
    return _of_record(fact, names) if names else fact


@cache
def _names(kind: type) -> tuple[str, ...]:
    """Return the fields of a dataclass, none of any other type."""
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()


def _of_sequence(fact: Any) -> Any:
    new = [_redacted(one) for one in fact]
    if all(one is old for one, old in zip(new, fact, strict=True)):
        return fact
    return type(fact)(*new) if hasattr(fact, "_fields") else type(fact)(new)


def _of_record(fact: Any, names: tuple[str, ...]) -> Any:
    changed = {}
    for name in names:
        value = getattr(fact, name)
        if name in IDENTITIES and isinstance(value, str):
            continue
        new = _redacted(value)
        if new is not value:
            changed[name] = new
    return replace(fact, **changed) if changed else fact

"""Takes secrets out of the facts of one file, before they are kept for the next run.

Every text is looked at, whatever its field is called: a callee as written, the label of a hand-over and the argument of
a decorator may hold a literal as well as a line of source may. Names are left as they are, for no rule matches them.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

from doctor.redaction import redact

T = TypeVar("T")

SHORTEST = 8
"""Characters of the shortest text in which a rule finds anything."""

_redact = lru_cache(maxsize=4096)(redact)


def without_secrets(fact: T) -> T:
    """Return the fact with every text in it redacted, at any depth; the same object where there was nothing to do."""
    found: Any = _redacted(fact)
    return found  # type: ignore[no-any-return]


def _redacted(fact: Any) -> Any:
    kind = type(fact)
    if kind is str:
        return fact if len(fact) < SHORTEST else _redact(fact)
    if isinstance(fact, tuple | frozenset):
        return _of_sequence(fact)
    if kind is dict:
        return {_redacted(key): _redacted(value) for key, value in fact.items()}
    return _of_record(fact) if is_dataclass(fact) else fact


def _of_sequence(fact: Any) -> Any:
    new = [_redacted(one) for one in fact]
    if all(one is old for one, old in zip(new, fact, strict=True)):
        return fact
    return type(fact)(*new) if hasattr(fact, "_fields") else type(fact)(new)


def _of_record(fact: Any) -> Any:
    changed = {}
    for field in fields(fact):
        value = getattr(fact, field.name)
        new = _redacted(value)
        if new is not value:
            changed[field.name] = new
    return replace(fact, **changed) if changed else fact

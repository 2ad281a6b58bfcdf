"""Takes secrets out of the source's own lines, before anything keeps or shows them."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

from doctor.redaction import redact
from doctor.source.facts import DecoratedFunction, Facts, Handler


def redacted(facts: Facts) -> Facts:
    """Return the facts with every line of source redacted."""
    functions, examples = map(_redacted_functions, (facts.functions, facts.examples))
    enqueues = tuple(
        replace(enqueue, text=redact(enqueue.text), handler=_redacted_handler(enqueue.handler))
        for enqueue in facts.enqueues
    )
    unparsable = tuple(
        replace(
            found,
            message=redact(found.message),
            imported_by=tuple(replace(site, text=redact(site.text)) for site in found.imported_by),
        )
        for found in facts.unparsable
    )
    handed_over = tuple(replace(one, text=redact(one.text), label=redact(one.label)) for one in facts.handed_over)
    collected = {name: tuple(map(_redacted_texts, found)) for name, found in facts.collected.items()}
    return replace(
        facts,
        functions=functions,
        examples=examples,
        enqueues=enqueues,
        handed_over=handed_over,
        unparsable=unparsable,
        collected=collected,
    )


def _redacted_texts(fact: Any) -> Any:
    """Redact the lines of source in a collector's fact, at any depth.

    They are called ``text`` or ``…_text``, or stand beside the number of their line. Other texts are names, and a check
    compares them.
    """
    if isinstance(fact, tuple):
        if len(fact) == 2 and isinstance(fact[0], int) and isinstance(fact[1], str):
            return fact[0], redact(fact[1])
        return tuple(map(_redacted_texts, fact))
    if not is_dataclass(fact) or isinstance(fact, type):
        return fact
    changed = {}
    for field in fields(fact):
        value = getattr(fact, field.name)
        new = redact(value) if field.name.endswith("text") and isinstance(value, str) else _redacted_texts(value)
        if new != value:
            changed[field.name] = new
    return replace(fact, **changed) if changed else fact


def _redacted_functions(functions: tuple[DecoratedFunction, ...]) -> tuple[DecoratedFunction, ...]:
    return tuple(
        replace(function, decorators=tuple(replace(use, text=redact(use.text)) for use in function.decorators))
        for function in functions
    )


def _redacted_handler(handler: Handler | None) -> Handler | None:
    if handler is None or handler.log is None:
        return handler
    return replace(handler, log=replace(handler.log, text=redact(handler.log.text)))

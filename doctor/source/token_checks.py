"""Which values of a token a test compares with something of the program's own."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from doctor.source.expressions import dotted
from doctor.source.token_state import ALL, UNVERIFIED, Origins, Part

Checked = frozenset[tuple[int, str]]
NONE: Checked = frozenset()

_SCHEME_ONLY = re.compile(r"https?(?:://)?")
_NO_CHECKS = frozenset({"isinstance", "len", "bool", "str", "hasattr", "type"})


def checks_in(test: ast.expr, of: Callable[[ast.expr], Origins]) -> tuple[Checked, Checked]:
    """Return what counts as checked where the test holds, and where it does not.

    A test for truth, for None or for a type says nothing about who sent a value.
    """
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        positive, negative = checks_in(test.operand, of)
        return negative, positive
    if isinstance(test, ast.BoolOp):
        both = [checks_in(operand, of) for operand in test.values]
        together = NONE.union(*[one[0] for one in both]), NONE.union(*[one[1] for one in both])
        return (together[0], NONE) if isinstance(test.op, ast.And) else (NONE, together[1])
    if isinstance(test, ast.Compare):
        return _compared(test, of)
    if isinstance(test, ast.Call):
        return _called(test, of), NONE
    return NONE, NONE


def _compared(test: ast.Compare, of: Callable[[ast.expr], Origins]) -> tuple[Checked, Checked]:
    operands = [test.left, *test.comparators]
    if any(isinstance(one, ast.Constant) and not one.value for one in operands):
        return NONE, NONE
    found = NONE.union(*[places(of(one)) for one in operands])
    if all(isinstance(operator, (ast.Eq, ast.In, ast.Is)) for operator in test.ops):
        return found, NONE
    if all(isinstance(operator, (ast.NotEq, ast.NotIn, ast.IsNot)) for operator in test.ops):
        return NONE, found
    return NONE, NONE


def _called(test: ast.Call, of: Callable[[ast.expr], Origins]) -> Checked:
    if dotted(test.func) in _NO_CHECKS:
        return NONE
    texts = [one.value for one in test.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    if any(_SCHEME_ONLY.fullmatch(text) for text in texts):
        return NONE
    parts = [*test.args, *(word.value for word in test.keywords)]
    if isinstance(test.func, ast.Attribute):
        if test.func.attr == "get":
            return NONE
        parts.append(test.func.value)
    return NONE.union(*[places(of(part)) for part in parts])


def places(origins: Origins) -> Checked:
    """Return the places of values in their readings; of whole claims, every place."""
    return frozenset(
        (one.line, ALL if one.part in (Part.CLAIMS, Part.WHOLE, Part.HEADER) else one.key)
        for one in origins
        if one.part in UNVERIFIED
    )

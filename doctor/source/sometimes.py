"""Which nodes of a tree run only sometimes, although the code around them runs.

A branch, a loop's body, a handler, what stands right of ``and`` and ``or``; and what stands where the error that is
asked about would be caught. What a function holds runs when the function is called, so that is no condition.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set

from doctor.source.expressions import dotted, is_main_block
from doctor.source.walk import children

_BROAD = frozenset({"", "Exception", "BaseException"})
"""Handlers that catch everything, the one without a class among them."""


def run_sometimes(tree: ast.AST, errors: Set[str]) -> frozenset[ast.AST]:
    """Return the nodes under a condition, or under a handler or ``suppress`` of one of these ``errors``, by name."""
    catching = errors | _BROAD
    found = set()
    pending = [(tree, False)]
    while pending:
        node, is_inside = pending.pop()
        if is_inside:
            found.add(node)
        under = frozenset(_under_condition(node, catching))
        pending += [(child, is_inside or child in under) for child in children(node)]
    return frozenset(found)


def _under_condition(node: ast.AST, catching: Set[str]) -> Iterator[ast.AST]:
    """Yield the parts right inside a node that run only sometimes."""
    if isinstance(node, ast.If) and not is_main_block(node):
        yield from (*node.body, *node.orelse)
    elif isinstance(node, (ast.While, ast.For, ast.AsyncFor)):
        yield from node.body
    elif isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)
    elif isinstance(node, ast.BoolOp):
        yield from node.values[1:]
    elif isinstance(node, ast.Match):
        yield from node.cases
    elif isinstance(node, (ast.Try, ast.TryStar)):
        yield from node.handlers
        if any(_names(handler.type) & catching for handler in node.handlers):
            yield from node.body
    elif isinstance(node, ast.With) and any(_suppresses(item.context_expr, catching) for item in node.items):
        yield from node.body


def _names(caught: ast.expr | None) -> frozenset[str]:
    """Return the last names of the classes in ``except …``; an empty one where there is none."""
    classes = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return frozenset("" if one is None else dotted(one).rpartition(".")[2] for one in classes)


def _suppresses(context: ast.expr, catching: Set[str]) -> bool:
    if not isinstance(context, ast.Call) or dotted(context.func).rpartition(".")[2] != "suppress":
        return False
    return any(_names(argument) & catching for argument in context.args)

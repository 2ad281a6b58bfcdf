"""Walks over syntax trees, several times as fast as :func:`ast.walk`: a pass spends most of its time in them.

Left out are the nodes that are no code of their own: contexts (``ast.Load``) and operators.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

_NO_NODES = frozenset(
    {"id", "attr", "ctx", "op", "ops", "kind", "type_comment", "level", "module", "asname", "conversion", "simple"}
)
"""Fields that hold texts, numbers, contexts and operators."""

_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {
    ast.Name: (),
    ast.Constant: (),
    ast.alias: (),
    ast.Global: (),
    ast.Nonlocal: (),
    ast.keyword: ("value",),
}
"""Which fields of a kind of node hold nodes; other kinds are added when they are met."""


_NONE = ()
"""The fields of names and constants, which are every second node: to ask for it here spares a call for each."""


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    if kind not in _FIELDS:
        _FIELDS[kind] = tuple(name for name in kind._fields if name not in _NO_NODES)
    return _FIELDS[kind]


def children(node: ast.AST) -> list[ast.AST]:
    """Return the nodes right inside a node, in the order of the source."""
    found: list[ast.AST] = []
    values = node.__dict__
    for name in _FIELDS.get(node.__class__) or _fields(node.__class__):
        value = values.get(name)
        if value.__class__ is list:
            found += [item for item in value if isinstance(item, ast.AST)]
        elif value is not None and isinstance(value, ast.AST):
            found.append(value)
    return found


def walk(node: ast.AST) -> list[ast.AST]:
    """Return a node and all nodes inside it, outer ones first."""
    found = [node]
    for one in found:  # grows meanwhile
        if _FIELDS.get(one.__class__) != _NONE:
            found += children(one)
    return found


def inside(node: ast.AST, apart: tuple[type[ast.AST], ...]) -> Iterator[ast.AST]:
    """Yield the nodes inside a node in the order of the source; what is inside of those ``apart`` is left out."""
    pending = children(node)[::-1]
    while pending:
        one = pending.pop()
        yield one
        if _FIELDS.get(one.__class__) != _NONE and not isinstance(one, apart):
            pending += children(one)[::-1]

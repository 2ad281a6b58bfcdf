"""Tables that a function writes: SQL in its texts, and rows of mapped classes that it makes.

Only the task graph asks for these, and only then are files looked at for their sake.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module, own_nodes
from doctor.source.expressions import dotted, text_of

_WRITE = re.compile(
    r"\b(?:INSERT\s+INTO|DELETE\s+FROM|UPDATE)\s+(?:ONLY\s+)?\"?(?P<table>[A-Za-z_][\w$]*(?:\"?\.\"?[A-Za-z_][\w$]*)?)\"?"
    r"(?=\s+(?:SET|AS|\w+\s+SET|\(|VALUES|SELECT|WHERE|DEFAULT|USING|ON)|\s*\(|\s*$|\s*;)",
    re.IGNORECASE,
)
_NOT_A_TABLE = frozenset({"set", "only", "skip", "on", "nowait"})


@dataclass(frozen=True, slots=True)
class TableWrite:
    """A statement that changes ``table``. ``function`` uses it: directly, or by the module's constant that holds it."""

    path: str
    line: int
    function: str
    table: str


def _collect(module: Module) -> Iterator[TableWrite]:
    seen: set[tuple[str, str]] = set()
    constants = _constants(module)
    for name, function in module.functions:
        for node in own_nodes(function):
            if not isinstance(node, ast.expr):
                continue
            for table in (*_tables(node), *_tables_of_constant(node, constants)):
                if (name, table) not in seen:
                    seen.add((name, table))
                    yield TableWrite(module.path, node.lineno, name, table)


def _constants(module: Module) -> dict[str, tuple[str, ...]]:
    """Return the module's own names for texts with SQL (also inside a call such as ``text(…)``), and its mapped
    classes."""
    found: dict[str, tuple[str, ...]] = {}
    for node in module.tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            tables = tuple(table for inner in ast.walk(node.value) for table in _tables(inner))
            found |= {target.id: tables for target in targets if isinstance(target, ast.Name) and tables}
        elif isinstance(node, ast.ClassDef) and (tables := tuple(_tables_of_class(node))):
            found[node.name] = tables
    return found


def _tables_of_class(node: ast.ClassDef) -> Iterator[str]:
    for statement in node.body:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Constant):
            continue
        if any(dotted(target) == "__tablename__" for target in statement.targets):
            yield str(statement.value.value)


def _tables(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.Constant, ast.JoinedStr)):
        text = text_of(node) or ""
        for match in _WRITE.finditer(text):
            table = match["table"].replace('"', "")
            if table.lower() not in _NOT_A_TABLE:
                yield table


def _tables_of_constant(node: ast.AST, constants: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the tables of a constant that is read, or of a mapped class that is called to make a row."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        return constants.get(node.id, ())
    return ()


COLLECTOR = Collector(
    "table-writes",
    1,
    (b"INSERT INTO", b"insert into", b"UPDATE ", b"update ", b"DELETE FROM", b"delete from", b"__tablename__"),
    _collect,
    for_graph=True,
)

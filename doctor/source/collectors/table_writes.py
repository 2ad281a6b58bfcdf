"""Tables that a function writes: SQL in its texts, rows and statements of mapped classes.

Only the task graph asks for these, and only then are files looked at for their sake.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module, own_nodes
from doctor.source.expressions import FunctionNode, dotted, parameters
from doctor.source.facts import MODULE_LEVEL, TableWrite
from doctor.source.sql_texts import SqlTexts, tables_written


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """A name of a module that stands for tables: a statement, a mapped class, a ``Table("name", …)``."""

    path: str
    line: int
    name: str
    tables: tuple[str, ...]
    function: str = MODULE_LEVEL


@dataclass(frozen=True, slots=True)
class TableUse:
    """A name that stands for tables is written through: ``session.add(Message(…))``, ``execute(INSERT_MESSAGE)``."""

    path: str
    line: int
    function: str
    name: str


@dataclass(frozen=True, slots=True)
class SqlFile:
    """A function names a file with SQL; ``file`` is as written, and lies beside the module or below it."""

    path: str
    line: int
    function: str
    file: str


_Kind = type[TableWrite] | type[TableUse] | type[SqlFile]
_Found = tuple[_Kind, int, str]
"""A fact in the making: its kind, its line, and the table, name or file."""

_EXECUTING = frozenset(
    {"execute", "executemany", "executescript", "fetch", "fetchrow", "fetchval", "scalar", "scalars"}
)
_ADDING = frozenset({"add", "add_all", "merge", "bulk_save_objects", "bulk_insert_mappings", "bulk_update_mappings"})
_STATEMENTS = frozenset({"insert", "update", "delete"})
_MAPPERS = ("sqlalchemy", "sqlmodel")
_SESSION = re.compile(r"session|^db$", re.IGNORECASE)


def _collect(module: Module) -> Iterator[TableWrite | TableDefinition | TableUse | SqlFile]:
    texts = SqlTexts(module)
    definitions = list(_definitions(module, texts))
    yield from definitions
    own = {definition.name for definition in definitions if definition.name in texts.constants}
    for name, function in module.functions:
        seen: set[tuple[_Kind, str]] = set()
        for kind, line, text in (*_of_texts(function, texts, own), *_of_mapped(module, function)):
            if (kind, text) not in seen and "?" not in text and "(" not in text:
                seen.add((kind, text))
                yield kind(module.path, line, name, text)


def _definitions(module: Module, texts: SqlTexts) -> Iterator[TableDefinition]:
    for name, text in texts.constants.items():
        if tables := tuple(dict.fromkeys(tables_written(text))):
            yield TableDefinition(module.path, 0, name, tables)
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef) and (table := _table_of_class(module, node)):
            yield TableDefinition(module.path, node.lineno, node.name, (table,))
        elif isinstance(node, ast.Assign) and (table := _table_of_call(module, node.value)):
            for target in node.targets:
                yield TableDefinition(module.path, node.lineno, dotted(target), (table,))


def _table_of_class(module: Module, node: ast.ClassDef) -> str:
    """Return the table of a mapped class: as it says, or for SQLModel the class's name in small letters."""
    for statement in node.body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and isinstance(statement.value, ast.Constant):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if any(dotted(target) == "__tablename__" for target in targets):
                return str(statement.value.value)
        if isinstance(statement, ast.Assign) and any(dotted(target) == "__table__" for target in statement.targets):
            return _table_of_call(module, statement.value)
    is_table = any(k.arg == "table" and isinstance(k.value, ast.Constant) and k.value.value for k in node.keywords)
    return node.name.lower() if is_table and node.bases else ""


def _table_of_call(module: Module, node: ast.expr) -> str:
    if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
        return ""
    origin = module.origin(node.func)
    return str(node.args[0].value) if origin.startswith("sqlalchemy.") and origin.endswith(".Table") else ""


def _of_texts(function: FunctionNode, texts: SqlTexts, own: set[str]) -> Iterator[_Found]:
    """Yield what the texts of a function write, and the statements that it reads from constants."""
    nodes = list(own_nodes(function))
    local = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    local.update(parameters(function))
    for node in nodes:
        if isinstance(node, (ast.Constant, ast.JoinedStr)) or (isinstance(node, ast.Call) and _is_format(node)):
            text = texts.of(node) or ""
            yield from ((TableWrite, node.lineno, table) for table in tables_written(text))
            if text.endswith(".sql"):
                yield SqlFile, node.lineno, text
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in own:
            yield TableUse, node.lineno, node.id
        elif isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in _EXECUTING and node.args:
            name = dotted(node.args[0])
            if name.partition(".")[0] not in local:
                yield TableUse, node.lineno, name


def _is_format(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr == "format"


def _of_mapped(module: Module, function: FunctionNode) -> Iterator[_Found]:
    """Yield the mapped classes and tables that a function adds rows of, or makes statements for."""
    mapping = any(origin.partition(".")[0] in _MAPPERS for origin in module.origins.values())
    made: dict[str, str] = {}
    for node in own_nodes(function):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Call):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            made |= {dotted(target): dotted(node.value.func) for target in targets}
        if not isinstance(node, ast.Call):
            continue
        owner, _, method = dotted(node.func).rpartition(".")
        if method in _ADDING and node.args and (mapping or _SESSION.search(owner.rpartition(".")[2])):
            yield from ((TableUse, node.lineno, made.get(name, name)) for name in _rows(node.args[0]))
        elif method in _STATEMENTS and mapping:
            is_function = module.origin(node.func).partition(".")[0] in _MAPPERS
            target = dotted(node.args[0]) if is_function and node.args else owner.removesuffix(".__table__")
            yield TableUse, node.lineno, _queried(node) or target


def _rows(value: ast.expr) -> Iterator[str]:
    """Yield the classes or variables of ``add(Message(…))``, ``add(message)``, ``add_all([Message(…)])``."""
    if isinstance(value, (ast.List, ast.Tuple)):
        for element in value.elts:
            yield from _rows(element)
    elif isinstance(value, (ast.ListComp, ast.GeneratorExp)):
        yield from _rows(value.elt)
    else:
        yield dotted(value.func if isinstance(value, ast.Call) else value)


def _queried(node: ast.expr) -> str:
    """Return the class of ``session.query(Message).filter(…).delete()``."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "query" and node.args:
            return dotted(node.args[0])
        node = node.func.value
    return ""


COLLECTOR = Collector(
    "table-writes",
    2,
    (
        b"INSERT ",
        b"insert ",
        b"UPDATE ",
        b"update ",
        b"DELETE FROM",
        b"delete from",
        b"COPY ",
        b"TRUNCATE ",
        b".execute",
        b".sql",
        b"__tablename__",
        b"sqlalchemy",
        b"sqlmodel",
    ),
    _collect,
    for_graph=True,
)

"""Similarity queries that are built from calls: ``select(Item).order_by(Item.embedding.l2_distance(v)).limit(5)``,
``Item.objects.order_by(CosineDistance("embedding", v))[:5]``.

A query that grows over several statements is read once, with everything that was added to it. What is added under a
condition counts as added.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from doctor.source.collector import Collector, Module
from doctor.source.expressions import dotted, unwrapped
from doctor.source.orm_expressions import FUNCTIONS, HOLE, METHODS, VALUE, Expressions

_HARMLESS = frozenset(
    "all options execution_options only defer values values_list using prefetch_related scalars scalar_subquery"  # noqa: SIM905
    " subquery cte label aiterator iterator as_scalar correlate params with_hint".split()
)
"""Calls that change neither which rows a query gives nor their order."""

_ONE_ROW = frozenset({"first", "afirst"})
_BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")


@dataclass(frozen=True, slots=True)
class OrmQuery:
    """A query as SQL, with ``⟨shop.models.Item⟩`` for its table and ``⟨shop.models.Item.embedding⟩`` for a column."""

    path: str
    line: int
    function: str
    model: str
    statement: str


@dataclass(eq=False)
class _Query:
    """A query while it is built. ``names`` are the expressions that it gives a name."""

    model: str
    line: int
    conditions: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    limit: str = ""
    offset: str = ""
    names: dict[str, str] = field(default_factory=dict)
    replaces_order: bool = False
    """Whether a second order takes the place of the first, as Django has it."""

    @property
    def statement(self) -> str:
        where = f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        order = f" ORDER BY {', '.join(self.keys)}" if self.keys else ""
        ends = (
            f" {word} {number}" if number else "" for word, number in (("LIMIT", self.limit), ("OFFSET", self.offset))
        )
        return f"SELECT * FROM ⟨{self.model}⟩{where}{order}{''.join(ends)}"

    @property
    def compares_vectors(self) -> bool:
        return any(operator in self.statement for operator in METHODS.values()) or "_distance(" in self.statement


class _Scope:
    """Reads the statements of one function, or of the module."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.queries: dict[str, _Query] = {}
        self.known: dict[str, str] = {}
        self.found: list[_Query] = []

    def read(self, statements: list[ast.stmt]) -> None:
        """Read statements in the order of the source, those inside others too."""
        for statement in statements:
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                continue
            self._expressions(statement)
            for block in _BLOCKS:
                for inner in getattr(statement, block, ()):
                    self.read(inner.body if isinstance(inner, (ast.ExceptHandler, ast.match_case)) else [inner])

    def _expressions(self, statement: ast.stmt) -> None:
        for value in ast.iter_child_nodes(statement):
            if isinstance(value, ast.expr):
                query = self._visited(value)
                self._bind(statement, value, query)
            elif isinstance(value, ast.withitem):
                self._visited(value.context_expr)

    def _bind(self, statement: ast.stmt, value: ast.expr, query: _Query | None) -> None:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if isinstance(statement, ast.AnnAssign) and statement.value is value:
            targets = [statement.target]
        if not targets or (isinstance(statement, ast.Assign) and statement.value is not value):
            return
        for name in (target.id for target in targets if isinstance(target, ast.Name)):
            self.queries.pop(name, None)
            self.known.pop(name, None)
            if query is not None:
                self.queries[name] = query
                self.known[name] = HOLE
            elif (text := self._expressions_of().sql(value)) != VALUE:
                self.known[name] = text

    def _visited(self, node: ast.AST) -> _Query | None:
        """Return the query that an expression is, and note those that it contains."""
        query = self.query(node) if isinstance(node, ast.expr) else None
        if query is not None:
            if query not in self.found:
                self.found.append(query)
            return query
        for child in ast.iter_child_nodes(node):
            self._visited(child)
        return None

    def query(self, node: ast.expr) -> _Query | None:
        """Return the query that an expression makes; None for other expressions."""
        node = unwrapped(node)
        if isinstance(node, ast.Name):
            return self.queries.get(node.id)
        if isinstance(node, ast.Attribute):
            model = self._expressions_of().model_of(node.value) if node.attr in ("objects", "query") else None
            return None if model is None else _Query(model, node.lineno, replaces_order=node.attr == "objects")
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            base = self.query(node.value)
            return None if base is None else self._sliced(base, node.slice)
        return self._called(node) if isinstance(node, ast.Call) else None

    def _called(self, node: ast.Call) -> _Query | None:
        if isinstance(node.func, ast.Attribute) and (base := self.query(node.func.value)) is not None:
            return self._extended(base, node.func.attr, node)
        if dotted(node.func).rpartition(".")[2] in ("select", "query") and node.args:
            return self._started(node)
        return None

    def _started(self, node: ast.Call) -> _Query | None:
        """Return what ``select(Item, …)`` begins; None where it is not one model that it asks for."""
        read = self._expressions_of()
        models = {model for part in node.args for model in _models(read, part)}
        if len(models) != 1:
            return None
        begun = _Query(models.pop(), node.lineno)
        self._note_labels(begun, read, node.args)
        return begun

    def _extended(self, base: _Query, method: str, node: ast.Call) -> _Query:
        """Return a query with what one call adds; a call that is not known leaves a hole."""
        if base in self.found:
            self.found.remove(base)  # what it has become counts
        read = self._expressions_of(base)
        new = replace(base, names=dict(base.names))
        if method in ("where", "filter", "having"):
            new.conditions += (*_each(read.sql, node.args), *map(read.lookup, node.keywords))
        elif method == "filter_by":
            new.conditions += tuple(map(read.lookup, node.keywords))
        elif method == "order_by":
            keys = _each(read.key, node.args)
            new.keys = keys if base.replaces_order else (*base.keys, *keys)
        elif method in ("limit", "offset") and node.args:
            setattr(new, method, read.sql(node.args[0]))
        elif method in ("annotate", "alias"):
            new.names |= {one.arg: read.sql(one.value) for one in node.keywords if one.arg}
        elif method in ("add_columns", "with_entities"):
            self._note_labels(new, read, node.args)
        elif method in _ONE_ROW:
            new.limit = new.limit or "1"
        elif method not in _HARMLESS:
            new.conditions += (HOLE,)
        return new

    def _sliced(self, base: _Query, part: ast.Slice) -> _Query:
        if base in self.found:
            self.found.remove(base)
        read = self._expressions_of(base)
        begin = "" if part.lower is None else read.sql(part.lower)
        end = "" if part.upper is None else read.sql(part.upper)
        if begin.isdigit() and end.isdigit():
            end = str(int(end) - int(begin))
        return replace(base, limit=end, offset=begin)

    def _note_labels(self, query: _Query, read: Expressions, parts: list[ast.expr]) -> None:
        for part in parts:
            if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr == "label":
                name = part.args[0] if part.args else None
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    query.names[name.value] = read.sql(part)

    def _expressions_of(self, query: _Query | None = None) -> Expressions:
        if query is None:
            return Expressions(self.module, self.known)
        return Expressions(self.module, {**self.known, **query.names}, query.model)


def _models(read: Expressions, part: ast.expr) -> Iterator[str]:
    """Yield the models that a part of ``select(…)`` is, or has columns of."""
    if isinstance(part, (ast.Name, ast.Attribute)) and (model := read.model_of(part)):
        yield model
    for node in ast.walk(part):
        if isinstance(node, ast.Attribute) and (model := read.model_of(node.value)):
            yield model


def _each(read: Callable[[ast.expr], str], parts: list[ast.expr]) -> tuple[str, ...]:
    return tuple(HOLE if isinstance(part, ast.Starred) else read(part) for part in parts)


def _collect(module: Module) -> Iterator[OrmQuery]:
    bodies: list[tuple[str, list[ast.stmt]]] = [("", module.tree.body)]
    bodies += [(name, node.body) for name, node in module.functions]
    for name, body in bodies:
        scope = _Scope(module)
        scope.read(body)
        for query in scope.found:
            if query.compares_vectors:
                yield OrmQuery(module.path, query.line, name or "<module>", query.model, query.statement)


_NAMES = "|".join((*METHODS, *FUNCTIONS)).encode()
_IS_CALLED = re.compile(rb"(?:[.\s(=\[,-])(?:" + _NAMES + rb")\(|\.op\(\s*[\"']<")
"""A call that makes a distance; functions of that name are defined by many who have no database."""

_IS_BUILT = re.compile(rb"\bselect\(|\bquery\b|\.objects\b|\.filter\(|\.order_by\(|\.where\(")
"""What a query is built with in the same file."""

COLLECTOR = Collector(
    "orm-similarity-queries",
    1,
    (*(name.encode() for name in (*METHODS, *FUNCTIONS)), b'.op("<', b".op('<"),
    _collect,
    looks=lambda content: _IS_CALLED.search(content) is not None and _IS_BUILT.search(content) is not None,
)

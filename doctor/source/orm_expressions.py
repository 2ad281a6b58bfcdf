"""Expressions of SQLAlchemy, SQLModel and Django as SQL: ``1 - Item.embedding.cosine_distance(v)``.

A column stands as ``⟨shop.models.Item.embedding⟩``, for only the whole source knows what it is called in the database;
``⟨.embedding⟩`` is one of whatever model the query asks.
``%s`` is a value of the running program, ``{}`` a part that nobody can tell.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from doctor.source.collector import Module
from doctor.source.expressions import dotted, text_of

HOLE = "{}"
VALUE = "%s"

METHODS = {"cosine_distance": "<=>", "l2_distance": "<->", "max_inner_product": "<#>", "l1_distance": "<+>"}
"""Methods of a column of pgvector's SQLAlchemy types, and the operator that each writes."""

FUNCTIONS = {"CosineDistance": "<=>", "L2Distance": "<->", "MaxInnerProduct": "<#>", "L1Distance": "<+>"}
"""The same for Django, where the column is named by a text."""

_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.BitAnd: "AND",
    ast.BitOr: "OR",
    ast.And: "AND",
    ast.Or: "OR",
    ast.Eq: "=",
    ast.NotEq: "<>",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_LOOKUPS = {"exact": "=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_SQL_FUNCTIONS = frozenset({"cosine_distance", "l2_distance", "inner_product", "l1_distance", "abs", "coalesce"})
_HARMLESS_TEXT = re.compile(r"[\w .@/-]{0,200}")
_REFERENCE = re.compile(r"⟨[^⟨⟩]*⟩")
_DIRECTIONS = {"asc": "", "desc": " DESC", "nulls_first": " NULLS FIRST", "nulls_last": " NULLS LAST"}
_DIRECTIONS |= {"nullsfirst": " NULLS FIRST", "nullslast": " NULLS LAST"}


class Expressions:
    """Reads expressions of one module. ``known`` are the expressions that have a name here, as SQL."""

    def __init__(self, module: Module, known: Mapping[str, str], model: str = "") -> None:
        self.module = module
        self.known = known
        self.model = model
        """The class whose columns Django's texts name; empty where it is not known yet."""

    def model_of(self, node: ast.expr) -> str | None:
        """Return the identity of a class that an expression names: capitalised, and no constant."""
        name = dotted(node)
        last = name.rpartition(".")[2]
        if "?" in name or "(" in name or not last[:1].isupper() or (last.isupper() and len(last) > 1):
            return None
        if name.partition(".")[0] in self.module.origins:
            return self.module.absolute(self.module.origin(node))
        return f"{self.module.name}.{name}"

    def sql(self, node: ast.expr) -> str:
        """Return an expression as SQL."""
        if isinstance(node, ast.Name):
            return self.known.get(node.id, VALUE)
        if isinstance(node, ast.Constant):
            return _literal(node.value)
        if isinstance(node, ast.Attribute) and (model := self.model_of(node.value)):
            return f"⟨{model}.{node.attr}⟩"
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, (ast.BinOp, ast.BoolOp, ast.UnaryOp, ast.Compare)):
            return self._operation(node)
        return self._other(node)

    def key(self, node: ast.expr) -> str:
        """Return one key of an order."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value.removeprefix("-")
            return self.named(name) + (" DESC" if name != node.value else "")
        if isinstance(node, ast.Call):
            last = dotted(node.func).rpartition(".")[2]
            inner = node.func.value if isinstance(node.func, ast.Attribute) and not node.args else None
            inner = inner or (node.args[0] if node.args else None)
            if last in _DIRECTIONS and inner is not None:
                return self.key(inner) + _DIRECTIONS[last]
            if last == "text" and node.args:
                name = text_of(node.args[0]) or HOLE
                return self.known.get(name, name)
        whole = self.sql(node)
        return HOLE if whole == VALUE else whole

    def named(self, name: str) -> str:
        """Return what a text names: an expression that was given this name, or a column of the model."""
        if name in self.known:
            return self.known[name]
        return f"⟨{self.model}.{name}⟩" if name.isidentifier() and "__" not in name else HOLE

    def lookup(self, keyword: ast.keyword) -> str:
        """Return a condition of Django, such as ``distance__lt=5``."""
        name, _, kind = (keyword.arg or "").partition("__")
        left, right = self.named(name), self.sql(keyword.value)
        if kind == "isnull" and isinstance(keyword.value, ast.Constant):
            return f"{left} IS {'' if keyword.value.value else 'NOT '}NULL"
        if kind == "in":
            return f"{left} = ANY ({VALUE})"
        if right == "NULL" and kind in ("", "exact"):
            return f"{left} IS NULL"
        operator = _LOOKUPS.get(kind or "exact")
        return HOLE if operator is None or HOLE in (left, right) else f"{left} {operator} {right}"

    def _call(self, node: ast.Call) -> str:
        function, first = node.func, node.args[0] if node.args else None
        last = dotted(function).rpartition(".")[2]
        if last in _SQL_FUNCTIONS and dotted(function).rpartition(".")[0] in ("func", "sa.func", "sqlalchemy.func"):
            return f"{last}({', '.join(map(self.sql, node.args))})"
        if isinstance(function, ast.Attribute) and first is not None and function.attr in METHODS:
            return self._distance(self.sql(function.value), METHODS[function.attr], first)
        if isinstance(function, ast.Call) and dotted(function.func).endswith(".op") and first is not None:
            operator = text_of(function.args[0]) if function.args else None
            column = self.sql(function.func.value) if isinstance(function.func, ast.Attribute) else HOLE
            return self._distance(column, operator, first) if operator in METHODS.values() else HOLE
        if last in FUNCTIONS and len(node.args) == 2 and (name := text_of(node.args[0])):
            return self._distance(self.named(name), FUNCTIONS[last], node.args[1])
        if last in ("label", "self_group") and isinstance(function, ast.Attribute):
            return self.sql(function.value)
        if last in ("ExpressionWrapper", "Value", "literal") and first is not None:
            return self.sql(first)
        if last == "F" and first is not None:
            return self.named(text_of(first) or "")
        if last in ("and_", "or_") and node.args:
            return f"({f' {last[:-1].upper()} '.join(map(self.sql, node.args))})"
        if isinstance(function, ast.Attribute) and first is not None:
            return self._test(function, first)
        return self._other(node)

    def _distance(self, column: str, operator: str | None, other: ast.expr) -> str:
        return f"({column} {operator} {self.sql(other)})" if _REFERENCE.fullmatch(column) else HOLE

    def _test(self, function: ast.Attribute, argument: ast.expr) -> str:
        left = self.sql(function.value)
        if not _REFERENCE.search(left):
            return self._other(function)
        if function.attr in ("is_", "is_not", "isnot") and isinstance(argument, ast.Constant):
            return f"{left} IS {'' if function.attr == 'is_' else 'NOT '}{_literal(argument.value).upper()}"
        return f"{left} = ANY ({VALUE})" if function.attr == "in_" else HOLE

    def _operation(self, node: ast.BinOp | ast.BoolOp | ast.UnaryOp | ast.Compare) -> str:
        if isinstance(node, ast.UnaryOp):
            sign = "-" if isinstance(node.op, ast.USub) else "NOT "
            return f"{sign}({self.sql(node.operand)})"
        if isinstance(node, ast.BoolOp):
            return f"({f' {_OPERATORS[type(node.op)]} '.join(map(self.sql, node.values))})"
        left, operation, right = (
            (node.left, node.op, node.right)
            if isinstance(node, ast.BinOp)
            else (node.left, node.ops[0], node.comparators[0])
        )
        operator = _OPERATORS.get(type(operation))
        if operator is None or (isinstance(node, ast.Compare) and len(node.ops) > 1):
            return self._other(node)
        one, other = self.sql(left), self.sql(right)
        if other == "NULL" and operator in ("=", "<>"):
            return f"{one} IS {'' if operator == '=' else 'NOT '}NULL"
        if one == other == VALUE:
            return VALUE
        whole = f"{one} {operator} {other}"
        return whole if isinstance(node, ast.Compare) else f"({whole})"

    def _other(self, node: ast.expr) -> str:
        """Return a value where nothing in an expression is a column."""
        return HOLE if any(map(self._speaks_of_rows, ast.walk(node))) else VALUE

    def _speaks_of_rows(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Name):
            return self.known.get(node.id, VALUE) != VALUE
        return isinstance(node, ast.Attribute) and self.model_of(node.value) is not None


def _literal(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "NULL", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return repr(value)
    return f"'{value}'" if isinstance(value, str) and _HARMLESS_TEXT.fullmatch(value) else VALUE

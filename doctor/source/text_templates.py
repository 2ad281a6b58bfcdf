"""What an expression makes of a row's columns: ``f"{row['title']}\\n\\n{row['content']}"``, as a template.

An expression that does anything else with a value has none: a guess that is nearly right would make other vectors.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TypeAlias

from doctor.source.collector import own_nodes
from doctor.source.expressions import FunctionNode, dotted, unwrapped

Template: TypeAlias = tuple[tuple[bool, str], ...]
"""Parts in their order: (is a column, its name or the literal text)."""

_PARTS = 12
_STEPS = 8
_SAME = frozenset({"strip", "rstrip", "lstrip"})
"""Methods after which a text is embedded as the same text, but for the space around it."""

_SQL_PART = re.compile(
    r"""\s*(?:coalesce\s*\(\s*(?P<kept>[\w."]+)\s*,\s*''\s*\)|E?'(?P<text>(?:[^']|'')*)'|(?P<column>[\w."]+))\s*""",
    re.IGNORECASE,
)
_COLUMN = re.compile(r'(?:"?\w+"?\.)?"?([A-Za-z_]\w*)"?')
_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\r": "\r", "\\\\": "\\"}


class Texts:
    """The templates of one function's expressions; ``columns`` are what its query names: alias → template."""

    def __init__(self, function: FunctionNode, columns: Mapping[str, Template]) -> None:
        self._columns = columns
        self._values: dict[str, list[ast.expr]] = {}
        self._given: set[str] = {argument.arg for argument in function.args.args + function.args.kwonlyargs}
        for node in own_nodes(function):
            self._note(node)

    def template(self, node: ast.expr) -> Template | None:
        """Return what an expression makes; None where that cannot be told."""
        parts = self._parts(node, _STEPS)
        if parts is None or not any(is_column for is_column, _ in parts) or len(parts) > _PARTS:
            return None
        return _merged(parts)

    def _note(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._values.setdefault(dotted(target), []).append(node.value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self._values.setdefault(dotted(node.target), []).append(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append":
            self._values.setdefault(dotted(node.func.value), []).extend(node.args[:1])
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            self._given.update(part.id for part in ast.walk(node.target) if isinstance(part, ast.Name))

    def _parts(self, node: ast.expr, steps: int) -> Template | None:
        node = unwrapped(node)
        if steps == 0:
            return None
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return ((False, node.value),)
        if isinstance(node, ast.JoinedStr):
            return self._all(node.values, steps)
        if isinstance(node, ast.FormattedValue):
            return None if node.format_spec or node.conversion != -1 else self._parts(node.value, steps - 1)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._all([node.left, node.right], steps)
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or) and _is_empty_text(node.values[-1]):
            return self._parts(node.values[0], steps - 1)
        if isinstance(node, (ast.List, ast.Tuple)) and len(node.elts) == 1:
            return self._parts(node.elts[0], steps - 1)
        if isinstance(node, (ast.ListComp, ast.GeneratorExp)):
            return self._parts(node.elt, steps - 1)
        if isinstance(node, ast.Call):
            return self._call(node, steps)
        return self._name(node, steps)

    def _all(self, nodes: list[ast.expr], steps: int) -> Template | None:
        found = [self._parts(each, steps - 1) for each in nodes]
        return None if None in found else tuple(chain.from_iterable(part for part in found if part is not None))

    def _call(self, node: ast.Call, steps: int) -> Template | None:
        if isinstance(node.func, ast.Name):
            passes = node.func.id in ("str", "list") and len(node.args) == 1
            return self._parts(node.args[0], steps - 1) if passes else None
        if not isinstance(node.func, ast.Attribute):
            return None
        method, owner = node.func.attr, node.func.value
        if method in _SAME and not node.args:
            return self._parts(owner, steps - 1)
        if method == "get" and node.args and isinstance(node.args[0], ast.Constant):
            return self._column(str(node.args[0].value))
        joined = node.args[0] if method == "join" and len(node.args) == 1 else None
        if isinstance(joined, (ast.List, ast.Tuple)) and isinstance(owner, ast.Constant):
            between: list[ast.expr] = [part for each in joined.elts for part in (owner, each)]
            return self._all(between[1:], steps)
        return None

    def _name(self, node: ast.expr, steps: int) -> Template | None:
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
        ):
            return self._column(node.slice.value)
        if isinstance(node, ast.Attribute):
            return self._column(node.attr)
        if not isinstance(node, ast.Name):
            return None
        values = [value for value in self._values.get(node.id, ()) if not isinstance(value, ast.List) or value.elts]
        if len(values) == 1:
            return self._parts(values[0], steps - 1)
        return self._column(node.id) if not values and node.id in self._given else None

    def _column(self, name: str) -> Template:
        return self._columns.get(name, ((True, name),))


def template_of_sql(expression: str) -> Template | None:
    """Return what an expression of SQL makes: ``title || E'\\n\\n' || coalesce(content, '')``."""
    parts: list[tuple[bool, str]] = []
    for piece in expression.split("||"):
        match = _SQL_PART.fullmatch(piece)
        if match is None:
            return None
        name = match["kept"] or match["column"]
        column = _COLUMN.fullmatch(name) if name else None
        if column is not None:
            parts.append((True, column[1]))
        elif name is None:
            text = re.sub(r"\\[ntr\\]", lambda found: _ESCAPES[found[0]], match["text"])
            parts.append((False, text.replace("''", "'")))
        else:
            return None
    return _merged(parts) if any(is_column for is_column, _ in parts) else None


def _is_empty_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == ""


def _merged(parts: Iterator[tuple[bool, str]] | list[tuple[bool, str]] | Template) -> Template:
    """Return the parts with literals that stand side by side as one, without space at both ends."""
    found: list[tuple[bool, str]] = []
    for is_column, text in parts:
        if not is_column and found and not found[-1][0]:
            found[-1] = (False, found[-1][1] + text)
        elif is_column or text:
            found.append((is_column, text))
    return tuple(part for place, part in enumerate(found) if part[0] or part[1].strip() or 0 < place < len(found) - 1)

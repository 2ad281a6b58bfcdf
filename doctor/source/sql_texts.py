"""SQL in Python's texts: what a literal, an f-string or a psycopg composition says, and which tables it writes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from doctor.source.collector import Module
from doctor.source.expressions import dotted, text_of

_NAME = r"\"?(?P<table>[A-Za-z_][\w$]*(?:\"?\.\"?[A-Za-z_][\w$]*)?)\"?"
_WRITE = re.compile(
    rf"\b(?:INSERT\s+(?:OR\s+\w+\s+)?INTO|REPLACE\s+INTO|MERGE\s+INTO|DELETE\s+FROM|UPDATE)\s+(?:ONLY\s+)?{_NAME}"
    r"(?=\s+(?:SET|AS|\w+\s+SET|\(|VALUES|SELECT|WHERE|DEFAULT|USING|ON)|\s*\(|\s*$|\s*;)",
    re.IGNORECASE,
)
_COPY = re.compile(rf"\bCOPY\s+{_NAME}\s*(?:\([^)]*\)\s*)?FROM\s+(?:STDIN|PROGRAM|')", re.IGNORECASE)
_TRUNCATE = re.compile(
    rf"\bTRUNCATE\s+(?:TABLE\s+)?(?:ONLY\s+)?{_NAME}\s*(?:,|;|$|RESTART|CONTINUE|CASCADE)", re.IGNORECASE
)
_NOT_A_TABLE = frozenset({"set", "only", "skip", "on", "nowait", "table"})
_FIELD = re.compile(r"\{(\w*)\}")


def tables_written(text: str) -> Iterator[str]:
    """Yield the tables that statements in a text change, without quotes."""
    for pattern in (_WRITE, _COPY, _TRUNCATE):
        for match in pattern.finditer(text):
            table = match["table"].replace('"', "")
            if table.lower() not in _NOT_A_TABLE:
                yield table


class SqlTexts:
    """The texts of one module, as far as its own constants fill them in."""

    def __init__(self, module: Module) -> None:
        self.constants: dict[str, str] = {}
        """The module's names for texts, also inside a call such as ``sql.SQL(…)`` or ``text(…)``."""
        for node in module.tree.body:
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                text = self.of(node.value)
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if text is not None:
                    self.constants |= {target.id: text for target in targets if isinstance(target, ast.Name)}

    def of(self, node: ast.AST | None) -> str | None:
        """Return what a text says; ``{}`` stands for what cannot be told."""
        if isinstance(node, ast.Name):
            return self.constants.get(node.id)
        if isinstance(node, ast.JoinedStr):
            return _filled(text_of(node) or "", self.constants)
        if isinstance(node, ast.Call):
            return self._call(node)
        return text_of(node) if isinstance(node, ast.expr) else None

    def _call(self, node: ast.Call) -> str | None:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            template = self.of(node.func.value)
            return None if template is None else self._formatted(template, node)
        wraps = dotted(node.func).rpartition(".")[2] in ("SQL", "text", "dedent")
        return self.of(node.args[0]) if wraps and node.args else None

    def _formatted(self, template: str, call: ast.Call) -> str:
        given = {str(place): self._inserted(value) for place, value in enumerate(call.args)}
        given |= {keyword.arg: self._inserted(keyword.value) for keyword in call.keywords if keyword.arg}
        known = {name: text for name, text in given.items() if text is not None}
        places = iter(range(len(call.args)))

        def fill(match: re.Match[str]) -> str:
            name = match[1] or str(next(places, ""))
            return known.get(name, match[0])

        return _FIELD.sub(fill, template)

    def _inserted(self, value: ast.expr) -> str | None:
        """Return what a composition inserts: ``Identifier("public", "messages")``, another text."""
        if isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] == "Identifier":
            parts = [self.of(argument) for argument in value.args]
            return ".".join(part for part in parts if part is not None) if parts and None not in parts else None
        return self.of(value)


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _FIELD.sub(lambda match: values.get(match[1], match[0]), text)

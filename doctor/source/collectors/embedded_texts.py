"""From which columns a function makes the texts that it has embedded: what it reads, and what it hands to the model."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module, own_nodes
from doctor.source.expressions import FunctionNode, dotted
from doctor.source.in_code import any_in_code
from doctor.source.sql_texts import SqlTexts, tables_written
from doctor.source.text_templates import Template, Texts, template_of_sql


@dataclass(frozen=True, slots=True)
class EmbeddedText:
    """One text that ``function`` has embedded at ``path:line``, as parts (is a column, its name or a literal).

    ``tables`` are those that the function's SQL reads or writes, as written; ``models`` the identities of classes that
    it names. ``vectors`` are the names in its SQL and assignments that vectors have.
    """

    path: str
    line: int
    function: str
    template: Template
    tables: tuple[str, ...]
    models: tuple[str, ...]
    vectors: tuple[str, ...]


_EMBEDDERS = r"a?embed(?:_\w+)?|(?:\w+_)?embeddings?|a?vectori[sz]e\w*"
_ENCODERS = r"(?i:model|encoder|embed|transformer)"
_EMBEDS = re.compile(f"{_EMBEDDERS}|encode")
_ENCODES = re.compile(_ENCODERS)
_WITH_TEXT = frozenset({"input", "text", "texts", "prompt", "content", "contents", "sentences", "inputs"})
_READS = re.compile(r"\bSELECT\s+(?P<list>.{1,1500}?)\s+FROM\s+(?P<table>[\w.\"]+)", re.IGNORECASE | re.DOTALL)
_ALIASED = re.compile(r"(?P<what>.*?)\s+(?:AS\s+)?\"?(?P<name>[A-Za-z_]\w*)\"?", re.IGNORECASE | re.DOTALL)
_VECTOR = re.compile(r"\b\w*(?:embedding|vector)\w*\b", re.IGNORECASE)


def _collect(module: Module) -> Iterator[EmbeddedText]:
    texts = SqlTexts(module)
    for name, function in module.functions:
        nodes = list(own_nodes(function))
        calls = [(node, given) for node in nodes if isinstance(node, ast.Call) for given in _embedded(node)]
        if not calls:
            continue
        said = [text for node in nodes if (text := _statement(node, texts))]
        tables = dict.fromkeys(table for text in said for table in _tables(text))
        models = dict.fromkeys(_models(module, function))
        if not tables and not models:
            continue
        made = Texts(function, dict(_aliases(said)))
        vectors = {word for text in said for word in _VECTOR.findall(text)} | set(_assigned(nodes))
        for call, given in calls:
            template = made.template(given)
            if template is not None:
                yield EmbeddedText(
                    module.path, call.lineno, name, template, tuple(tables), tuple(models), tuple(sorted(vectors))
                )


def _embedded(node: ast.Call) -> list[ast.expr]:
    """Return what a call may hand to an embedding model as text: one of its arguments, where none has such a name."""
    owner, _, last = dotted(node.func).rpartition(".")
    if last == "create" and owner.rpartition(".")[2] == "embeddings":
        last = "embed"
    if _EMBEDS.fullmatch(last) is None or (last == "encode" and _ENCODES.search(owner) is None):
        return []
    return [keyword.value for keyword in node.keywords if keyword.arg in _WITH_TEXT] or node.args


def _statement(node: ast.AST, texts: SqlTexts) -> str | None:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        return texts.constants.get(node.id)
    return texts.of(node) if isinstance(node, (ast.Constant, ast.JoinedStr)) else None


def _tables(text: str) -> Iterator[str]:
    yield from (match["table"].replace('"', "") for match in _READS.finditer(text))
    yield from tables_written(text)


def _models(module: Module, function: FunctionNode) -> Iterator[str]:
    """Yield the identities of the classes that a function names, in its parameters too."""
    for node in (*own_nodes(function), *ast.walk(function.args)):
        if isinstance(node, ast.Name) and node.id[:1].isupper():
            known = node.id in module.origins
            yield module.absolute(module.origin(node)) if known else f"{module.name}.{node.id}"


def _assigned(nodes: list[ast.AST]) -> Iterator[str]:
    """Yield the attributes and keys that are given a value and are named as vectors are."""
    for node in nodes:
        targets = node.targets if isinstance(node, ast.Assign) else ()
        for target in targets:
            if isinstance(target, ast.Attribute) and _VECTOR.fullmatch(target.attr):
                yield target.attr


def _aliases(said: list[str]) -> Iterator[tuple[str, Template]]:
    """Yield the names that queries give to what they select."""
    for text in said:
        for match in _READS.finditer(text):
            for column in _columns(match["list"]):
                named = _ALIASED.fullmatch(column.strip())
                template = template_of_sql(named["what"]) if named else None
                if named is not None and template is not None:
                    yield named["name"], template


def _columns(selected: str) -> Iterator[str]:
    """Yield the expressions of a list, which commas part outside of brackets."""
    depth, start = 0, 0
    for place, letter in enumerate(selected):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            yield selected[start:place]
            start = place + 1
    yield selected[start:]


_CALL = re.compile(rb"(?:embed|vectori)\w*(?:\s*\.\s*create)?\s*\(|\.\s*encode\s*\(")
"""What a call begins with, or goes on with: a search for fixed bytes is many times as quick as one for any word."""

_OF_MODEL = re.compile(
    rf"(?<!\w)(?:{_EMBEDDERS}|embeddings\s*\.\s*create)\s*\($|{_ENCODERS}[\w.]*\s*\.\s*encode\s*\($".encode()
)
_NAME = 60
"""Bytes of a name, with that of its owner."""

_DEFINES = re.compile(rb"\b(?:def|class)\s+\w*$")
_OF_ROWS = re.compile(rb"(?i)\bSELECT\s|\bUPDATE\s|\bselect\(|\.query\(|\.objects\b|session\b|\bmodels\b")
"""What reads rows, in SQL or by a mapped class; a file without any of it embeds what it is given."""


def _may_embed_rows(content: bytes) -> bool:
    calls = (one for one in _CALL.finditer(content) if _is_of_model(content, one))
    return any_in_code(content, calls) and _OF_ROWS.search(content) is not None


def _is_of_model(content: bytes, call: re.Match[bytes]) -> bool:
    around = content[max(0, call.start() - _NAME) : call.end()]
    return _OF_MODEL.search(around) is not None and not _DEFINES.search(around[: -len(call[0])])


COLLECTOR = Collector("embedded-texts", 1, (b"embed",), _collect, looks=_may_embed_rows)

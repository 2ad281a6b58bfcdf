"""Texts that set how far pgvector searches an index: ``SET LOCAL hnsw.ef_search = 100``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.expressions import text_of

_SETTING = re.compile(
    r"(?P<local>\bSET\s+LOCAL\s+)?"
    r"\b(?P<name>hnsw\.ef_search|hnsw\.iterative_scan|ivfflat\.probes|ivfflat\.iterative_scan)\b"
    r"(?:\s*(?:=|\bTO\b)\s*'?(?P<value>\w+)(?![\w{]))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class IndexSetting:
    """A text of the source names a setting. ``value`` is empty where only the running program knows it.

    One that is ``is_local`` (``SET LOCAL``) ends with its transaction, so it is meant for queries near by.
    """

    path: str
    line: int
    name: str
    value: str
    is_local: bool


def _collect(module: Module) -> Iterator[IndexSetting]:
    documentation = {id(node.value) for node in module.nodes if isinstance(node, ast.Expr)}
    parts = {
        id(part)
        for node in module.nodes
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    found = {
        IndexSetting(module.path, node.lineno, match["name"], match["value"] or "", match["local"] is not None): None
        for node in module.nodes
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and id(node) not in documentation | parts
        for match in _SETTING.finditer(text_of(node) or "")
    }
    yield from found


COLLECTOR = Collector(
    "index-settings",
    2,
    (b"hnsw.ef_search", b"hnsw.iterative_scan", b"ivfflat.probes", b"ivfflat.iterative_scan"),
    _collect,
)

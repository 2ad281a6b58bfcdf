"""Texts that set how far pgvector searches an index: ``SET LOCAL hnsw.ef_search = 100``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.expressions import text_of

_SETTING = re.compile(r"\b(?:hnsw\.ef_search|hnsw\.iterative_scan|ivfflat\.probes|ivfflat\.iterative_scan)\b")


@dataclass(frozen=True, slots=True)
class IndexSetting:
    """A text of the source names a setting; to what it is set, only the running program knows."""

    path: str
    line: int
    name: str


def _collect(module: Module) -> Iterator[IndexSetting]:
    documentation = {id(node.value) for node in module.nodes if isinstance(node, ast.Expr)}
    found = {
        IndexSetting(module.path, node.lineno, match[0]): None  # once, although the parts of an f-string are texts too
        for node in module.nodes
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and id(node) not in documentation
        for match in _SETTING.finditer(text_of(node) or "")
    }
    yield from found


COLLECTOR = Collector(
    "index-settings",
    1,
    (b"hnsw.ef_search", b"hnsw.iterative_scan", b"ivfflat.probes", b"ivfflat.iterative_scan"),
    _collect,
)

"""Queries of pgvector in the source's texts: how they order, and how they compare a similarity with a threshold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from doctor.source.collector import Collector, Module
from doctor.source.expressions import text_of
from doctor.source.similarity_sql import DISTANCE, SimilarityQuery, asks_for_vectors, plain, similarity_query


def _collect(module: Module) -> Iterator[SimilarityQuery]:
    for node, text in _texts(module):
        query = plain(text)
        if asks_for_vectors(query):
            yield similarity_query(query, module.path, node.lineno, module.enclosing(node.lineno))


def _texts(module: Module) -> Iterator[tuple[ast.expr, str]]:
    """Yield the texts with an operator of pgvector, but for docstrings."""
    parts = {
        id(part)
        for node in module.nodes
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    parts |= {id(node.value) for node in module.nodes if isinstance(node, ast.Expr)}
    for node in module.nodes:
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and id(node) not in parts:
            text = text_of(node)
            if text is not None and re.search(DISTANCE, text):
                yield node, text


_IN_BYTES = re.compile(
    rb"(?i)\b(?:ORDER\s+BY|WHERE|SELECT)\b[^;]{0,2000}?(?:<=>|<#>|(?:embedding|vec(?:tor)?)\w*\W{0,4}\s*<->)"
)
"""A keyword of SQL, and in the same statement an operator of pgvector; an arrow in a comment is none."""

COLLECTOR = Collector(
    "similarity-queries",
    4,
    (b"<=>", b"<#>", b"<->"),
    _collect,
    looks=lambda content: _IN_BYTES.search(content) is not None,
)

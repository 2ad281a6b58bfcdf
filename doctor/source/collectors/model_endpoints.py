"""Addresses of model services in the code that are no longer served."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.walk import walk

STALE = re.compile(r"https?://(?:router\.huggingface\.co/hf/v1|api-inference\.huggingface\.co)(?=[/?\s\"']|$)")
"""Answered once; ``https://router.huggingface.co/v1`` is what answers now."""

_ADDRESS = re.compile(rf"{STALE.pattern}\S*")
_TESTS = re.compile(r"(?:^|/)(?:tests?|testing)/|(?:^|/)(?:test_[^/]*|[^/]*_test|conftest)\.py$")
_LOOKS = frozenset({"replace", "startswith", "endswith", "removeprefix", "removesuffix", "count", "find", "index"})
_MATCHES = frozenset({"re.match", "re.search", "re.fullmatch", "re.compile", "re.sub"})


@dataclass(frozen=True, slots=True)
class StaleEndpoint:
    """An address at ``line`` that is used, not merely looked for."""

    path: str
    line: int
    text: str
    function: str
    address: str


def _collect(module: Module) -> Iterator[StaleEndpoint]:
    if _TESTS.search(module.path):
        return
    ignored = set(_only_looked_for(module))
    for node in module.nodes:
        if isinstance(node, ast.JoinedStr):
            first = node.values[0] if node.values else None
            text = first.value if isinstance(first, ast.Constant) else ""
            ignored.update(map(id, node.values))
        elif isinstance(node, ast.Constant):
            text = node.value
        else:
            continue
        if isinstance(text, str) and id(node) not in ignored and _ADDRESS.fullmatch(text):
            found = STALE.match(text)
            address = found[0] if found else text
            yield StaleEndpoint(
                module.path, node.lineno, module.line(node.lineno), module.enclosing(node.lineno), address
            )


def _only_looked_for(module: Module) -> Iterator[int]:
    """Yield the constants that are compared, searched for or replaced, keys of dictionaries, and docstrings."""
    for node in module.nodes:
        if isinstance(node, ast.Compare):
            yield from map(id, walk(node))
        elif isinstance(node, ast.Call):
            is_method = isinstance(node.func, ast.Attribute) and node.func.attr in _LOOKS
            if is_method or module.origin(node.func) in _MATCHES:
                yield from map(id, node.args[:1])
        elif isinstance(node, ast.Dict):
            yield from (id(key) for key in node.keys if key is not None)
        elif isinstance(node, ast.Expr):
            yield id(node.value)


COLLECTOR = Collector("model-endpoints", 1, (b"huggingface.co/hf/v1", b"api-inference.huggingface.co"), _collect)

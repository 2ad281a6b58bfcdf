"""Places at which code tells an Ollama server how much context a model gets."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.collectors.model_defaults import APART


@dataclass(frozen=True, slots=True)
class ContextSize:
    """``num_ctx`` as a key of options or as a keyword, at ``line``."""

    path: str
    line: int
    text: str


def _collect(module: Module) -> Iterator[ContextSize]:
    if APART.search(module.path):
        return
    for node in module.nodes:
        keys = [key for key in node.keys if key is not None] if isinstance(node, ast.Dict) else []
        sets = any(isinstance(key, ast.Constant) and key.value == "num_ctx" for key in keys)
        if (isinstance(node, ast.Dict) and sets) or (isinstance(node, ast.keyword) and node.arg == "num_ctx"):
            yield ContextSize(module.path, node.lineno, module.line(node.lineno))


_OPTION = re.compile(rb"num_ctx\b")
"""Not ``num_ctx_switches``, of which those speak who watch processes."""


def _places(content: bytes) -> list[int]:
    return [one.start() for one in _OPTION.finditer(content)]


COLLECTOR = Collector(
    "context-sizes",
    1,
    (b"num_ctx",),
    _collect,
    looks=lambda content: _OPTION.search(content) is not None,
    within=_places,
)

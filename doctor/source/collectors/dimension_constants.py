"""Constants of modules that say how long a vector is: ``EMBEDDING_DIMENSIONS = 1536``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.collectors.model_defaults import APART
from doctor.source.expressions import whole_numbers

_NAME = re.compile(r"(?:EMBEDDING|EMBED|VECTOR)S?_(?:DIM|DIMS|DIMENSION|DIMENSIONS|SIZE)")


@dataclass(frozen=True, slots=True)
class DimensionConstant:
    """One constant, at ``line``."""

    path: str
    line: int
    name: str
    number: int


def _collect(module: Module) -> Iterator[DimensionConstant]:
    if APART.search(module.path) is None:
        for name, (number, line) in whole_numbers(module.tree).items():
            if _NAME.fullmatch(name):
                yield DimensionConstant(module.path, line, name, number)


_IN_BYTES = re.compile(_NAME.pattern.encode() + rb"\b\s*(?::[^=\n]{1,40})?=\s*\d")

COLLECTOR = Collector(
    "dimension-constants",
    1,
    (b"EMBEDDING", b"EMBED_", b"VECTOR"),
    _collect,
    looks=lambda content: _IN_BYTES.search(content) is not None,
)

"""Where a broker is started, by itself or by an integration of TaskIQ with a web framework."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.expressions import dotted

INTEGRATIONS = ("taskiq_fastapi", "taskiq_litestar", "taskiq_faststream", "taskiq_aiogram", "taskiq_aiohttp")
"""Packages that start the broker together with the application."""


@dataclass(frozen=True, slots=True)
class BrokerStart:
    """One place that starts something, or gives its ``startup`` away to be called."""

    path: str
    line: int
    text: str


def _collect(module: Module) -> Iterator[BrokerStart]:
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and node.attr == "startup" and not _is_own(node):
            yield BrokerStart(module.path, node.lineno, module.line(node.lineno))
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            if any(name.partition(".")[0] in INTEGRATIONS for name in names):
                yield BrokerStart(module.path, node.lineno, module.line(node.lineno))


def _is_own(node: ast.Attribute) -> bool:
    """Tell whether a class calls what it has inherited."""
    return dotted(node.value) == "super()"


COLLECTOR = Collector(
    "broker-starts",
    1,
    (b".startup", *(name.encode() for name in INTEGRATIONS)),
    _collect,
    asked_by=("broker-settings",),
)

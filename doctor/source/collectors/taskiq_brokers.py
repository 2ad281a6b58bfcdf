"""Where the target makes a TaskIQ broker that keeps no results unless it is told where."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.collectors.task_results import COLLECTOR as RESULTS

KEEPS_BY_ITSELF = "InMemoryBroker"
"""The broker of TaskIQ 0.13 that brings a result backend of its own; tests use it in the place of the real one."""


@dataclass(frozen=True, slots=True)
class TaskiqBroker:
    """One construction of a broker."""

    path: str
    line: int
    text: str


def _collect(module: Module) -> Iterator[TaskiqBroker]:
    own = module.name.partition(".")[0]
    for node in module.nodes:
        if isinstance(node, ast.Call):
            origin = module.absolute(module.origin(node.func))
            owner, _, name = origin.rpartition(".")
            package = owner.partition(".")[0]
            is_known = package.startswith("taskiq") or package in ("", own)
            if name.endswith("Broker") and name != KEEPS_BY_ITSELF and is_known:
                yield TaskiqBroker(module.path, node.lineno, module.line(node.lineno))


COLLECTOR = Collector("taskiq-brokers", 1, (b"Broker(",), _collect, asked_by=(RESULTS.name,))

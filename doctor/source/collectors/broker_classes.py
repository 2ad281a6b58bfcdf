"""Classes of the target that are derived from a broker of taskiq-nats."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from doctor.source.collector import Collector, Module
from doctor.source.collectors.broker_settings import KINDS


@dataclass(frozen=True, slots=True)
class BrokerClass:
    """A class of the target, ``name`` in full, that is derived from ``kind`` of taskiq-nats."""

    name: str
    kind: str


def _collect(module: Module) -> Iterator[BrokerClass]:
    for node in module.nodes:
        if isinstance(node, ast.ClassDef):
            for base in map(module.origin, node.bases):
                kind = base.rpartition(".")[2]
                if kind in KINDS and base.startswith("taskiq_nats."):
                    yield BrokerClass(f"{module.name}.{node.name}", kind)


COLLECTOR = Collector("broker-classes", 1, (b"taskiq_nats",), _collect)

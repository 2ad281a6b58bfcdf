"""What a drill does to a sandbox: nothing, what is harmless, one fault, two that can hold together, or three."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from itertools import combinations

from doctor.pipeline.sandbox.fault import Expectation, Fault, all_faults, find_fault
from doctor.pipeline.sandbox.noise import NOISE
from doctor.pipeline.sandbox.outages import OUTAGES

TRIPLES = (
    ("decorator-order", "agent-config-inactive", "model-not-available"),
    ("decorator-order", "agent-config-inactive", "base-url-stale"),
    ("consumer-paused", "agent-config-inactive", "null-embeddings"),
    ("enqueue-error-swallowed", "embedding-not-queued", "zero-vectors"),
    ("unknown-task-dropped", "provider-inactive", "dead-letter-never-written"),
    ("publishable-key-undecoded", "auth-fails-open", "initialisation-race"),
)
"""Three at once: the incident of the casebook, and others that lie behind one another on the chain or far apart."""

HEALTHY = "healthy"
"""The round in which nothing is done at all."""


class Kind(StrEnum):
    """What is done, or how many faults a round has."""

    CONTROL = "control"
    OUTAGE = "outage"
    SINGLE = "single"
    PAIR = "pair"
    TRIPLE = "triple"


@dataclass(frozen=True, slots=True)
class Round:
    """One sandbox, broken in these ways. Noise and outages are no faults; the round has their name."""

    name: str
    kind: Kind
    faults: tuple[str, ...] = ()

    @property
    def expected(self) -> Expectation:
        """What a diagnosis must show: all that its faults show alone."""
        if self.kind is Kind.OUTAGE:
            return OUTAGES[self.name].expected
        return together(find_fault(name).expected for name in self.faults)


def together(expectations: Iterable[Expectation]) -> Expectation:
    """Return what several faults show when each shows all of its own."""
    found = list(expectations)
    return Expectation(
        **{
            part.name: tuple(dict.fromkeys(code for one in found for code in getattr(one, part.name)))
            for part in fields(Expectation)
        }
    )


def all_rounds() -> Iterator[Round]:
    """Yield controls, outages, singles, triples, and last the pairs, of which there are many."""
    yield Round(HEALTHY, Kind.CONTROL)
    yield from (Round(name, Kind.CONTROL) for name in NOISE)
    yield from (Round(name, Kind.OUTAGE) for name in OUTAGES)
    yield from (_round(Kind.SINGLE, name) for name in all_faults())
    yield from (_round(Kind.TRIPLE, *names) for names in TRIPLES)
    for one, other in combinations(all_faults().values(), 2):
        if can_hold_together(one, other):
            yield _round(Kind.PAIR, one.name, other.name)


def can_hold_together(*faults: Fault) -> bool:
    """Whether no two of these change or hide the same thing."""
    return all(set(one.touches).isdisjoint(other.touches) for one, other in combinations(faults, 2))


def _round(kind: Kind, *names: str) -> Round:
    return Round(" + ".join(names), kind, names)

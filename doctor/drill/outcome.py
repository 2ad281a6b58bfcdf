"""What one round of the drill has shown, beside what it was to show."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from doctor.model import Run, Status

Edge = tuple[str, str]
"""The code of a root, and that of an effect that the diagnosis puts under it."""

SAID_OF_SMALL_TABLES = ("VEC001",)
"""Advice that is true of every table whose vectors are too few for an index."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A diagnosis by codes alone. ``edges`` lead from roots to effects; ``beside`` are what contributes, what was left
    over, and advice."""

    roots: tuple[str, ...] = ()
    edges: tuple[Edge, ...] = ()
    beside: tuple[str, ...] = ()
    unexplained: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @classmethod
    def by(cls, run: Run) -> Shown:
        """Return what a run has shown."""
        found = run.diagnosis

        def codes(fingerprints: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(dict.fromkeys(run.finding(one).code for one in fingerprints))

        return cls(
            roots=tuple(root.code for root in found.roots),
            edges=tuple(
                dict.fromkeys(
                    (root.code, run.finding(effect.fingerprint).code) for root in found.roots for effect in root.effects
                )
            ),
            beside=codes((*found.contributing, *found.left_over, *found.advice)),
            unexplained=codes(tuple(one.fingerprint for one in found.unexplained)),
            unknown=tuple(result.code for result in run.current if result.status is Status.UNKNOWN),
        )


@dataclass(frozen=True, slots=True)
class Treatment:
    """What became of safe repairs. ``repaired`` and ``verified`` are None where a person is needed as well, and
    ``left_alone`` where there was something to repair."""

    repaired: bool | None = None
    verified: bool | None = None
    left_alone: bool | None = None

    @property
    def is_right(self) -> bool:
        """Whether nothing of it failed."""
        return False not in (self.repaired, self.verified, self.left_alone)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One round. ``expected`` and ``shown`` are of one shape; of ``expected`` all edges are true, none must be there.

    ``seconds`` is what the diagnosis took. ``afterwards`` is what a check still found once all was taken back.
    ``problem`` says what kept the round from ending, and is empty otherwise.
    """

    name: str
    kind: str
    expected: Shown
    shown: Shown
    seconds: float = 0.0
    treatment: Treatment = Treatment()
    afterwards: str = ""
    problem: str = ""

    @property
    def is_exact(self) -> bool:
        """Whether exactly the true roots were named."""
        return not self.problem and set(self.shown.roots) == set(self.expected.roots)

    @property
    def is_top_right(self) -> bool:
        """Whether the first root named is a true one; without any, that none was named."""
        return not self.problem and set(self.shown.roots[:1]) <= set(self.expected.roots) and self._names_any

    @property
    def _names_any(self) -> bool:
        return bool(self.shown.roots) == bool(self.expected.roots)

    @property
    def false_roots(self) -> tuple[str, ...]:
        """Roots that were named and are none."""
        return tuple(code for code in dict.fromkeys(self.shown.roots) if code not in self.expected.roots)

    @property
    def false_edges(self) -> tuple[Edge, ...]:
        """Effects put under a root that does not cause them."""
        return tuple(edge for edge in self.shown.edges if edge not in self.expected.edges)

    @property
    def has_more_to_tell(self) -> bool:
        """Whether there is anything to be told but roots and effects."""
        return bool(self.expected.beside or self.expected.unknown)

    @property
    def missed(self) -> tuple[str, ...]:
        """What was to be told beside the roots, or to be called unknown, and was not."""
        beside = (code for code in self.expected.beside if code not in (*self.shown.beside, *self.shown.roots))
        unknown = (code for code in self.expected.unknown if code not in self.shown.unknown)
        return (*beside, *unknown)

    @property
    def too_much(self) -> tuple[str, ...]:
        """What was told beside the roots, or left unexplained, and is not there."""
        beside = (code for code in self.shown.beside if code not in (*self.expected.beside, *SAID_OF_SMALL_TABLES))
        return (*beside, *self.shown.unexplained)

    @property
    def is_right(self) -> bool:
        """Whether everything about it is as it should be."""
        told = not (self.false_edges or self.missed or self.too_much)
        return self.is_exact and told and self.treatment.is_right and not self.afterwards

    def as_json(self) -> str:
        """Return it as one line."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> Outcome:
        """Read a line that :meth:`as_json` has written.

        Raises:
            ValueError, TypeError, KeyError: it is none.
        """
        found: dict[str, Any] = json.loads(line)
        found["expected"], found["shown"] = (_shown(found[name]) for name in ("expected", "shown"))
        return cls(**{**found, "treatment": Treatment(**found["treatment"])})


def _shown(found: dict[str, Any]) -> Shown:
    lists: dict[str, Any] = {name: tuple(values) for name, values in found.items()}
    return Shown(**{**lists, "edges": tuple((root, effect) for root, effect in found["edges"])})

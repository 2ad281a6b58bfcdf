"""How often the diagnosis was right, over many rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from doctor.drill.outcome import Outcome

EXACT = {"control": 1.0, "outage": 1.0, "single": 1.0, "pair": 0.95, "triple": 0.95}
"""Share of rounds whose roots must be named exactly; in controls that is to name none."""

PATHS = 0.95
"""Share of rounds in which every edge must be true."""

SECONDS = 5.0
"""Median of a diagnosis, at most."""


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        """The share; of nothing, all."""
        return self.part / self.whole if self.whole else 1.0

    def __str__(self) -> str:
        return f"{self.part}/{self.whole} ({self.value:.1%})" if self.whole else "–"


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of the rounds of one kind. ``repaired`` and ``verified`` count where all was safe to repair,
    ``left_alone`` where nothing was."""

    kind: str
    exact: Share
    top: Share
    false_roots: int
    paths: Share
    told: Share
    repaired: Share
    verified: Share
    left_alone: Share
    healed: Share
    seconds: float

    @property
    def missed_targets(self) -> tuple[str, ...]:
        """Return the targets that these scores do not reach, as sentences."""
        wanted = EXACT[self.kind]
        found = []
        if self.exact.value < wanted:
            found.append(f"{self.kind}: roots exact in {self.exact}, wanted {wanted:.0%}")
        if self.false_roots and wanted == 1.0:
            found.append(f"{self.kind}: {self.false_roots} false roots, wanted 0")
        if self.paths.value < PATHS:
            found.append(f"{self.kind}: paths true in {self.paths}, wanted {PATHS:.0%}")
        if self.seconds > SECONDS:
            found.append(f"{self.kind}: a diagnosis took {self.seconds:.1f} s, wanted {SECONDS:g} s")
        if self.kind == "single":
            names = ("repaired", "verified", "left_alone")
            shares = [(name.replace("_", " "), getattr(self, name)) for name in names]
            found += [f"single: {name} {share}, wanted all" for name, share in shares if share.value < 1.0]
        return tuple(found)


def scores(outcomes: Sequence[Outcome]) -> tuple[Scores, ...]:
    """Return the scores of each kind of round that there is, in the order of :data:`EXACT`."""
    by_kind = ((kind, [one for one in outcomes if one.kind == kind]) for kind in EXACT)
    return tuple(_of(kind, some) for kind, some in by_kind if some)


def _of(kind: str, outcomes: Sequence[Outcome]) -> Scores:
    def share(holds: Callable[[Outcome], object], among: Iterable[Outcome] = outcomes) -> Share:
        counted = [bool(holds(one)) for one in among]
        return Share(sum(counted), len(counted))

    def treated(what: str) -> Share:
        found = [getattr(one.treatment, what) for one in outcomes]
        return Share(found.count(True), len(found) - found.count(None))

    return Scores(
        kind=kind,
        exact=share(lambda one: one.is_exact),
        top=share(lambda one: one.is_top_right),
        false_roots=sum(len(one.false_roots) for one in outcomes),
        paths=share(lambda one: not one.false_edges),
        told=share(lambda one: not one.missed, [one for one in outcomes if one.has_more_to_tell]),
        repaired=treated("repaired"),
        verified=treated("verified"),
        left_alone=treated("left_alone"),
        healed=share(lambda one: not one.afterwards),
        seconds=median(one.seconds for one in outcomes),
    )

"""Which issues are effects of others: signatures say what follows from them, and times must not contradict it.

A log proves no cause. What comes out is an order in which to look: first causes first, and under each its effects. Of
two first causes that no path joins neither explains the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from doctor.model import Confidence
from doctor.triage.grouping import IssueTally

AREAS = ("database", "nats", "worker", "source", "auth", "agents", "models", "embeddings", "chain", "logs")
"""What must work first. Lost evidence comes last: it is no link of the chain."""

TOLERANCE = 2.0
"""Seconds by which an effect may be written before its cause: clocks differ, and buffers."""

RULE_LOW = "only a log line speaks for it, and it has {} possible causes; a check must measure which"
RULE_MEDIUM = "the line is specific to {}, which no check has measured here; logs alone never say more"
RULE_NOTHING = "only a log line speaks for it, and no check decides it"


def parents(issues: Sequence[IssueTally]) -> dict[str, tuple[str, ...]]:
    """Return for each issue the names of those that it follows from, as far as these are present and earlier."""
    present = {issue.signature.name: issue for issue in issues}
    found: dict[str, tuple[str, ...]] = {}
    for name, issue in present.items():
        found[name] = tuple(
            other
            for other, cause in sorted(present.items())
            if name in cause.signature.leads_to and not _is_later(cause, issue)
        )
    return found


def _is_later(cause: IssueTally, effect: IssueTally) -> bool:
    """Whether a cause was first written so much after its effect that it is none."""
    first, second = cause.tally.first, effect.tally.first
    return first is not None and second is not None and first > second + TOLERANCE


def ordered(issues: Sequence[IssueTally], causes: Mapping[str, tuple[str, ...]]) -> list[IssueTally]:
    """Return first causes in the order of what must work first, each followed by its effects."""
    left = {issue.signature.name: issue for issue in sorted(issues, key=_rank)}
    result: list[IssueTally] = []

    def take(name: str) -> None:
        issue = left.pop(name, None)
        if issue is not None:
            result.append(issue)
            for effect in [one for one, parents in causes.items() if name in parents]:
                take(effect)

    for name in [name for name in left if not causes[name]] + list(left):
        take(name)
    return result


def _rank(issue: IssueTally) -> tuple[int, float, str]:
    area = issue.signature.area
    place = AREAS.index(area) if area in AREAS else len(AREAS)
    return place, issue.tally.first if issue.tally.first is not None else 0.0, issue.signature.name


def independent(name: str, causes: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the other first causes with which no path joins this one: they share no effect."""
    if causes[name]:
        return ()
    mine = _reached(name, causes)
    firsts = (other for other in sorted(causes) if other != name and not causes[other])
    return tuple(other for other in firsts if not mine & _reached(other, causes))


def _reached(name: str, causes: Mapping[str, tuple[str, ...]]) -> set[str]:
    reached, new = {name}, {name}
    while new := {one for one, parents in causes.items() if new & set(parents)} - reached:
        reached |= new
    return reached


def confidence(issue: IssueTally) -> tuple[Confidence, str]:
    """Return how sure a log alone can make of the cause, and by which rule."""
    checks = [hypothesis.check for hypothesis in issue.signature.hypotheses if hypothesis.check]
    if not checks:
        return Confidence.LOW, RULE_NOTHING
    if len(checks) <= 2:
        return Confidence.MEDIUM, RULE_MEDIUM.format("its cause" if len(checks) == 1 else "one of two causes")
    return Confidence.LOW, RULE_LOW.format(len(checks))

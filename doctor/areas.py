"""The areas of a target (source, database, queue, …) and what a run's results say of each, in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from doctor.model import CheckResult, Finding, Severity, Status

ORDER = (
    "source",
    "database",
    "nats",
    "worker",
    "application",
    "agents",
    "models",
    "embeddings",
    "chain",
    "auth",
    "environment",
    "logs",
)
"""What a message meets first stands first; areas that are not named here follow."""


_REST = " · the rest: "
"""Stands between what was seen and why other checks were skipped."""


@dataclass(frozen=True, slots=True)
class AreaState:
    """One area: its status, the worst severity when there are findings, and the words for it.

    *Skip* also where only a part was asked: what was not asked is never called well.
    """

    status: Status
    severity: Severity | None
    words: str


def by_area(results: Iterable[CheckResult]) -> dict[str, list[CheckResult]]:
    """Return the results of each area, the areas in their order."""
    found: dict[str, list[CheckResult]] = {}
    for result in results:
        found.setdefault(result.area, []).append(result)
    return dict(sorted(found.items(), key=lambda item: ORDER.index(item[0]) if item[0] in ORDER else len(ORDER)))


def state_of(results: Sequence[CheckResult], place: Callable[[Finding], int], *, shown: int | None = None) -> AreaState:
    """Sum up the results of one area; of findings equally bad the one with the lowest ``place`` speaks.

    At most ``shown`` observations are named, and the others counted; all where it is None. Then it is also told why a
    few checks did not apply to an area that is well.
    """
    why = "" if shown is not None and _is_mostly_asked(results) else _why_skipped(results)
    findings = sorted((finding for result in results for finding in result.findings), key=place)
    if findings:
        worst = max(findings, key=lambda finding: finding.severity.rank)
        seen = _seen(results, shown) if worst.severity is Severity.INFO else ""
        more = f"  (+{len(findings) - 1} more)" if len(findings) > 1 else ""
        words = _REST.join(filter(None, (seen or f"{worst.symptom}{more}", why)))
        return AreaState(Status.FAIL, worst.severity, words)
    for result in results:
        if result.status is Status.UNKNOWN:
            return AreaState(Status.UNKNOWN, None, result.reason)
    words = _REST.join(filter(None, (_seen(results, shown), why)))
    is_well = not why or _is_mostly_asked(results)
    return AreaState(Status.PASS if is_well else Status.SKIP, None, words or "nothing found")


def _is_mostly_asked(results: Sequence[CheckResult]) -> bool:
    """Whether the checks that did not apply are fewer than the others, and nothing stood in their way."""
    skipped = [result for result in results if result.status is Status.SKIP]
    return 2 * len(skipped) < len(results) and not any(result.blocked_by for result in skipped)


def _why_skipped(results: Iterable[CheckResult]) -> str:
    """Return why the first skipped check was not asked; nothing where all were."""
    skipped = next((result for result in results if result.status is Status.SKIP), None)
    if skipped is None:
        return ""
    return f"blocked by {skipped.blocked_by}" if skipped.blocked_by else skipped.reason or "not asked"


def _seen(results: Iterable[CheckResult], shown: int | None) -> str:
    """Return what the checks saw, each observation once."""
    seen = list(dict.fromkeys(observation.text for result in results for observation in result.observations))
    if shown is None or len(seen) <= shown:
        return " · ".join(seen)
    return " · ".join([*seen[:shown], f"{len(seen) - shown} more"])

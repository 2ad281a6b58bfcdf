"""Limits what is reported to the files that were named, as a commit hook names them. The rest is read all the same:
what a name means is decided elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from doctor.file_names import located
from doctor.model import CheckResult, Finding, Status


def narrowed(results: Iterable[CheckResult], root: Path, paths: Sequence[Path]) -> tuple[CheckResult, ...]:
    """Leave out findings in files under ``root`` that are none of ``paths``, nor in one of them."""
    named = [path.resolve() for path in paths]

    def is_named(finding: Finding) -> bool:
        if finding.resource.path is None:
            return True
        place = located(root, finding.resource.path)
        return any(place == path or path in place.parents for path in named)

    return tuple(_kept(result, tuple(filter(is_named, result.findings))) for result in results)


def _kept(result: CheckResult, findings: tuple[Finding, ...]) -> CheckResult:
    if len(findings) == len(result.findings):
        return result
    status = Status.PASS if result.status is Status.FAIL and not findings else result.status
    return replace(result, findings=findings, status=status)

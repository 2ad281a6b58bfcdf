"""Limits what is reported to the files that were named, as a commit hook names them. The rest is read all the same:
what a name means is decided elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from doctor.file_names import located
from doctor.model import CheckResult, Finding
from doctor.silencing import with_findings


def narrowed(results: Iterable[CheckResult], root: Path, paths: Sequence[Path]) -> tuple[CheckResult, ...]:
    """Leave out findings in files under ``root`` that are none of ``paths``, nor in one of them."""
    named = [path.resolve() for path in paths]

    def is_named(finding: Finding) -> bool:
        if finding.resource.path is None:
            return True
        place = located(root, finding.resource.path)
        return any(place == path or path in place.parents for path in named)

    return tuple(with_findings(result, tuple(filter(is_named, result.findings))) for result in results)

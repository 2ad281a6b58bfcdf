"""``[severity]`` in the configuration: what a finding of a code is called here, whatever its check says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from doctor.model import CheckResult, Finding, Severity


def with_severities(results: Sequence[CheckResult], severities: Mapping[str, str]) -> tuple[CheckResult, ...]:
    """Return the results with the severities that are given by code or prefix; the longest prefix counts."""
    if not severities:
        return tuple(results)

    def judged(finding: Finding) -> Finding:
        prefix = max((one for one in severities if finding.code.startswith(one)), key=len, default=None)
        return finding if prefix is None else replace(finding, severity=Severity(severities[prefix]))

    return tuple(replace(result, findings=tuple(map(judged, result.findings))) for result in results)

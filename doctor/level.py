"""How bad a finding was when somebody accepted it: what is worse than that comes back."""

from __future__ import annotations

from dataclasses import dataclass

from doctor.model import Finding, Severity


@dataclass(frozen=True, slots=True)
class Level:
    """A severity, and the value of the finding's metric, if it has one; more is worse."""

    severity: Severity
    value: float | None = None

    @classmethod
    def of(cls, finding: Finding) -> Level:
        """Return how bad a finding is."""
        return cls(finding.severity, None if finding.metric is None else finding.metric.value)

    def is_exceeded_by(self, finding: Finding) -> bool:
        """Tell whether a finding is worse than this: a higher severity, or more of it than there was."""
        now = Level.of(finding)
        if now.severity.rank > self.severity.rank:
            return True
        return self.value is not None and now.value is not None and now.value > self.value

"""What logs tell, put in order: issues with their hypotheses, groups of lines, what was read and what was not.

Frozen and plain, like :mod:`doctor.model`: reports render from a :class:`LogSummary` and from nothing else. All texts
are redacted. Times are ISO 8601 in UTC, or empty where no line bears one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from doctor.model import Confidence, Severity


@dataclass(frozen=True, slots=True)
class LogSample:
    """A line as it was read, without secrets, and where."""

    text: str
    source: str
    line: int


@dataclass(frozen=True, slots=True)
class LogRate:
    """How often over time: ``counts`` of steps of ``seconds``, from ``start`` on; empty without times."""

    start: str = ""
    seconds: int = 60
    counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LogSite:
    """A call of a logger in the source. ``template`` is what it writes, with ``{}`` for what is filled in."""

    path: str
    line: int
    function: str
    template: str = ""
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Occurrences:
    """How often something was written, when, and by which services."""

    count: int
    first: str = ""
    last: str = ""
    rate: LogRate = LogRate()
    services: Mapping[str, int] = field(default_factory=dict)
    samples: tuple[LogSample, ...] = ()


@dataclass(frozen=True, slots=True)
class LogGroup:
    """Lines of one origin. ``kind`` says what they have in common: an exception, a call in the source, or a mask.

    ``id`` depends on that alone, never on the input's order, files or other lines. ``shown`` is the template under
    which similar groups can be put together. ``together`` are ids of groups that occur within the same seconds or for
    the same task, most often first.
    """

    id: str
    kind: str
    level: str
    logger: str
    template: str
    occurrences: Occurrences
    shown: str = ""
    sites: tuple[LogSite, ...] = ()
    exceptions: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    together: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LogHypothesis:
    """A cause that a line lets one suspect, and the check that would decide."""

    statement: str
    check: str = ""


@dataclass(frozen=True, slots=True)
class LogIssue:
    """All lines of one known signature. ``caused_by`` names the issues of which this one is an effect.

    ``independent_of`` are the other first causes with which no known path joins it.
    """

    signature: str
    title: str
    area: str
    severity: Severity
    confidence: Confidence
    confidence_rule: str
    occurrences: Occurrences
    hypotheses: tuple[LogHypothesis, ...] = ()
    resources: Mapping[str, int] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    caused_by: tuple[str, ...] = ()
    independent_of: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class LogSignal:
    """Lines that are known and are no problem: something worked, or noise."""

    signature: str
    title: str
    occurrences: Occurrences


@dataclass(frozen=True, slots=True)
class LogInput:
    """One input that was read."""

    name: str
    lines: int
    records: int
    forms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LogSummary:
    """Everything that was read, in order."""

    version: str
    inputs: tuple[LogInput, ...]
    lines: int
    records: int
    first: str
    last: str
    issues: tuple[LogIssue, ...]
    progress: tuple[LogSignal, ...]
    noise: tuple[LogSignal, ...]
    groups: tuple[LogGroup, ...]
    unkept_groups: int = 0
    unkept_records: int = 0
    call_sites: int = 0
    """Calls of loggers in the source that were compared with; 0 without a source."""
    redactions: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unread: int = 0
    """Inputs of which nothing could be read."""
    fail_on: str = Severity.ERROR.value
    schema_version: str = "1"

    @property
    def unexplained(self) -> tuple[LogGroup, ...]:
        """Return the groups of errors that no known signature covers, most frequent first."""
        return tuple(group for group in self.groups if group.level in ("error", "critical") and not group.signatures)

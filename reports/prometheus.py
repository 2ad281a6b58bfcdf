"""Metrics for Prometheus, as text that its older format and OpenMetrics both read: for the textfile collector of
node_exporter, or to be pushed.

What was found is counted, never listed: a series a finding would cost more than it tells.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from doctor.api import Metric, Presentation, Report, Run, Severity, Status, SuppressionKind, exit_code

_Samples = Iterable[tuple[Mapping[str, str], float]]


@dataclass(frozen=True, slots=True)
class Family:
    """One gauge: its name, its help, its samples by their labels."""

    name: str
    help: str
    samples: _Samples


def render(run: Run, presentation: Presentation) -> str:
    """Return all families, and the mark at which OpenMetrics ends."""
    return "".join(line for family in families(run) for line in _lines(family)) + "# EOF\n"


def families(run: Run) -> Iterator[Family]:
    """Yield what a run measured."""
    found = Counter(finding.severity for result in run.current for finding in result.findings)
    of_check = Counter((result.code, result.name) for result in run.current for _ in result.findings)
    yield Family("doctor_exit_code", "Exit code of the run, 0 where the gate is open.", [({}, exit_code(run))])
    yield Family("doctor_run_timestamp_seconds", "When the run began.", [({}, run.started_at.timestamp())])
    yield Family("doctor_run_duration_seconds", "How long the run took.", [({}, run.duration)])
    yield Family("doctor_check_status", "1 for the status that a check has.", _statuses(run))
    yield Family(
        "doctor_findings",
        "Findings by severity.",
        [({"severity": str(severity)}, found[severity]) for severity in Severity],
    )
    yield Family(
        "doctor_check_findings",
        "Findings of a check that has some.",
        [({"code": code, "name": name}, count) for (code, name), count in sorted(of_check.items())],
    )
    left_out = Counter(each.kind for each in run.suppressions)
    samples = [({"by": str(kind)}, left_out[kind]) for kind in SuppressionKind]
    yield Family("doctor_suppressed_findings", "Findings left out, by what.", samples)
    yield from _measured(run)


def _statuses(run: Run) -> _Samples:
    for result in run.current:
        labels = {"code": result.code, "name": result.name, "area": result.area}
        for status in Status:
            yield labels | {"status": str(status)}, result.status is status


def _measured(run: Run) -> Iterator[Family]:
    """Yield what the checks measured of the target."""
    metrics = defaultdict[str, defaultdict[str, float]](lambda: defaultdict(float))
    for metric in _metrics(run):
        metrics[metric.name][metric.of] += metric.value  # two findings may count rows of one column
    for name, values in sorted(metrics.items()):
        samples = [({"resource": of}, value) for of, value in values.items()]
        yield Family(f"doctor_{name}", "Measured by a check.", samples)


def _metrics(run: Run) -> Iterator[Metric]:
    """Yield every number, those of findings that were left out too: a mute changes no measurement."""
    for result in run.current:
        for observation in result.observations:
            yield from observation.metrics
    yield from (finding.metric for finding in run.found if finding.metric is not None)


def _lines(family: Family) -> Iterator[str]:
    samples = list(family.samples)
    if not samples:
        return
    yield f"# HELP {family.name} {family.help}\n"
    yield f"# TYPE {family.name} gauge\n"
    for labels, value in samples:
        shown = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
        yield f"{family.name}{{{shown}}} {float(value)!r}\n" if shown else f"{family.name} {float(value)!r}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


REPORT = Report(name="prometheus", title="metrics for Prometheus and OpenMetrics", machine=True, render=render)

"""What had to be reached, and whether it was: the last check and the proof judge, never the repairs themselves."""

from __future__ import annotations

from collections.abc import Iterator

from doctor.api import ExitCode, exit_code, status_sentence
from doctor.reports.rca.document import Mark, Section, Table, Tone
from doctor.reports.rca.incident import HELD, Incident
from doctor.reports.rca.sections.status import sentence_facts


def section(incident: Incident) -> Section | None:
    """Return the criteria; nothing where nothing was repaired."""
    if not incident.is_repaired:
        return None
    rows = tuple((text, _mark(met, subject)) for text, met, subject in _criteria(incident))
    return Section("Success criteria", (Table(("criterion", "met"), rows),), tuple(sentence_facts(incident.run)))


def _mark(met: bool, subject: str) -> Mark:
    return Mark("yes" if met else "no", Tone.GOOD if met else Tone.BAD, subject)


def _criteria(incident: Incident) -> Iterator[tuple[str, bool, str]]:
    run = incident.run
    for cause in incident.causes:
        gone = all(map(incident.is_gone, cause.findings))
        yield f"root cause {cause.number}, {cause.name}, is gone", gone, cause.first.fingerprint
        for effect in cause.effects:
            found = effect.finding
            yield f"its effect is gone: {found.symptom}", incident.is_gone(found), found.fingerprint
    for finding in incident.left_over:
        yield f"repaired: {finding.symptom}", incident.is_gone(finding), finding.fingerprint
    yield "every repair held", all(repair.status in HELD for repair in run.repairs), ""
    for stage in run.verification.stages if run.verification is not None else ():
        yield f"canaries {stage.name}: {stage.count:,}, at least {stage.expected:,} needed", stage.passed, stage.name
    yield f"the last check passes ({status_sentence(run)})", exit_code(run) is ExitCode.OK, ""

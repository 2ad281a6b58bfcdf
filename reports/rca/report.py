"""A run as a report: the verdict, what it is of, and its sections."""

from __future__ import annotations

from doctor.api import ExitCode, Run, counted, exit_code, status_sentence, status_word, taken_back
from doctor.reports.rca.document import Document, Tone
from doctor.reports.rca.incident import Incident, moment
from doctor.reports.rca.sections import SECTIONS

PROVENANCE = (
    "Every number below was measured in this run, or counted from what was, unless it is marked as estimated or "
    "claimed."
)


def report_of(run: Run) -> Document:
    """Return the whole report of a run."""
    incident = Incident(run)
    sections = [section for make in SECTIONS if (section := make(incident)) is not None]
    notes = [PROVENANCE]
    if incident.taken_back:
        notes.append(
            f"{incident.taken_back}: what stands below about the time after them is how it was until then. "
            "`doctor check` says how it is now."
        )
    return Document(
        title=f"Root cause analysis: {run.target.name}",
        verdict=verdict(incident),
        tone=_tone(run),
        properties={"run": f"`{run.id}`", "started": moment(run.started_at), "doctor": run.version},
        notes=tuple(notes),
        sections=tuple(sections),
    )


def verdict(incident: Incident) -> str:
    """Return the one sentence that stands above all. A cause is removed when the last check no longer finds it."""
    run, causes = incident.run, incident.causes
    word = status_sentence(run)
    if not causes:
        lone = ", ".join(dict.fromkeys(finding.code for finding in incident.contributing))
        return f"{word}: no root cause found" + (f"; {lone} would worsen one" if lone else "")
    names = ", ".join(cause.name for cause in causes)
    many = counted(len(causes), "root cause")
    if incident.taken_back:
        return f"{many} ({names}); repaired, and {incident.taken_back}"
    if incident.are_removed and exit_code(run) is ExitCode.OK:
        proof = "; proved end to end" if run.verification and run.verification.passed else ""
        rest = "" if status_word(run) == "healthy" else f"; {word}"
        return f"repaired: {many} ({names}) removed{proof}{rest}"
    return f"{word}: {many}: {names}"


def _tone(run: Run) -> Tone:
    if taken_back(run) or status_word(run) in ("incomplete", "partial"):
        return Tone.OPEN
    return Tone.GOOD if exit_code(run) is ExitCode.OK else Tone.BAD

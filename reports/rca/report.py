"""A run as a report: the verdict, what it is of, and its sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from doctor.api import ExitCode, Run, counted, exit_code, status_sentence, status_word, taken_back
from doctor.reports.rca.document import Document, Items, Paragraph, Section, Tone, joined
from doctor.reports.rca.incident import Incident, moment
from doctor.reports.rca.lint import Objection, objections
from doctor.reports.rca.sections import SECTIONS
from doctor.reports.rca.shortening import shortened

PROVENANCE = (
    "Every number below was measured in this run, or counted from what was, unless it is marked as estimated or "
    "claimed."
)


LINTED = (
    "This report was read against the run record that it is made of: no number is without provenance, no two sections "
    "contradict each other, and nothing is called done that no later check bears out."
)


def report_of(run: Run) -> Document:
    """Return the whole report of a run."""
    incident = Incident(run)
    sections = [shortened(section) for make in SECTIONS if (section := make(incident)) is not None]
    notes = [PROVENANCE]
    if incident.taken_back:
        notes.append(
            f"{incident.taken_back}: what stands below about the time after them is how it was until then. "
            "`doctor check` says how it is now."
        )
    document = Document(
        title=f"Root cause analysis: {run.target.name}",
        verdict=verdict(incident),
        tone=_tone(run),
        properties={"run": f"`{run.id}`", "started": moment(run.started_at), "doctor": run.version},
        notes=tuple(notes),
        sections=tuple(sections),
    )
    return _edited(document, objections(document, run))


def _edited(document: Document, found: Sequence[Objection]) -> Document:
    """Return a report with what its lint says of it: above all where it objects, in the appendix where it does not."""
    *others, appendix = document.sections
    if not found:
        checked = Paragraph(LINTED)
        return replace(document, sections=(*others, replace(appendix, blocks=(*appendix.blocks, checked))))
    warning = "This report contradicts its own record, or says more than the record bears: see Objections."
    section = Section("Objections", (Items.of(*map(str, found)),))
    return replace(document, notes=(warning, *document.notes), sections=(section, *document.sections))


def verdict(incident: Incident) -> str:
    """Return the one sentence that stands above all. A cause is removed when the last check no longer finds it."""
    run, causes = incident.run, incident.causes
    word = status_sentence(run)
    if not causes:
        lone = ", ".join(dict.fromkeys(finding.code for finding in incident.contributing))
        return f"{word}: no root cause found" + (f"; {lone} would worsen one" if lone else "")
    names = joined((cause.name for cause in causes), ", ")
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

"""How to watch for it from now on."""

from __future__ import annotations

from doctor.api import Run, Severity
from doctor.reports.rca.document import Code, Fact, Paragraph, Section
from doctor.reports.rca.incident import Incident

EXIT_CODE = Fact("exit code of findings", 1, "the exit codes of doctor, which are a contract")


def section(incident: Incident) -> Section:
    """Return the commands that fail when any of this returns."""
    run = incident.run
    commands = [f"doctor check {watch(run)}"]
    chain = ""
    if run.target.stages:
        commands.append("doctor verify")
        chain = " `doctor verify` proves the whole chain with messages of its own, and removes them."
    if run.diagnosis.witnesses or incident.causes:
        commands.append("doctor triage --follow LOG")
        chain += " `doctor triage --follow LOG` names known lines of a log as they are written."
    text = f"The check exits with 1 when any of this returns. Run it in CI and after each deployment.{chain}"
    return Section("How to watch for it", (Code("\n".join(commands), "sh"), Paragraph(text)), (EXIT_CODE,))


def watch(run: Run) -> str:
    """Return the options of a check that fails when any of this comes back."""
    felt = [finding for finding in run.findings if finding.severity is not Severity.INFO]
    codes = ",".join(dict.fromkeys(finding.code for finding in felt)) or "ALL"
    lowest = min((finding.severity for finding in felt), key=lambda severity: severity.rank, default=Severity.ERROR)
    return f"--select {codes}{failing_on(lowest)}"


def failing_on(severity: Severity) -> str:
    """Return the option without which a check would let a finding of this severity pass; nothing where it fails."""
    return "" if severity.rank >= Severity.ERROR.rank else f" --fail-on {severity}"

"""The terminal: one line per area with its state, then the root causes with evidence and repair, then the rest.

The same words with and without colour.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TypeVar

from doctor.api import (
    Applicability,
    AreaState,
    CheckResult,
    ExitCode,
    Explained,
    Finding,
    Presentation,
    Repair,
    RepairStatus,
    Report,
    Role,
    Root,
    Run,
    Severity,
    Status,
    SuppressionKind,
    by_area,
    exit_code,
    fails_gate,
    printable,
    rich_console,
    rich_text,
    state_of,
    status_sentence,
    status_word,
    taken_back,
)
from doctor.reports.screen import console_of

T = TypeVar("T")

_COLORS = {
    Severity.CRITICAL: "bold white on red",
    Severity.ERROR: "bold red",
    Severity.WARNING: "yellow",
    Severity.INFO: "cyan",
}
_STATE_MARKS = {Status.PASS: ("✓", "green"), Status.SKIP: ("–", "dim"), Status.UNKNOWN: ("?", "magenta")}
_REPAIR_MARKS = {
    RepairStatus.VERIFIED: ("✓", "green"),
    RepairStatus.UNCHANGED: ("✓", "dim"),
    RepairStatus.PLANNED: ("→", "cyan"),
    RepairStatus.PARTIAL: ("!", "yellow"),
    RepairStatus.RESTART_NEEDED: ("!", "yellow"),
    RepairStatus.UNDONE: ("↩", "yellow"),
}
_EVIDENCE_SHOWN = 3
_OBSERVATIONS_SHOWN = 3
_ROOTS_SHOWN = 50
_FINDINGS_SHOWN = 20
"""Of one root, and under one word beside the roots; nobody reads more, and ``-v`` shows them all."""


def render(run: Run, presentation: Presentation) -> str:
    """Return the whole screen for one run."""
    buffer = io.StringIO()
    console = console_of(buffer, presentation)
    screen = _Screen(console, run, presentation)
    screen.show()
    return buffer.getvalue()


class _Screen:
    def __init__(self, console: rich_console.Console, run: Run, presentation: Presentation) -> None:
        self.console = console
        self.run = run
        self.presentation = presentation
        named = (fingerprint for root in run.diagnosis.roots for fingerprint in root.findings)
        self.places = {fingerprint: place for place, fingerprint in enumerate(dict.fromkeys(named))}

    def show(self) -> None:
        self._header()
        if not self.presentation.quiet and not self._nothing_asked:
            self._areas()
        if self.run.after is None:
            self._diagnosis()
        self._repairs()
        if self.run.after is not None:
            self._still_there()
        self._left_out()
        self._times()
        self._next()

    @property
    def _nothing_asked(self) -> bool:
        return all(result.status is Status.SKIP for result in self.run.current)

    def _line(self, text: rich_text.Text | str = "", *, indent: int = 0, hang: int = 0) -> None:
        """Print one paragraph; what does not fit goes on below, ``hang`` columns further right."""
        text = rich_text.Text(text) if isinstance(text, str) else text
        first, rest = self._split(text, self.presentation.width - indent)
        lines = [first, *(rest.wrap(self.console, self.presentation.width - indent - hang) if rest else ())]
        for number, line in enumerate(lines):
            line.rstrip()
            line.plain = printable(line.plain)
            self.console.print(rich_text.Text(" " * (indent + (hang if number else 0))) + line, soft_wrap=True)

    def _split(self, text: rich_text.Text, width: int) -> tuple[rich_text.Text, rich_text.Text]:
        """Return what fits on a first line, and the rest."""
        lines = text.wrap(self.console, width)
        if len(lines) < 2:
            return text, rich_text.Text()
        taken = len(lines[0].plain)
        while text.plain[taken : taken + 1] == " ":
            taken += 1
        return lines[0], text[taken:]

    def _header(self) -> None:
        run = self.run
        asked = sum(result.status is not Status.SKIP for result in run.current)
        styles = {"healthy": "bold green", "unhealthy": "bold red"}
        style = "bold yellow" if taken_back(run) else styles.get(status_word(run), "bold yellow")
        checks = f"   {run.target.name}   {asked} check{'s' * (asked != 1)} in {run.duration:.1f} s   "
        self._line(rich_text.Text.assemble((f"doctor {run.version}", "bold"), checks, (status_sentence(run), style)))
        endpoints = () if self.presentation.quiet else run.target.endpoints
        if endpoints:
            self._line()
        for endpoint in endpoints:
            self._line(_dim(f"{endpoint.kind:<11} {endpoint.address}   from {endpoint.origin}"), indent=4)

    def _areas(self) -> None:
        areas = by_area(self.run.current)
        if areas:
            self._line()
        for area, results in areas.items():
            state = state_of(results, self._place, shown=None if self.presentation.verbose else _OBSERVATIONS_SHOWN)
            mark, color = _area_mark(state)
            self._line(rich_text.Text.assemble(f"{area:<11} ", (f"{mark}  ", color), state.words), indent=4, hang=15)

    def _place(self, finding: Finding) -> int:
        """Where the diagnosis names a finding: the first root first."""
        return self.places.get(finding.fingerprint, len(self.places))

    def _shown(self, items: Sequence[T], most: int) -> Sequence[T]:
        """Return as many as a person reads."""
        return items if self.presentation.verbose else items[:most]

    def _more(self, items: Sequence[object], most: int, indent: int) -> None:
        """Say how many of them are not shown."""
        if len(items) > most and not self.presentation.verbose:
            self._line(_dim(f"and {len(items) - most:,} more; -v shows all"), indent=indent)

    def _diagnosis(self) -> None:
        roots = self.run.diagnosis.roots
        if roots:
            blocking = sum(bool(root.stages) for root in roots)
            note = "; each alone stops the chain" if blocking == len(roots) and len(roots) > 1 else ""
            order = "in chain order" if self.run.target.stages else "the gravest first"
            many = f"{len(roots)}, {order}{note}"
            self._heading("ROOT CAUSES" if len(roots) > 1 else "ROOT CAUSE", many if len(roots) > 1 else "1")
        for number, root in enumerate(self._shown(roots, _ROOTS_SHOWN), 1):
            self._root(number, root)
        self._more(roots, _ROOTS_SHOWN, 4)
        self._rest()

    def _root(self, number: int, root: Root) -> None:
        findings = [self.run.finding(one) for one in self._shown(root.findings, _FINDINGS_SHOWN)]
        first = findings[0]
        certainty = f"{first.severity} · {root.confidence}"
        if root.latent_behind is not None:
            certainty += f" · latent behind {root.latent_behind}"
        self._line()
        title = (f"{first.code} {self._name(first.code)}", _COLORS[first.severity])
        self._line(rich_text.Text.assemble((f"{number}  ", "bold"), title, (f"   {certainty}", "dim")), indent=4)
        for finding in findings:
            self._line(finding.symptom, indent=7)
            for evidence in finding.evidence[:_EVIDENCE_SHOWN]:
                self._line(_dim(f"{evidence.source}  {evidence.text}"), indent=9, hang=4)
        self._more(root.findings, _FINDINGS_SHOWN, 7)
        if root.stages:
            self._labelled("blocks", ", ".join(root.stages))
        self._explained("explains", root.effects)
        self._explained("made silent by", root.contributing)
        self._witnesses(root)
        self._repair_options(findings)
        if self.presentation.verbose:
            self._labelled("confidence", f"{root.confidence}: {root.confidence_rule}")

    def _explained(self, label: str, items: Sequence[Explained]) -> None:
        for item in self._shown(items, _FINDINGS_SHOWN):
            finding = self.run.finding(item.fingerprint)
            self._labelled(label, f"{finding.code}  {_placed(finding)}")
            label = ""
        self._more(items, _FINDINGS_SHOWN, 23)

    def _witnesses(self, root: Root) -> None:
        """Show the lines of logs that witness a root."""
        label = "witnessed by"
        for witness in self.run.diagnosis.witnesses:
            if set(witness.explained_by) & set(root.findings):
                self._labelled(label, f"{witness.signature} ×{witness.count:,}  {witness.place}  {witness.text}")
                label = ""

    def _logs(self) -> None:
        """Show the lines of logs that nothing explains, with what would have to be known."""
        label = "LOGS"
        for witness in self.run.diagnosis.witnesses:
            if witness.explained_by:
                continue
            line = f"{witness.severity}  {witness.title} ×{witness.count:,}  {witness.place}"
            self._line()
            self._line(rich_text.Text.assemble((f"{label:<14}", "bold"), line), indent=2, hang=14)
            for question in witness.questions:
                self._line(_dim(question), indent=16, hang=2)
            label = ""

    def _repair_options(self, findings: Sequence[Finding]) -> None:
        """Show the recommended repair of each finding, then what may be done in its place."""
        recommended = [option for finding in findings if (option := finding.recommended_fix)]
        others = [option for finding in findings for option in finding.fixes if option not in recommended]
        for label, options in (("repair", recommended), ("or", others)):
            for words, code in {f"{option.title} ({option.applicability})": option.code for option in options}.items():
                self._labelled(label, words)
                for line in code.splitlines():
                    # never broken: it is there to be copied
                    self.console.print(_dim(f"{' ' * 9}{printable(line)}".rstrip()), soft_wrap=True)

    def _rest(self) -> None:
        diagnosis = self.run.diagnosis
        for item in self._shown(diagnosis.unexplained, _FINDINGS_SHOWN):
            self._also("UNEXPLAINED", self.run.finding(item.fingerprint))
            for question in item.questions:
                self._line(_dim(question), indent=16, hang=2)
        self._more(diagnosis.unexplained, _FINDINGS_SHOWN, 16)
        shown = {contribution.fingerprint for root in diagnosis.roots for contribution in root.contributing}
        for label, fingerprints in (
            ("CONTRIBUTES", [item for item in diagnosis.contributing if item not in shown]),
            ("LEFT OVER", diagnosis.left_over),
            ("ALSO", diagnosis.advice),
        ):
            with_repair = label in ("CONTRIBUTES", "LEFT OVER")
            for fingerprint in self._shown(fingerprints, _FINDINGS_SHOWN):
                finding = self.run.finding(fingerprint)
                self._also(label, finding)
                if with_repair and (option := finding.recommended_fix):
                    self._line(_dim(f"repair  {option.title} ({option.applicability})"), indent=16, hang=2)
                label = ""
            self._more(fingerprints, _FINDINGS_SHOWN, 16)
        self._logs()
        self._unknown()
        self._ruled_out()

    def _ruled_out(self) -> None:
        """Show what it is not, where somebody asks what it is."""
        diagnosis = self.run.diagnosis
        asked = bool(diagnosis.roots or diagnosis.unexplained or self.presentation.verbose)
        if diagnosis.ruled_out and asked and not self.presentation.quiet:
            ruled_out = " · ".join(f"{item.hypothesis} ({item.evidence})" for item in diagnosis.ruled_out)
            self._heading("RULED OUT", ruled_out)

    def _left_out(self) -> None:
        """Show what was left out; what is merely old is counted above, and listed only when asked."""
        label = ""
        for each in self.run.suppressions:
            old = each.kind in (SuppressionKind.BASELINE, SuppressionKind.LAST_RUN)
            if (old and not self.presentation.verbose) or (
                self.presentation.quiet and each.kind is not SuppressionKind.MUTE
            ):
                continue
            new = "KNOWN" if old else "MUTED" if each.kind is SuppressionKind.MUTE else "IGNORED"
            until = f", until {each.until}" if each.until else ""
            said = f"{each.finding.code}  {each.finding.symptom} ({each.origin}: {each.reason}{until})"
            self._heading("" if new == label else new, said)
            label = new

    def _times(self) -> None:
        """Show how long each check took, the slowest first, where somebody asks for it."""
        asked = [result for result in self.run.current if result.status is not Status.SKIP]
        if self.presentation.verbose and asked:
            slowest = sorted(asked, key=lambda result: -result.duration)
            self._heading("TIMES", " · ".join(f"{result.code} {result.duration:.3f} s" for result in slowest))

    def _unknown(self) -> None:
        reasons: dict[str, list[CheckResult]] = {}
        for result in self.run.current:
            if result.status is Status.UNKNOWN:
                reasons.setdefault(result.reason, []).append(result)
        for reason, results in reasons.items():
            first = f"{results[0].code} {results[0].name}"
            names = first if len(results) == 1 else ", ".join(result.code for result in results)
            self._heading("COULD NOT TELL", f"{names}: {reason}")

    def _repairs(self) -> None:
        if self.run.repairs:
            self._heading("REPAIRS", f"{len(self.run.repairs)}, in the order in which they are made")
        for repair in self.run.repairs:
            mark, color = _REPAIR_MARKS.get(repair.status, ("✗", "bold red"))
            line = rich_text.Text.assemble(
                (f"{mark}  ", color), (repair.code, "bold"), f"  {repair.title}{_caution(repair)}"
            )
            self._line()
            self._line(line, indent=4, hang=3)
            self._line(_dim(f"{repair.status}: {repair.outcome}"), indent=7, hang=2)
            if repair.status is RepairStatus.PLANNED:
                self._preview(repair.preview)

    def _preview(self, preview: str) -> None:
        for line in preview.splitlines():
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
            self.console.print(rich_text.Text(" " * 9) + rich_text.Text(printable(line), style), soft_wrap=True)

    def _still_there(self) -> None:
        label = "STILL THERE"
        for finding in self._left():
            if finding.role is not Role.ADVICE:
                self._also(label, finding)
                label = ""
        self._unknown()

    def _left(self) -> list[Finding]:
        """Return what the last check found, in the order in which the diagnosis named it; what is new comes last."""
        diagnosis = self.run.diagnosis
        named = [one for root in diagnosis.roots for one in root.findings]
        named += [item.fingerprint for root in diagnosis.roots for item in (*root.effects, *root.contributing)]
        named += [item.fingerprint for item in diagnosis.unexplained]
        unique = dict.fromkeys((*named, *diagnosis.contributing, *diagnosis.left_over))
        place = {fingerprint: number for number, fingerprint in enumerate(unique)}
        found = [finding for result in self.run.current for finding in result.findings]
        return sorted(found, key=lambda finding: place.get(finding.fingerprint, len(place)))

    def _also(self, label: str, finding: Finding) -> None:
        if label:
            self._line()
        code = (finding.code, _COLORS[finding.severity])
        line = rich_text.Text.assemble((f"{label:<14}", "bold"), code, f"  {finding.severity}  {_placed(finding)}")
        self._line(line, indent=2, hang=14)

    def _next(self) -> None:
        if self._nothing_asked:
            reasons = "; ".join(dict.fromkeys(result.reason for result in self.run.current))
            why = f"{reasons}. Run doctor in the project's folder." if reasons else "no check was selected"
            self._heading("NOTHING TO CHECK", why)
        elif step := self._next_step():
            self._heading("NEXT", step)

    def _next_step(self) -> str:
        run = self.run
        by_status = {repair.status: repair for repair in run.repairs}
        planned = [repair for repair in run.repairs if repair.status is RepairStatus.PLANNED]
        if RepairStatus.UNDONE in by_status:
            return "doctor check     says how it is without the repairs that were taken back"
        if RepairStatus.RESTART_NEEDED in by_status:
            return "restart what still runs the old code, then doctor fix"
        if planned:
            return _how_to_apply(run, planned)
        if RepairStatus.PARTIAL in by_status:
            return f"doctor fix {by_status[RepairStatus.PARTIAL].code}     goes on where it stopped"
        if run.after is not None and exit_code(run) is not ExitCode.OK:
            return f"doctor explain {self._failing()}     says what to do; doctor report     writes the RCA"
        if run.after is not None:
            proof = "doctor verify     proves the chain end to end; " if run.target.stages else ""
            return f"{proof}doctor report     writes the RCA"
        if any(_is_applicable(finding) for result in run.current for finding in result.findings):
            return "doctor fix --diff     shows every change before it is made"
        if code := self._failing():
            return f"doctor explain {code}     says what to do"
        return ""

    def _failing(self) -> str:
        """Return the code of the first finding that fails the run; nothing where none does."""
        return next((one.code for one in self._left() if fails_gate(one.severity, self.run.fail_on)), "")

    def _heading(self, title: str, text: str) -> None:
        self._line()
        self._line(rich_text.Text.assemble((f"{title:<12}", "bold"), f"  {text}"), indent=2, hang=14)

    def _labelled(self, label: str, text: str) -> None:
        self._line(rich_text.Text.assemble((f"{label:<15} ", "bold"), text), indent=7, hang=16)

    def _name(self, code: str) -> str:
        return next((result.name for result in self.run.before if result.code == code), "")


def _dim(text: str) -> rich_text.Text:
    return rich_text.Text(text, "dim")


def _placed(finding: Finding) -> str:
    """Return the symptom, with ``path:line`` before it where it has one that the symptom does not name."""
    place = finding.resource.location
    return f"{place}  {finding.symptom}" if place and place not in finding.symptom else finding.symptom


def _area_mark(state: AreaState) -> tuple[str, str]:
    if state.severity is None:
        return _STATE_MARKS[state.status]
    return "·" if state.severity is Severity.INFO else "●", _COLORS[state.severity].removeprefix("bold ")


def _caution(repair: Repair) -> str:
    return "" if repair.applicability is Applicability.SAFE else f" ({repair.applicability})"


def _how_to_apply(run: Run, planned: Sequence[Repair]) -> str:
    """Return the command that makes the planned repairs, and says which of them it leaves out.

    A repair that stands in for a recommended one that is a person's is made only when its code is named.
    """
    fingerprints = {repair.fingerprint for repair in planned}
    recommended = [one.recommended_fix for one in run.findings if one.fingerprint in fingerprints]
    by_name = any(option is not None and option.applicability is Applicability.MANUAL for option in recommended)
    command = " ".join(("doctor fix", *(sorted({one.code for one in planned}) if by_name else ()), "--yes"))
    safe = sum(repair.applicability is Applicability.SAFE for repair in planned)
    unsafe = sum(repair.applicability is Applicability.UNSAFE for repair in planned)
    if safe and unsafe:
        need = "needs" if unsafe == 1 else "need"
        return f"{command}     makes {safe} of these changes; {unsafe} {need} --unsafe-fixes as well"
    unsafe_too = " --unsafe-fixes" if unsafe else ""
    return f"{command}{unsafe_too}     makes these changes; doctor undo takes back what they write"


def _is_applicable(finding: Finding) -> bool:
    option = finding.recommended_fix
    return option is not None and option.applicability is not Applicability.MANUAL and finding.role is not Role.ADVICE


REPORT = Report(name="text", title="for people, on a terminal", machine=False, render=render)

"""What logs tell, on the terminal: known problems with their possible causes, errors that nothing knows, the rest."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterable

from doctor.api import (
    LogGroup,
    LogIssue,
    LogRate,
    LogReport,
    LogSample,
    LogSignal,
    LogSummary,
    Occurrences,
    Presentation,
    Severity,
    counted,
    printable,
    rich_console,
    rich_text,
)
from doctor.reports.screen import console_of

_COLORS = {
    Severity.CRITICAL: "bold white on red",
    Severity.ERROR: "bold red",
    Severity.WARNING: "yellow",
    Severity.INFO: "cyan",
}
_BARS = "▁▂▃▄▅▆▇█"
_MOST_BARS = 32
_ERRORS, _OTHERS, _SAMPLES = 20, 10, 2
_LABEL = 15
"""Columns of the words at the left of an issue's lines."""


def render(summary: LogSummary, presentation: Presentation) -> str:
    """Return the whole screen."""
    buffer = io.StringIO()
    console = console_of(buffer, presentation)
    _Screen(console, summary, presentation).show()
    return buffer.getvalue()


class _Screen:
    def __init__(self, console: rich_console.Console, summary: LogSummary, presentation: Presentation) -> None:
        self.console = console
        self.summary = summary
        self.presentation = presentation
        self.groups = {group.id: group for group in summary.groups}
        firsts = [issue.signature for issue in summary.issues if not issue.caused_by]
        self.numbers = {signature: number for number, signature in enumerate(firsts, 1)}

    def show(self) -> None:
        self._header()
        self._issues()
        self._errors()
        if not self.presentation.quiet:
            self._signals("WORKED", self.summary.progress)
            self._signals("NOISE", self.summary.noise)
            self._others()
            self._redactions()
        self._problems()
        self._next()

    def _line(self, text: str = "", *, indent: int = 0, hang: int = 0, style: str = "") -> None:
        """Print one paragraph; what does not fit goes on below, ``hang`` columns further right."""
        width = max(40, self.presentation.width)
        lines = textwrap.wrap(
            printable(text).replace("\n", " "),
            width,
            initial_indent=" " * indent,
            subsequent_indent=" " * (indent + hang),
            drop_whitespace=True,
            break_on_hyphens=False,
        )
        for line in lines or [""]:
            self.console.print(rich_text.Text(line, style=style), soft_wrap=True)

    def _labelled(self, label: str, text: str, hang: int = 0) -> None:
        self._line(f"{label:<{_LABEL}}{text}", indent=7, hang=_LABEL + hang)

    def _title(self, name: str, rest: str = "") -> None:
        self._line()
        self._line(f"{name}   {rest}".rstrip(), indent=2, style="bold")

    def _header(self) -> None:
        summary = self.summary
        what = f"{counted(summary.lines, 'line')}, {counted(summary.records, 'record')}"
        inputs = summary.inputs[0].name if len(summary.inputs) == 1 else counted(len(summary.inputs), "input")
        self._line(f"doctor {summary.version}   {inputs}   {what}{_between(summary.first, summary.last)}", style="bold")

    def _issues(self) -> None:
        if not self.summary.issues:
            self._title("KNOWN PROBLEMS", "none of the lines that are known as problems")
            return
        effects = len(self.summary.issues) - len(self.numbers)
        follow = f"; {counted(effects, 'effect')} below their causes" if effects else ""
        self._title("KNOWN PROBLEMS", f"{len(self.numbers)}, in the order of what must work first{follow}")
        for issue in self.summary.issues:
            if not issue.caused_by:
                self._issue(issue)

    def _issue(self, issue: LogIssue) -> None:
        self._line()
        head = (
            f"{self.numbers[issue.signature]}  {issue.signature}   {issue.severity} · {issue.confidence}   {issue.area}"
        )
        self._line(f"{head}   {_often(issue.occurrences)}", indent=4, style=_COLORS[issue.severity])
        self._line(issue.title, indent=7)
        self._samples(issue.occurrences.samples)
        self._sites(issue.groups)
        label = "may be"
        for hypothesis in issue.hypotheses:
            self._labelled(label, f"{hypothesis.check or 'no check':<8} {hypothesis.statement}", hang=9)
            label = "or"
        self._about(issue)
        if self.presentation.verbose:
            self._labelled("rule", issue.confidence_rule)

    def _about(self, issue: LogIssue) -> None:
        if issue.resources:
            self._labelled("speaks of", _times(issue.resources.items()))
        if len(issue.occurrences.services) > 1:
            self._labelled("services", _times(issue.occurrences.services.items()))
        effects = [one for one in self.summary.issues if issue.signature in one.caused_by]
        if effects:
            self._labelled("explains", _times((one.signature, one.occurrences.count) for one in effects))
        if issue.independent_of:
            self._labelled("independent", f"of {self._others_of(issue)}: no known path joins them")
        if issue.note:
            self._labelled("note", issue.note)

    def _others_of(self, issue: LogIssue) -> str:
        numbers = sorted(self.numbers[other] for other in issue.independent_of)
        if len(numbers) == len(self.numbers) - 1 > 2:
            return "all others"
        return ", ".join(map(str, numbers))

    def _samples(self, samples: Iterable[LogSample]) -> None:
        for sample in list(samples)[:_SAMPLES]:
            self._line(f"{sample.source}:{sample.line}  {sample.text}", indent=9, hang=2)

    def _sites(self, groups: Iterable[str]) -> None:
        sites = {
            f"{site.path}:{site.line}  in {site.function}": site.lost
            for name in groups
            if name in self.groups
            for site in self.groups[name].sites
        }
        for place, lost in list(sites.items())[:3]:
            self._line(f"{place}{'  (its arguments are lost)' if lost else ''}", indent=9, hang=2)

    def _errors(self) -> None:
        errors = self.summary.unexplained
        if not errors:
            return
        self._title("OTHER ERRORS", f"{counted(len(errors), 'group')} that no known signature covers")
        for group in errors if self.presentation.verbose else errors[:_ERRORS]:
            self._line()
            self._group(group)
            self._line(f"{group.shown or group.template}", indent=7)
            for exception in group.exceptions[-2:]:
                self._line(exception, indent=9, hang=2)
            self._samples(group.occurrences.samples[:1])
            self._sites([group.id])
            if group.endpoints:
                self._labelled("endpoints", " · ".join(group.endpoints[:5]))
            if group.together:
                self._labelled("together with", " · ".join(group.together))

    def _group(self, group: LogGroup) -> None:
        style = _COLORS[Severity.ERROR] if group.level in ("error", "critical") else ""
        self._line(f"{group.id}  {group.level or '–'}   {_often(group.occurrences)}", indent=4, style=style)

    def _signals(self, title: str, signals: tuple[LogSignal, ...]) -> None:
        if signals:
            told = (f"{signal.signature} ×{signal.occurrences.count:,}" for signal in signals)
            self._line()
            self._line(f"{title:<13} {' · '.join(told)}", indent=2, hang=14)

    def _others(self) -> None:
        explained = {group.id for group in self.summary.unexplained}
        others = [group for group in self.summary.groups if group.id not in explained and not group.signatures]
        if not others:
            return
        shown = others if self.presentation.verbose else others[:_OTHERS]
        more = f", {len(shown)} shown; -v shows all" if len(shown) < len(others) else ""
        self._title("OTHER LINES", f"{counted(len(others), 'group')}{more}")
        for group in shown:
            level = group.level or "–"
            self._line(f"{group.occurrences.count:>9,}  {level:<8} {group.shown or group.template}", indent=4, hang=20)

    def _redactions(self) -> None:
        if self.summary.redactions:
            self._line()
            self._line(f"{'TAKEN OUT':<13} {_times(self.summary.redactions.items())}", indent=2, hang=14)

    def _problems(self) -> None:
        summary = self.summary
        notes = [*summary.problems, *summary.notes]
        if summary.unkept_records:
            notes.append(f"{counted(summary.unkept_records, 'record')} of further groups are counted and not kept")
        if notes:
            self._title("READ WITH CARE")
            for note in notes:
                self._line(note, indent=4, hang=2)

    def _next(self) -> None:
        codes = sorted({one.check for issue in self.summary.issues for one in issue.hypotheses if one.check})
        if codes:
            self._line()
            self._line(f"{'NEXT':<13} measure which of them it is; a log alone proves none:", indent=2)
            self.console.print(f"{'':16}doctor check --select {','.join(codes)}", soft_wrap=True)  # whole, to be copied


def _often(occurrences: Occurrences) -> str:
    between = _between(occurrences.first, occurrences.last)
    return f"×{occurrences.count:,}{between}  {_bars(occurrences.rate)}".rstrip()


def _between(first: str, last: str) -> str:
    if not first:
        return ""
    if first == last:
        return f"   {first}"
    same_day = first[:10] == last[:10]
    return f"   {first} to {last[11:] if same_day else last}"


def _bars(rate: LogRate) -> str:
    """Draw a rate, at most so wide, of steps that are put together."""
    counts = rate.counts
    if len(counts) < 2:
        return ""
    wide = -(-len(counts) // _MOST_BARS)
    sums = [sum(counts[start : start + wide]) for start in range(0, len(counts), wide)]
    most = max(sums)
    return "".join(" " if not one else _BARS[(one * len(_BARS) - 1) // most] for one in sums)


def _times(counts: Iterable[tuple[str, int]]) -> str:
    return " · ".join(f"{name or '–'} ×{count:,}" for name, count in counts)


LOG_REPORT = LogReport("text", "for people, on the terminal", machine=False, render=render)

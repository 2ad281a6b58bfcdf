"""The RCA report in Markdown: one run, told from the verdict to the success criteria. Rendered from the run and
nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from doctor.api import (
    CheckResult,
    Confidence,
    Evidence,
    ExitCode,
    Explained,
    Finding,
    FixOption,
    Presentation,
    Repair,
    RepairStatus,
    Report,
    Role,
    Root,
    Run,
    Severity,
    Status,
    by_area,
    exit_code,
    state_of,
    status_sentence,
    status_word,
    taken_back,
)

_SPECIAL = re.compile(r"([\\*_\[\]<>|#&~])")
_BLOCK_START = re.compile(r"[0-9]{1,9}(?=[.)])|(?=[-+=])")
_CODE = re.compile(r"(?<!`)`([^`|]+)`(?!`)")
_HELD = (RepairStatus.VERIFIED, RepairStatus.UNCHANGED)


@dataclass(frozen=True, slots=True)
class _Effect:
    finding: Finding
    how: str


@dataclass(frozen=True, slots=True)
class _RootView:
    code: str
    name: str
    findings: Sequence[Finding]
    stages: Sequence[str]
    confidence: Confidence
    confidence_rule: str
    latent_behind: int | None
    effects: Sequence[_Effect]
    contributing: Sequence[_Effect]
    options: Sequence[FixOption]

    @property
    def first(self) -> Finding:
        return self.findings[0]

    @property
    def evidence(self) -> Sequence[Evidence]:
        """What speaks for it, each place once."""
        found = [evidence for finding in self.findings for evidence in finding.evidence]
        return list({(evidence.source, evidence.text): evidence for evidence in found}.values())


def render(run: Run, presentation: Presentation) -> str:
    """Return the report, ending in a newline."""
    roots = [_root_view(run, root) for root in run.diagnosis.roots]
    text = _template().render(
        run=run,
        verdict=_verdict(run, roots),
        roots=roots,
        independent=len(roots) > 1 and all(root.stages for root in roots),
        areas=_areas(run),
        impacts=_impacts(run, roots),
        graph=_graph(run, roots),
        contributing=_contributing(run),
        left_over=[run.finding(fingerprint) for fingerprint in run.diagnosis.left_over],
        unexplained=[
            {"finding": run.finding(item.fingerprint), "questions": item.questions}
            for item in run.diagnosis.unexplained
        ],
        unknown=[result for result in run.before if result.status is Status.UNKNOWN],
        advice=[run.finding(fingerprint) for fingerprint in run.diagnosis.advice],
        measured=_before_and_after(run),
        criteria=_criteria(run, roots),
        files=_files(run),
        still_open=_still_open(run),
        watch=_watch(run),
        taken_back=taken_back(run),
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip().replace(_HELD_LINE, "") + "\n"


def escape(text: object) -> str:
    """Return text that Markdown shows as it is, on one line: nothing in it can open a table cell, a link or a tag.

    Text between two single backticks stays code; any other backtick becomes an apostrophe.
    """
    parts = _CODE.split(" ".join(str(text).split()))
    shown = [
        f"`{part}`" if index % 2 else _SPECIAL.sub(r"\\\1", part.replace("`", "'")) for index, part in enumerate(parts)
    ]
    line = "".join(shown)
    start = _BLOCK_START.match(line)
    return f"{line[: start.end()]}\\{line[start.end() :]}" if start else line


def fenced(text: str, language: str = "") -> str:
    """Return text as a code block whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{_LANGUAGES.get(language, language)}\n{text.rstrip()}\n{fence}"


def _held_fence(text: str, language: str = "") -> str:
    """Return :func:`fenced` text whose empty lines survive the tidying of the page."""
    return re.sub(r"^$", _HELD_LINE, fenced(text.replace(_HELD_LINE, ""), language), flags=re.MULTILINE)


_HELD_LINE = "\0"
_LANGUAGES = {"code": "", "http": "", "nats": "", "process": "", "config": "", "log": "", "git": "", "sql": ""}


@cache
def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # no other format needs it

    environment = Environment(
        loader=PackageLoader("doctor.reports"),
        autoescape=False,  # noqa: S701 - Markdown, escaped by the filter `md`
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(md=escape, fenced=_held_fence, location=_location, language=_language)
    return environment.get_template("rca.md.j2")


def _root_view(run: Run, root: Root) -> _RootView:
    findings = [run.finding(fingerprint) for fingerprint in root.findings]
    return _RootView(
        code=root.code,
        name=_name(run, root.code),
        findings=findings,
        stages=root.stages,
        confidence=root.confidence,
        confidence_rule=root.confidence_rule,
        latent_behind=root.latent_behind,
        effects=_explained(run, root.effects),
        contributing=_explained(run, root.contributing),
        options=list({option.title: option for finding in findings for option in finding.fixes}.values()),
    )


def _explained(run: Run, items: Sequence[Explained]) -> list[_Effect]:
    return [_Effect(run.finding(item.fingerprint), item.how) for item in items]


def _contributing(run: Run) -> list[Finding]:
    """Return what would worsen a cause and stands with no root of this run."""
    shown = {item.fingerprint for root in run.diagnosis.roots for item in root.contributing}
    return [run.finding(one) for one in run.diagnosis.contributing if one not in shown]


def _name(run: Run, code: str) -> str:
    return next((result.name for result in run.before if result.code == code), "")


def _location(finding: Finding) -> str:
    place = finding.resource.location
    return f"`{place}` ({finding.resource.id})" if place else f"{finding.resource.kind} `{finding.resource.id}`"


def _language(repair: Repair) -> str:
    return "diff" if repair.preview.startswith(("---", "diff")) else "sql"


def _verdict(run: Run, roots: Sequence[_RootView]) -> str:
    word = status_sentence(run)
    if not roots:
        lone = ", ".join(dict.fromkeys(finding.code for finding in _contributing(run)))
        return f"{word}: no root cause found" + (f"; {lone} would worsen one" if lone else "")
    names = ", ".join(root.name for root in roots)
    many = f"{len(roots)} root cause{'s' if len(roots) > 1 else ''}"
    if taken_back(run):
        return f"{many} ({names}); repaired, and {taken_back(run)}"
    if run.repairs and exit_code(run) is ExitCode.OK:
        proof = "; proved end to end" if run.verification and run.verification.passed else ""
        rest = "" if status_word(run) == "healthy" else f"; {word}"
        return f"repaired: {many} ({names}) removed{proof}{rest}"
    return f"{word}: {many}: {names}"


def _impacts(run: Run, roots: Sequence[_RootView]) -> list[str]:
    """Return what users of the pipeline feel: the effects first, then what else the findings say, each with the codes
    that it comes from. What a hidden cause blocks is not felt yet, only once the causes before it are gone."""
    effects = [effect.finding for root in roots for effect in root.effects]
    hidden = {finding.fingerprint for root in roots if root.latent_behind for finding in root.findings}
    ordered = [*effects, *(finding for root in roots for finding in root.findings), *run.findings]
    codes: dict[str, dict[str, None]] = {}
    for finding in ordered:
        for impact in finding.impacts:
            later = ", once the causes before it are gone" if finding.fingerprint in hidden else ""
            codes.setdefault(impact, {})[finding.code + later] = None
    return [f"{impact} ({'; '.join(sources)})" for impact, sources in codes.items()]


def _areas(run: Run) -> list[dict[str, str]]:
    after = by_area(run.after or ())
    return [
        {"area": name, "before": _area(results), "after": _area(after.get(name, ()))}
        for name, results in by_area(run.before).items()
    ]


def _area(own: Sequence[CheckResult]) -> str:
    if not own:
        return ""
    findings = [finding for result in own for finding in result.findings]
    if findings:
        codes = ", ".join(dict.fromkeys(finding.code for finding in findings))
        return f"{len(findings)} finding{'s' if len(findings) > 1 else ''}: {codes}"
    state = state_of(own, lambda _finding: 0)
    if state.status is Status.UNKNOWN:
        return "could not tell"
    return f"ok: {state.words}" if state.status is Status.PASS else state.words


def _graph(run: Run, roots: Sequence[_RootView]) -> str:
    """Return the causal graph as Mermaid; node texts are reduced to what Mermaid cannot misread."""
    if not roots:
        return ""
    lines = ["flowchart TD"]
    for number, root in enumerate(roots, 1):
        lines.append(f'    R{number}["{number}. {root.code} {root.name}"]')
        if root.latent_behind:
            lines.append(f"    R{root.latent_behind} -. hides .-> R{number}")
        for effect in root.effects:
            node = f"F{effect.finding.fingerprint}"
            lines.append(f'    R{number} --> {node}["{effect.finding.code} {_mermaid(effect.finding.symptom)}"]')
        for amplifier in root.contributing:
            node, code = f"F{amplifier.finding.fingerprint}", amplifier.finding.code
            lines.append(f'    {node}(["{code} {_name(run, code)}"]) -. silences .-> R{number}')
    for fingerprint in run.diagnosis.left_over:
        finding = run.finding(fingerprint)
        lines.append(f'    F{fingerprint}[("{finding.code} {_mermaid(finding.symptom)}")]')
    return "\n".join(dict.fromkeys(lines))


def _mermaid(text: str) -> str:
    return re.sub(r"[^\w .,:;/()%-]", "", text)[:90]


def _before_and_after(run: Run) -> list[dict[str, str]]:
    if run.after is None:
        return []
    after = {result.code: result for result in run.after}
    rows = [
        {"code": r.code, "name": r.name, "before": _state(r), "after": _state(after[r.code]) if r.code in after else ""}
        for r in run.before
        if r.findings or (r.code in after and after[r.code].status is not r.status)
    ]
    return [row for row in rows if row["before"] != row["after"]]


def _state(result: CheckResult) -> str:
    if result.findings:
        return "; ".join(finding.symptom for finding in result.findings)
    words = " · ".join(observation.text for observation in result.observations)
    return f"{result.status}: {words or result.reason}" if words or result.reason else str(result.status)


def _criteria(run: Run, roots: Sequence[_RootView]) -> list[dict[str, object]]:
    if run.after is None:
        return []
    present = {finding.fingerprint for result in run.after for finding in result.findings}
    rows: list[dict[str, object]] = []
    for number, root in enumerate(roots, 1):
        gone = not any(finding.fingerprint in present for finding in root.findings)
        rows.append({"criterion": f"root cause {number}, {root.name}, is gone", "met": gone})
        rows += [
            {
                "criterion": f"its effect is gone: {effect.finding.symptom}",
                "met": effect.finding.fingerprint not in present,
            }
            for effect in root.effects
        ]
    for fingerprint in run.diagnosis.left_over:
        rows.append({"criterion": f"repaired: {run.finding(fingerprint).symptom}", "met": fingerprint not in present})
    rows.append({"criterion": "every repair held", "met": all(repair.status in _HELD for repair in run.repairs)})
    if run.verification is not None:
        rows += [
            {
                "criterion": f"canaries {stage.name}: {stage.count}, at least {stage.expected} needed",
                "met": stage.passed,
            }
            for stage in run.verification.stages
        ]
    rows.append({"criterion": f"the last check passes ({status_sentence(run)})", "met": exit_code(run) is ExitCode.OK})
    return rows


def _still_open(run: Run) -> list[Finding]:
    """Return what the last check of a repaired run still finds."""
    return [f for result in run.after or () for f in result.findings if f.role is not Role.ADVICE]


def _watch(run: Run) -> str:
    """Return the options of a check that fails when any of this comes back."""
    felt = [finding for finding in run.findings if finding.severity is not Severity.INFO]
    codes = ",".join(dict.fromkeys(finding.code for finding in felt)) or "ALL"
    lowest = min((finding.severity for finding in felt), key=lambda severity: severity.rank, default=Severity.ERROR)
    return f"--select {codes}" + (" --fail-on warning" if lowest is Severity.WARNING else "")


def _files(run: Run) -> list[str]:
    applied = [repair for repair in run.repairs if repair.status in (*_HELD, RepairStatus.RESTART_NEEDED)]
    return sorted({place for repair in applied for place in repair.touched if place.endswith(".py")})


REPORT = Report(name="markdown", title="the root-cause report", machine=False, render=render)

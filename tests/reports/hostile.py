"""A run whose texts from outside are all hostile, for every format that must show them as they are."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from typing import Any

from doctor.model import CheckResult, Finding, Run, StageResult, Status, Verification
from tests.example_runs import repaired_run, result, run_of, stalled

HOSTILE = [
    "a | b || c",
    "`",
    "a ` b",
    "``a`` `b` ```c```",
    "````\nsh\n````",
    "```\n# Heading\n```",
    "~~~\nx\n~~~",
    "]]>",
    "<script>alert(1)</script>",
    "<!-- comment",
    "</details><h1>x</h1>",
    "`a`` <b>x</b> ```",
    "`a`` [x](http://x) ```",
    "[text](javascript:alert(1)) ![image](http://x/y.png)",
    "<http://x.example>",
    "one\ntwo\n\nthree\r\nfour",
    "# heading\n\n- item\n\n---\n\n1. one",
    "- item",
    "+ item",
    "1. one",
    "1) one",
    "> quote",
    "---",
    "===",
    "    code",
    "\ttab",
    "*a* **b** _c_ __d__ ~~e~~",
    "\\| \\` \\",
    "&lt;b&gt; &amp; &#124;",
    "{{ run.id }} {% if %}",
    "%s %(x)s {0}",
    "| a | b |\n|---|---|\n| c | d |",
    "\u2028line\u2029separators\x0bx\x0cy",
    "[a]: http://x",
]
"""What text from outside may try."""

KEPT = (
    *("id", "code", "name", "area", "fingerprint", "findings", "check", "fix", "version", "schema_version", "fail_on"),
    *("marker", "configuration_fingerprint", "versions", "kind", "blocked_by", "path"),
)
"""What the doctor makes itself: never text from outside."""


def with_text(value: Any, text: str) -> Any:
    """Return the value with ``text`` added to each text that may come from outside."""
    if type(value) is str:
        if re.fullmatch("[0-9a-f]{12}", value):
            return value  # a fingerprint
        return f"{value} {text}"
    if is_dataclass(value) and not isinstance(value, type):
        changed = {
            each.name: with_text(getattr(value, each.name), text) for each in fields(value) if each.name not in KEPT
        }
        return replace(value, **changed)
    if isinstance(value, tuple):
        return tuple(with_text(item, text) for item in value)
    return value


def whole_story() -> Run:
    """Return a run that fills every part of the report, of texts that are joined to nothing."""
    run = repaired_run()
    unexplained = result("CHN002", stalled("extracted"))
    unknown = CheckResult("WRK001", "worker-not-consuming", "worker", Status.UNKNOWN, reason="no answer")
    stages = (StageResult("saved", 15, 15, True, 0.4, "all"), StageResult("scored", 3, 15, False, 60.0, "no more"))
    return replace(
        run,
        before=(*run.before, unexplained, unknown),
        diagnosis=replace(run.diagnosis, unexplained=run_of((unexplained,)).diagnosis.unexplained),
        verification=Verification("canary-0123456789", 15, stages, False, "scored", "3 of 15"),
    )


def hostile_story(text: str) -> Run:
    """Return the same run with a text in each of its texts; fingerprints still lead to findings."""
    run = whole_story()
    texts = {"symptom": text, "cause": text, "rule": text, "validation": text}

    def changed(finding: Finding) -> Finding:
        marked = {name: f"{getattr(finding, name)} {value}" for name, value in texts.items()}
        evidence = tuple(
            replace(each, text=f"{each.text}\n{text}", source=f"{each.source} {text}") for each in finding.evidence
        )
        options = tuple(with_text(option, text) for option in finding.fixes)
        return replace(
            finding,
            **marked,
            evidence=evidence,
            fixes=options,
            impacts=tuple(with_text(each, text) for each in finding.impacts),
        )

    def results(of: tuple[CheckResult, ...]) -> tuple[CheckResult, ...]:
        return tuple(
            replace(
                each,
                findings=tuple(map(changed, each.findings)),
                observations=tuple(with_text(item, text) for item in each.observations),
                reason=f"{each.reason} {text}",
            )
            for each in of
        )

    return replace(
        run,
        target=with_text(run.target, text),
        before=results(run.before),
        after=results(run.after or ()),
        diagnosis=with_text(run.diagnosis, text),
        repairs=tuple(
            replace(
                each,
                title=f"{each.title} {text}",
                outcome=f"{each.outcome} {text}",
                preview=f"{each.preview}\n{text}",
                touched=(*each.touched, f"{text} x.py"),
            )
            for each in run.repairs
        ),
        verification=with_text(run.verification, text),
    )

"""Every command, format and outcome: the exit code, what stands on which stream, and whether it can be read.

The outcomes come from a check that does what it is told; everything around it is the doctor as it is called.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from doctor.cli import COMMANDS
from doctor.commands import output
from doctor.main import main
from doctor.plugins import load_registry
from tests import forked_doctor
from tests.command_line import PAGE
from tests.reports.sarif_shape import Log
from tests.reports.test_json_document import SCHEMA
from tests.reports.test_other_formats import LINES, PLUGIN_OUTPUT

CHECKS = """
import asyncio
import signal

from doctor.api import Evidence, EvidenceKind, Finding, Mechanism, Observation, Resource, Severity, check, hookimpl


def found(code):
    evidence = (Evidence(EvidenceKind.CONFIG, ".env:2", "told"),)
    resource = Resource("service", "x|<b>")
    return Finding(code, resource, "it is sick\\x1b[31m", "told to", Severity.ERROR, evidence=evidence)


@check("ZZZ001", "does-as-told", severity=Severity.ERROR, tags=["static"])
async def does_as_told(environment):
    outcome = environment.get("OUTCOME").value
    if outcome == "unknown":
        raise RuntimeError("it could not look")
    if outcome == "interrupted":
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(60)
    if outcome == "findings":
        yield found("ZZZ001")
    yield Observation("it looked")


BROKEN = Mechanism("ZZZ002", "ZZZ002", "", None)


@check("ZZZ002", "crashes-the-diagnosis", severity=Severity.ERROR, tags=["static"], mechanisms=[BROKEN])
def crashes_the_diagnosis(environment):
    yield found("ZZZ002")


@hookimpl
def doctor_checks():
    return [does_as_told, crashes_the_diagnosis]
"""


def _openmetrics(text: str) -> None:
    assert list(text_string_to_metric_families(text))


def _json_lines(text: str) -> None:
    assert [error.message for line in text.splitlines() for error in LINES.iter_errors(json.loads(line))] == []


def _json(text: str) -> None:
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(json.loads(text))] == []


def _github(text: str) -> None:
    assert all(re.match(r"::(error|warning|notice) file=", line) for line in text.splitlines())


def _concise(text: str) -> None:
    assert re.fullmatch(r"(.+\n)*(healthy|unhealthy|incomplete|partial|warnings): .+\n", text)


def _html(text: str) -> None:
    assert text.lstrip().lower().startswith("<!doctype html")


READERS: dict[str, Callable[[str], Any]] = {
    "concise": _concise,
    "github": _github,
    "gitlab": json.loads,
    "html": _html,
    "json": _json,
    "jsonl": _json_lines,
    "junit": lambda text: ElementTree.fromstring(text.encode()),
    "markdown": MarkdownIt().parse,
    "nagios": lambda text: pytest.fail(text) if not PLUGIN_OUTPUT.fullmatch(text) else None,
    "prometheus": _openmetrics,
    "sarif": Log.model_validate_json,
    "text": lambda text: None,
}
FORMATS = sorted(load_registry(entry_points=False).reports)

OUTCOMES = {"clean": 0, "findings": 1, "unknown": 3}
NAGIOS = {"clean": 0, "findings": 2, "unknown": 3}


@pytest.fixture(autouse=True)
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A target without source, whose one check does as it is told; this process is left as it was."""
    folder = tmp_path / "a tärget"
    folder.mkdir()
    (folder / "rules.py").write_text(PAGE + CHECKS)
    (folder / "doctor.toml").write_text('plugins = ["rules.py"]\n')
    monkeypatch.chdir(folder)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    plugins = list(output._registry)
    yield folder
    output._registry[:] = plugins


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call the command line in this process and return code, stdout and stderr."""

    def run(*words: str, outcome: str = "clean") -> tuple[int, str, str]:
        monkeypatch.setenv("OUTCOME", outcome)
        code = main(list(words))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_every_format_has_a_reader():
    assert set(FORMATS) <= set(READERS)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_check_says_the_same_in_every_format(call: Call, form: str, outcome: str):
    code, out, err = call("check", "--select", "ZZZ001", "--format", form, outcome=outcome)
    assert (code, err) == ((NAGIOS if form == "nagios" else OUTCOMES)[outcome], ""), out
    assert out or (form, outcome) == ("github", "clean")
    assert "\x1b" not in out
    READERS[form](out)


def test_several_formats_at_once_go_each_to_its_file_and_the_code_is_that_of_stdout(call: Call, target: Path):
    words = [word for form in FORMATS for word in ("--format", f"{form}:out/{form}")]
    code, out, err = call("check", "--select", "ZZZ001", *words, outcome="findings")
    assert (code, out, err) == (1, "", "")
    for form in FORMATS:
        READERS[form]((target / "out" / form).read_text(encoding="utf-8"))


@pytest.mark.parametrize("form", FORMATS)
def test_a_bug_and_a_wrong_option_leave_stdout_empty(call: Call, form: str):
    code, out, err = call("check", "--select", "ZZZ002", "--format", form)
    assert (code, out) == (4, "")
    assert err.endswith("This is a bug of doctor itself, not of the target.\n")
    code, out, err = call("check", "--fail-on", "loud", "--format", form)
    assert (code, out) == (2, "")
    assert "'loud' is not one of" in err


@pytest.mark.parametrize("form", ["text", "json", "sarif"])
def test_an_interrupt_leaves_stdout_empty_and_no_record(target: Path, form: str):
    interrupted = {"OUTCOME": "interrupted"}
    done = forked_doctor.run("check", "--select", "ZZZ001", "--format", form, cwd=target, extra=interrupted)
    assert (done.returncode, done.stdout, done.stderr.split()) == (130, "", ["interrupted"])
    assert not (target / ".doctor" / "runs").exists()


def test_a_github_job_gets_its_summary_whatever_else_is_written(
    call: Call, target: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(target / "summary.md"))
    call("check", "--select", "ZZZ001", "--format", "github:annotations.txt", outcome="findings")
    assert "| error | ZZZ001 | .env:2 | it is sick |" in (target / "summary.md").read_text()


def _lines(text: str) -> None:
    assert text.strip()


COMMAND_LINES: dict[tuple[str, ...], Callable[[str], Any]] = {
    ("init", "--print"): _lines,
    ("config", "show"): _lines,
    ("config", "show", "--format", "json"): json.loads,
    ("config", "schema"): json.loads,
    ("baseline", "show"): _lines,
    ("baseline", "show", "--format", "json"): json.loads,
    ("baseline", "update"): _lines,
    ("baseline", "prune"): _lines,
    ("mute",): _lines,
    ("list",): _lines,
    ("list", "--format", "json"): json.loads,
    ("list", "formats", "--format", "json"): json.loads,
    ("explain", "TSK001"): _lines,
    ("explain", "TSK001", "--format", "json"): json.loads,
    ("triage", "worker.log"): _lines,
    ("triage", "worker.log", "--format", "json"): json.loads,
    **{("report", "--format", form): READERS[form] for form in FORMATS},
}
"""What is called → what reads its stdout."""


@pytest.mark.parametrize("words", COMMAND_LINES, ids=" ".join)
def test_every_other_command_ends_as_it_should_and_can_be_read(call: Call, target: Path, words: tuple[str, ...]):
    (target / "worker.log").write_text("all is well\n")
    call("check", "--select", "ZZZ001", "--format", "json:ignored.json", outcome="findings")
    call("baseline", "create")
    code, out, err = call(*words)
    assert (code, err) == (0, "")
    COMMAND_LINES[words](out)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_calls_an_unknown_option_a_usage_error(call: Call, command: str):
    code, out, err = call(command, "--no-such-option")
    assert (code, out) == (2, "")
    assert "no-such-option" in err.lower()

"""Only what is new fails the gate: a baseline in the repository, the last run, a mute, the configuration.

The findings are those of a check that reads what it is to find from a file; one test has them from real source.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from doctor.commands import output
from doctor.main import main
from tests import forked_doctor
from tests.command_line import PAGE

TOLD = """
import json

from doctor.api import Evidence, EvidenceKind, Finding, Metric, Resource, Severity, check, hookimpl


@check("ZZZ002", "asks-what-can-be-asked", severity=Severity.ERROR, tags=["static"], after=["ZZZ001"])
def asks_what_can_be_asked(environment):
    yield from ()


@check("ZZZ001", "told-what-is-wrong", severity=Severity.ERROR, tags=["static"])
def told_what_is_wrong(environment):
    for name, value in json.loads((environment.root / "wrong.json").read_text()).items():
        yield Finding(
            code="ZZZ001",
            resource=Resource("table", name, name if name.endswith(".py") else None, 1),
            symptom=f"{value} rows of {name} are wrong",
            cause="told to",
            severity=Severity.ERROR,
            evidence=(Evidence(EvidenceKind.CONFIG, "wrong.json:1", "told"),),
            metric=Metric("wrong_rows", value),
        )


@hookimpl
def doctor_checks():
    return [told_what_is_wrong, asks_what_can_be_asked]
"""

Call = Callable[..., tuple[int, str, str]]
CHECK = ("check", "--select", "ZZZ001")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project in which one table is wrong; this process is left as it was."""
    root = tmp_path / "ein Projekt"
    root.mkdir()
    (root / "rules.py").write_text(PAGE + TOLD)
    (root / "doctor.toml").write_text('plugins = ["rules.py"]\n')
    wrong(root, public_atoms=237)
    monkeypatch.chdir(root)
    plugins = list(output._registry)
    yield root
    output._registry[:] = plugins


def wrong(root: Path, **tables: int) -> None:
    (root / "wrong.json").write_text(json.dumps(tables))


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Call the command line in this process and return code, stdout and stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def gate(call: Call) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Run the check and return the code and the document."""

    def run(*words: str) -> tuple[int, dict[str, Any]]:
        code, out, err = call(*CHECK, *words, "--format", "json")
        assert err == ""
        return code, json.loads(out)

    return run


def names(document: dict[str, Any]) -> list[str]:
    return [finding["resource"]["id"] for finding in document["findings"]]


Gate = Callable[..., tuple[int, dict[str, Any]]]


def test_what_is_known_passes_and_what_is_new_or_worse_fails(project: Path, call: Call, gate: Gate):
    assert gate()[0] == 1
    code, out, err = call("baseline", "create")
    assert (code, err, "1 finding of run" in out) == (0, "", True)
    code, document = gate("--only-new")
    assert (code, names(document), document["suppressions"][0]["kind"]) == (0, [], "baseline")
    assert "1 known from the baseline" in " ".join(call(*CHECK, "--only-new")[1].split())
    wrong(project, public_atoms=238)
    assert gate("--only-new")[0] == 1
    wrong(project, public_atoms=12, public_topics=1)
    code, document = gate("--only-new")
    assert (code, names(document)) == (1, ["public_topics"])
    assert call("baseline", "update")[1].endswith("1 added, 1 changed, 0 gone, 2 in all\n")


def test_what_keeps_others_from_looking_is_never_accepted(call: Call):
    call("check", "--select", "ZZZ")
    code, out, _ = call("baseline", "create")
    assert (code, "0 findings" in out) == (0, True)
    assert out.endswith("; not accepted: ZZZ001, which kept other checks from looking\n")
    assert call("check", "--select", "ZZZ", "--only-new")[0] == 1


def test_what_is_gone_is_told_and_pruned(project: Path, call: Call, gate: Gate):
    wrong(project, public_atoms=237, public_topics=1)
    gate()
    call("baseline", "create")
    wrong(project, public_atoms=237)
    code, document = gate("--only-new")
    assert code == 0
    assert [(one["code"], one["severity"], one["symptom"]) for one in document["findings"]] == [
        ("DOC012", "info", "1 of 2 entries of the baseline are gone: ZZZ001 table:public_topics")
    ]
    assert [line.split()[0] for line in call("baseline", "show")[1].splitlines()] == ["known", "gone"]
    assert [one["state"] for one in json.loads(call("baseline", "show", "--format", "json")[1])] == ["known", "gone"]
    assert call("baseline", "prune")[1].endswith("1 gone, 1 in all\n")


@pytest.mark.parametrize(
    "words, said",
    [
        (("check", "--only-new"), "doctor baseline create"),
        (("check", "--since-last"), "run `doctor check` first"),
        (("baseline", "create"), "run `doctor check` first"),
        (("mute", "ZZZ001", "--for", "7d", "--reason", "x"), "run `doctor check` first"),
        (("mute", "ZZZ001"), "for how long and why"),
        (("mute", "ZZZ001", "--for", "soon", "--reason", "x"), "no length of time"),
        (("mute", "ZZZ001", "--for", "999w", "--reason", "x"), "longer than a year"),
        (("unmute", "ZZZ001"), "is not muted"),
        (("check", "--profile", "dve"), "did you mean 'dev'?"),
        (("check", "--select", "TKS001"), "did you mean 'TSK001'?"),
    ],
)
def test_what_cannot_be_done_is_said_with_what_to_do(call: Call, words: tuple[str, ...], said: str):
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize("file", [".doctor-baseline.json", ".doctor/mutes.json"])
def test_a_spoilt_file_is_a_usage_error_and_is_left_alone(project: Path, call: Call, gate: Gate, file: str):
    gate()
    (project / file).write_text("<<<<<<< HEAD\n")
    words = ("baseline", "update") if "baseline" in file else ("mute",)
    for each in ((*CHECK, "--only-new"), words):
        code, out, err = call(*each)
        assert (code, out) == (2, "")
        assert Path(file).name in err
    assert (project / file).read_text() == "<<<<<<< HEAD\n"


def test_since_the_last_run_only_what_changed_is_told(project: Path, call: Call, gate: Gate):
    assert gate()[0] == 1
    assert gate("--since-last")[0] == 0
    assert gate("--since-last")[0] == 0, "what the last run left out is not new either"
    wrong(project, public_topics=1)
    code, out, err = call(*CHECK, "--since-last")
    assert (code, "public_topics" in out) == (1, True)
    assert err.startswith("gone since run ")
    assert err.endswith("ZZZ001 public_atoms\n")


def test_a_mute_is_shown_in_every_run_and_ends_when_it_becomes_worse(project: Path, call: Call, gate: Gate):
    gate()
    words = ("mute", "zzz", "--resource", "table:public_*", "--for", "7d", "--reason", "fixed on Monday")
    assert call(*words)[0] == 0
    code, out, _ = call(*CHECK, "--quiet")
    shown = " ".join(out.split())
    assert (code, "1 muted" in shown, "fixed on Monday" in shown) == (0, True, True)
    assert "ZZZ  table:public_*  until 20" in call("mute")[1]
    wrong(project, public_atoms=238)
    assert gate()[0] == 1
    wrong(project, public_atoms=1)
    assert gate()[0] == 1, "it was lifted"
    assert call("mute")[1] == "nothing is muted\n"


def test_a_mute_is_taken_back(call: Call, gate: Gate):
    gate()
    call("mute", "ZZZ001", "--for", "1h", "--reason", "x")
    assert gate()[0] == 0
    assert call("unmute", "ZZZ001")[1] == "1 mute taken back\n"
    assert gate()[0] == 1


def test_the_configuration_ignores_and_judges(project: Path, gate: Gate):
    ignored = '[[ignored]]\ncode = "ZZZ001"\nresource = "table:public_*"\nreason = "legacy"\n'
    (project / "doctor.toml").write_text(f'plugins = ["rules.py"]\n{ignored}')
    code, document = gate()
    assert (code, [one["origin"] for one in document["suppressions"]]) == (0, ["doctor.toml:3"])
    (project / "doctor.toml").write_text('plugins = ["rules.py"]\n[severity]\nZZZ = "warning"\n')
    assert gate()[0] == 0
    assert gate("--profile", "prod", "--tag", "static")[0] == 1, "it fails on warnings"


def test_a_variable_chooses_the_profile_and_the_severity_that_fails(gate: Gate, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DOCTOR_FAIL_ON", "critical")
    assert gate()[0] == 0
    assert gate("--fail-on", "error")[0] == 1
    monkeypatch.delenv("DOCTOR_FAIL_ON")
    monkeypatch.setenv("DOCTOR_PROFILE", "dev")
    assert gate()[0] == 0


BROKEN = "from celery import shared_task\nfrom functools import lru_cache\n\n@lru_cache\n@shared_task\ndef {}(): ...\n"
CALLER = "from {0} import {0}\n\ndef later():\n    {0}.delay()\n"


def test_moved_lines_are_nothing_new_and_a_commit_hook_is_no_measure_of_the_whole(project: Path):
    for name in ("job", "other"):
        (project / f"{name}.py").write_text(BROKEN.format(name))
        (project / f"{name}_caller.py").write_text(CALLER.format(name))

    def run(*words: str) -> tuple[int, str]:
        done = forked_doctor.run(*words, cwd=project)
        return done.returncode, done.stdout

    assert run("check", "--select", "TSK001")[0] == 1
    assert run("baseline", "create")[0] == 0
    (project / "job.py").write_text("\n\n" + BROKEN.format("job"))
    assert run("check", "--select", "TSK001", "--only-new", "job.py")[0] == 0
    assert run("baseline", "update")[1].endswith("0 added, 0 changed, 0 gone, 2 in all\n")

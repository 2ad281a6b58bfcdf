"""Only what is new fails the gate: a baseline in the repository, the last run, a mute, the configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.forked_doctor import run

BROKEN = "from celery import shared_task\nfrom functools import lru_cache\n\n@lru_cache\n@shared_task\ndef {}(): ...\n"
CALLER = "from {0} import {0}\n\ndef later():\n    {0}.delay()\n"
STATIC = ("check", "--tag", "static")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "ein Projekt"
    root.mkdir()
    add(root, "job")
    return root


def add(root: Path, name: str) -> None:
    (root / f"{name}.py").write_text(BROKEN.format(name))
    (root / f"{name}_caller.py").write_text(CALLER.format(name))


def gate(root: Path, *words: str) -> tuple[int, dict[str, Any]]:
    done = run(*STATIC, *words, "--format", "json", cwd=root)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def codes(document: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in document["findings"]]


def test_old_sins_pass_new_ones_fail_and_what_is_gone_is_told(project: Path):
    assert gate(project)[0] == 1
    created = run("baseline", "create", cwd=project)
    assert (created.returncode, created.stderr) == (0, "")
    assert "1 finding of run" in created.stdout
    code, document = gate(project, "--only-new")
    assert (code, codes(document)) == (0, [])
    assert [(one["kind"], one["finding"]["code"]) for one in document["suppressions"]] == [("baseline", "TSK001")]
    assert "1 known from the baseline" in " ".join(run(*STATIC, "--only-new", cwd=project).stdout.split())

    (project / "job.py").write_text("\n\n" + BROKEN.format("job"))  # moved lines are nothing new
    add(project, "other")
    code, document = gate(project, "--only-new")
    assert (code, [one["resource"]["path"] for one in document["findings"]]) == (1, ["other.py"])
    assert run("baseline", "update", cwd=project).stdout.endswith("1 added, 0 changed, 0 gone, 2 in all\n")

    for file in project.glob("other*.py"):
        file.unlink()
    code, document = gate(project, "--only-new")
    assert (code, codes(document)) == (0, ["DOC012"])
    assert document["findings"][0]["symptom"].startswith("1 of 2 entries of the baseline are gone: TSK001 task:other")
    assert run("baseline", "show", cwd=project).stdout.splitlines()[1].startswith("gone   TSK001  20")
    assert [one["state"] for one in json.loads(run("baseline", "show", "--format", "json", cwd=project).stdout)] == [
        "known",
        "gone",
    ]
    assert run("baseline", "prune", cwd=project).stdout.endswith("1 gone, 1 in all\n")


@pytest.mark.parametrize(
    "words, said",
    [
        (("check", "--only-new"), "doctor baseline create"),
        (("check", "--since-last"), "run `doctor check` first"),
        (("baseline", "create"), "run `doctor check` first"),
        (("mute", "TSK001", "--for", "7d", "--reason", "x"), "run `doctor check` first"),
        (("mute", "TSK001"), "for how long and why"),
        (("mute", "TSK001", "--for", "soon", "--reason", "x"), "no length of time"),
        (("unmute", "TSK001"), "is not muted"),
        (("check", "--profile", "dve"), "did you mean 'dev'?"),
    ],
)
def test_what_cannot_be_done_is_said_with_what_to_do(project: Path, words: tuple[str, ...], said: str):
    done = run(*words, cwd=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_what_a_commit_hook_was_told_is_no_measure_of_the_whole(project: Path):
    add(project, "other")
    gate(project)
    run("baseline", "create", cwd=project)
    gate(project, "job.py")
    assert run("baseline", "update", cwd=project).stdout.endswith("0 added, 0 changed, 0 gone, 2 in all\n")


def test_a_spoilt_baseline_is_a_usage_error_and_is_left_alone(project: Path):
    gate(project)
    (project / ".doctor-baseline.json").write_text("<<<<<<< HEAD\n")
    for words in (("check", "--only-new"), ("baseline", "update"), ("baseline", "prune"), ("baseline", "create")):
        done = run(*words, cwd=project)
        assert done.returncode == 2, words
        assert ".doctor-baseline.json" in done.stderr
    assert (project / ".doctor-baseline.json").read_text() == "<<<<<<< HEAD\n"


def test_since_the_last_run_only_what_changed_is_told(project: Path):
    assert gate(project)[0] == 1
    assert gate(project, "--since-last")[0] == 0
    for file in project.glob("job*.py"):
        file.unlink()
    add(project, "other")
    done = run(*STATIC, "--since-last", cwd=project)
    assert (done.returncode, "other.py" in done.stdout) == (1, True)
    assert done.stderr.startswith("gone since run ")
    assert "TSK001 job.job" in done.stderr


def test_a_mute_is_shown_in_every_run_and_ends_with_its_finding(project: Path):
    gate(project)
    muted = run("mute", "tsk001", "--resource", "task:job.*", "--for", "7d", "--reason", "fixed on Monday", cwd=project)
    assert (muted.returncode, muted.stderr) == (0, "")
    done = run(*STATIC, "--quiet", cwd=project)
    assert done.returncode == 0
    assert "1 muted" in done.stdout
    assert "fixed on Monday" in done.stdout
    assert "TSK001  task:job.*  until 20" in run("mute", cwd=project).stdout
    for file in project.glob("job*.py"):
        file.unlink()
    (project / "app.py").write_text("")
    assert gate(project)[0] == 0
    assert run("mute", cwd=project).stdout == "nothing is muted\n"


def test_a_mute_is_taken_back(project: Path):
    gate(project)
    run("mute", "TSK001", "--for", "1h", "--reason", "x", cwd=project)
    assert run("unmute", "TSK001", cwd=project).stdout == "1 mute taken back\n"
    assert gate(project)[0] == 1


def test_the_configuration_ignores_and_judges(project: Path):
    (project / "doctor.toml").write_text('[[ignored]]\ncode = "TSK001"\nresource = "task:job.*"\nreason = "legacy"\n')
    code, document = gate(project)
    assert (code, [one["origin"] for one in document["suppressions"]]) == (0, ["doctor.toml:2"])
    (project / "doctor.toml").write_text('[severity]\nTSK = "warning"\n')
    assert gate(project)[0] == 0
    assert gate(project, "--profile", "prod")[0] == 1, "it fails on warnings"

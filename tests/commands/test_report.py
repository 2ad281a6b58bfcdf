"""`doctor report`: one run in each format, and what changed from one run to another."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from doctor.cli import doctor
from doctor.model import Run
from doctor.record import RunStore, redacted_json
from tests.example_runs import healthy, repaired_run, run_of, three_in_series


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def report(*words: str) -> Result:
    return CliRunner().invoke(doctor, ["report", *words], standalone_mode=False)


def record(run: Run, path: Path) -> str:
    path.write_text(redacted_json(run), encoding="utf-8")
    return str(path)


def test_a_file_is_written_in_the_format_of_its_name(target: Path):
    source = record(repaired_run(), target / "run.json")
    for name, beginning in (("a.html", "<!DOCTYPE html>"), ("a.md", "# Root cause"), ("a.json", "{"), ("a", "# Root")):
        assert report("--from", source, "-o", name).return_value == 0
        assert (target / name).read_text(encoding="utf-8").startswith(beginning)
    assert report("--from", source, "-o", "b.html", "--format", "json").return_value == 0
    assert json.loads((target / "b.html").read_text(encoding="utf-8"))["schema_version"] == "1"


def test_a_record_from_elsewhere_is_cleaned_of_secrets_before_it_is_written(target: Path):
    leaking = replace(repaired_run(), target=replace(repaired_run().target, name="postgresql://app:hunter22@db/app"))
    from doctor.record import dumps

    (target / "run.json").write_text(dumps(leaking), encoding="utf-8")
    for name in ("a.html", "a.md"):
        report("--from", "run.json", "-o", name)
        assert "hunter22" not in (target / name).read_text(encoding="utf-8")


LOG = """\
2026-11-20 19:40:15.717 | WARNING  | app.messages:receive:40 - Failed to queue scoring task: \
'function' object has no attribute 'kiq'
2026-11-20 19:50:15.717 | INFO     | app.tasks.scoring:claim:9 - Threshold reached (13 >= 10), queueing knowledge \
extraction for 13 messages using agent 'knowledge_extractor'
"""


def test_a_log_is_read_as_it_is_when_the_report_is_written(target: Path):
    source = record(repaired_run(), target / "run.json")
    (target / "logs").mkdir()
    (target / "logs" / "worker.log").write_text(LOG, encoding="utf-8")
    plain, with_log = (report("--from", source, *words).output for words in ((), ("--logs", "logs")))
    assert "No known line" in plain
    for part in ("`task-has-no-kiq`", "| TSK001, TSK002 | logs/worker.log:1 |", "`threshold-reached`"):
        assert part in with_log
    assert "time to detect: 301" in with_log


def test_two_runs_are_compared_by_id_or_by_file(target: Path):
    first = run_of(three_in_series(), id="20261120T100000.000Z-aaaa")
    second = run_of(healthy(), id="20261121T100000.000Z-bbbb")
    for run in (first, second):
        RunStore(target).save(run)
    by_id = report("--diff", first.id, second.id)
    by_file = report("--diff", record(first, target / "a.json"), second.id)
    assert by_id.return_value == by_file.return_value == 0
    assert by_id.output == by_file.output
    assert by_id.output.startswith("# What changed: backend\n\n**7 findings gone, 0 new, 1 still there**")


def test_a_difference_is_told_as_a_page_too(target: Path):
    one = record(run_of(three_in_series()), target / "a.json")
    assert report("--diff", one, one, "-o", "diff.html").return_value == 0
    assert "<h1>What changed: backend</h1>" in (target / "diff.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words, said",
    [
        (("--diff", "a.json", "missing"), "no run 'missing' here"),
        (
            ("--diff", "a.json", "a.json", "--format", "json"),
            "json cannot tell a difference; these can: html, markdown",
        ),
        (("--diff", "a.json", "a.json", "--from", "a.json"), "--diff names both runs itself"),
        (("some-run", "--diff", "a.json", "a.json"), "--diff names both runs itself"),
        (("--diff", "broken.json", "a.json"), "not a run record"),
    ],
)
def test_what_cannot_be_compared_is_said(target: Path, words: tuple[str, ...], said: str):
    record(repaired_run(), target / "a.json")
    (target / "broken.json").write_text("{}", encoding="utf-8")
    error = report(*words).exception
    assert said in str(error)

"""A run record holds the whole run, no secret, and is read by its owner alone."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from doctor.model import Resource, Run, Severity
from doctor.record import RecordError, RunStore, dumps, loads, new_run_id, plain, redacted, redacted_json
from tests.example_runs import finding, repaired_run, result, run_of, three_in_series
from tests.strategies import runs

SECRET = "hunter2correcthorse"
PLANTED = f"postgresql://app:{SECRET}@db:5432/app"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(runs)
def test_a_run_survives_the_way_to_json_and_back(run: Run):
    assert loads(dumps(run)) == run
    assert dumps(loads(dumps(run))) == dumps(run)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(runs)
def test_a_run_is_written_as_pydantic_would_write_it(run: Run):
    assert plain(run) == TypeAdapter(Run).dump_python(run, mode="json")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(runs)
def test_what_is_shown_is_what_the_record_holds(run: Run):
    assert redacted(run) == loads(redacted_json(run))


def test_the_incident_and_its_repair_survive_the_way_to_json_and_back():
    for run in (run_of(three_in_series()), repaired_run()):
        assert loads(dumps(run)) == run
        assert dumps(run).endswith("}\n")


def test_a_stored_run_is_the_run(tmp_path: Path):
    store, run = RunStore(tmp_path), repaired_run()
    path = store.save(run)
    assert path == tmp_path / ".doctor" / "runs" / run.id / "run.json"
    assert store.load(run.id) == run
    assert [each.name for each in path.parent.iterdir()] == ["run.json"]


def texts_of(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif is_dataclass(value):
        for each in fields(value):
            yield from texts_of(getattr(value, each.name))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts_of(key)
            yield from texts_of(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_of(item)


def with_secret(value: object) -> object:
    """Return the value with the secret in each of its texts, but not in enums, times and schema versions."""
    if type(value) is str:
        return f"{value} {PLANTED}"
    if is_dataclass(value) and not isinstance(value, type):
        changed = {
            each.name: with_secret(getattr(value, each.name)) for each in fields(value) if each.name != "schema_version"
        }
        return replace(value, **changed)
    if isinstance(value, dict):
        return {key: with_secret(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(with_secret(item) for item in value)
    return value


def test_a_secret_in_any_text_of_a_run_does_not_reach_the_disk(tmp_path: Path):
    run = with_secret(repaired_run())
    assert isinstance(run, Run)
    assert sum(SECRET in text for text in texts_of(run)) > 150
    stored = RunStore(tmp_path).save(replace(run, id="20261120T194517Z-3f9a")).read_text(encoding="utf-8")
    assert SECRET not in stored
    assert "<redacted:password#" in stored
    assert loads(stored).target.name.startswith("backend ")


def test_a_secret_in_a_key_of_an_argument_does_not_reach_the_disk():
    run = replace(repaired_run(), versions={PLANTED: "1"})
    assert SECRET not in redacted_json(run)


def test_a_clean_run_is_not_changed_by_redaction():
    assert json.loads(redacted_json(repaired_run())) == json.loads(dumps(repaired_run()))


def test_the_record_is_readable_by_its_owner_alone(tmp_path: Path):
    path = RunStore(tmp_path).save(repaired_run())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_folder_ignores_itself_in_git(tmp_path: Path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True, capture_output=True)
    RunStore(tmp_path).save(repaired_run())
    shown = subprocess.run(
        ["git", "-C", tmp_path, "status", "--porcelain", "--untracked-files=all"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert shown.stdout == ""


def test_the_project_keeps_its_own_gitignore_of_the_folder(tmp_path: Path):
    (tmp_path / ".doctor").mkdir()
    (tmp_path / ".doctor" / ".gitignore").write_text("runs/\n")
    RunStore(tmp_path).save(repaired_run())
    assert (tmp_path / ".doctor" / ".gitignore").read_text() == "runs/\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"run"',
        b"{}",
        b'{"id": "x"}',
        b"\xff\xfe\x00",
        b"\x00" * 50,
        b"[" * 100_000,
        b'{"schema_version": "1", "findings": []}',
    ],
    ids=lambda content: repr(content[:20]),
)
def test_what_is_no_run_record_is_named_so(content: bytes):
    with pytest.raises(RecordError, match="doctor check"):
        loads(content)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_give_a_run_or_one_clear_error(content: bytes):
    with pytest.raises(RecordError):
        loads(content)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2000))
def test_a_record_that_was_cut_off_is_no_record(length: int):
    with pytest.raises(RecordError):
        loads(dumps(run_of(three_in_series()))[:length])


def test_the_record_of_a_newer_doctor_is_refused_rather_than_read_in_part():
    data = json.loads(dumps(repaired_run()))
    data["schema_version"] = "2"
    with pytest.raises(RecordError, match=r"newer|version"):
        loads(json.dumps(data))


def test_an_unknown_run_is_told_with_the_latest_ones(tmp_path: Path):
    store = RunStore(tmp_path)
    with pytest.raises(RecordError, match="none yet; run `doctor check`"):
        store.load("20260101T000000Z-0000")
    store.save(repaired_run())
    with pytest.raises(RecordError, match="20261120T194517Z-3f9a"):
        store.load("nonsense")


def test_a_record_that_is_a_folder_or_foreign_is_told(tmp_path: Path):
    store = RunStore(tmp_path)
    (store.directory("a") / "run.json").mkdir()
    with pytest.raises(RecordError):
        store.load("a")
    (store.directory("b") / "run.json").write_text("<html>")
    with pytest.raises(RecordError, match="not a run record"):
        store.latest()


def test_the_latest_run_is_the_one_that_started_last(tmp_path: Path):
    store = RunStore(tmp_path)
    assert store.ids() == []
    assert store.latest() is None
    start = datetime(2026, 11, 20, 23, 59, 50, tzinfo=UTC)
    ids = [new_run_id(start + timedelta(milliseconds=400 * number), f"{9 - number}" * 8) for number in range(4)]
    for run_id in reversed(ids):
        store.save(replace(repaired_run(), id=run_id))
    assert store.ids() == ids
    latest = store.latest()
    assert latest is not None
    assert latest.id == ids[-1]


def test_a_run_id_says_when_in_utc():
    started = datetime(2026, 11, 20, 19, 45, 17, 42_999, tzinfo=UTC)
    assert new_run_id(started, "3f9abcde") == "20261120T194517.042Z-3f9a"


def test_saving_again_replaces_the_record(tmp_path: Path):
    store, run = RunStore(tmp_path), repaired_run()
    store.save(run)
    store.save(replace(run, duration=7.5))
    assert store.load(run.id).duration == 7.5


def test_a_target_that_cannot_be_written_can_still_be_examined(tmp_path: Path):
    (tmp_path / ".doctor").write_text("in the way")
    assert RunStore(tmp_path).save_if_possible(repaired_run()) is None


def test_a_path_that_is_no_utf_8_does_not_stop_the_record(tmp_path: Path):
    name = b"caf\xe9.py".decode("utf-8", "surrogateescape")
    found = finding("DOC010", Resource("module", name, name), severity=Severity.INFO)
    run = run_of((result("DOC010", found),))
    assert RunStore(tmp_path).save_if_possible(run) is not None
    assert len(RunStore(tmp_path).load(run.id).findings) == 1

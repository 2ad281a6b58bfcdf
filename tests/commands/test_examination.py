"""Which checks are chosen, and what a run holds before anything was repaired."""

from __future__ import annotations

import re
import socket
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from doctor import __version__
from doctor.check import OPT_IN
from doctor.commands.examination import Selection, choose, examine
from doctor.commands.output import Output
from doctor.model import Status
from doctor.target import Target
from tests.command_line import ADDRESSES
from tests.example_runs import BUILT_INS

CHECKS = list(BUILT_INS.checks.values())


@pytest.fixture(autouse=True)
def no_addresses(monkeypatch: pytest.MonkeyPatch):
    for name in ADDRESSES:
        monkeypatch.delenv(name, raising=False)


def chosen(folder: Path, text: str = "", **selection: object) -> list[str]:
    (folder / "doctor.toml").write_text(text)
    return [check.code for check in choose(CHECKS, Selection(**selection), Target.at(folder))]


def test_everything_is_chosen_by_default(tmp_path: Path):
    assert chosen(tmp_path) == [check.code for check in CHECKS if OPT_IN not in check.tags]
    assert chosen(tmp_path, select=("ALL",)) == chosen(tmp_path)


@pytest.mark.parametrize("select", [("EMB001", "VEC001"), ("EMB001,VEC001",), (" EMB001 , vec001 ",)])
def test_codes_and_lists_are_understood(tmp_path: Path, select: tuple[str, ...]):
    assert chosen(tmp_path, select=select) == ["EMB001", "VEC001"]


@pytest.mark.parametrize("select", [("EMB", "VEC"), ("emb,vec",)])
def test_a_prefix_chooses_a_family(tmp_path: Path, select: tuple[str, ...]):
    families = [check.code for check in CHECKS if check.code.startswith(("EMB", "VEC")) and OPT_IN not in check.tags]
    assert chosen(tmp_path, select=select) == families
    assert {"EMB001", "EMB002", "VEC001"} <= set(families)


def test_what_is_ignored_is_left_out(tmp_path: Path):
    assert chosen(tmp_path, select=("PGS",), ignore=("PGS002",)) == ["PGS001"]
    assert "TSK001" not in chosen(tmp_path, ignore=("TSK",))
    assert chosen(tmp_path, ignore=("ALL",)) == []


def test_the_configuration_chooses_and_the_command_line_wins(tmp_path: Path):
    text = 'select = ["PGS", "NAT001"]\nignore = "PGS002"\n'
    assert chosen(tmp_path, text) == ["NAT001", "PGS001"]
    assert chosen(tmp_path, text, select=("PGS",)) == ["PGS001", "PGS002"]
    assert chosen(tmp_path, text, ignore=("NAT",)) == ["PGS001"]


def test_tags_and_offline_narrow_the_choice(tmp_path: Path):
    static = [check.code for check in CHECKS if "static" in check.tags and OPT_IN not in check.tags]
    assert chosen(tmp_path, tags=("static",)) == static
    assert chosen(tmp_path, offline=True) == static
    assert chosen(tmp_path, tags=("static", "live")) == chosen(tmp_path)
    assert chosen(tmp_path, tags=("live",), offline=True) == []


@pytest.mark.parametrize("selection", [{"select": ("QQQ",)}, {"ignore": ("TSK9",)}, {"tags": ("purple",)}])
def test_what_matches_nothing_is_a_mistake(tmp_path: Path, selection: dict):
    with pytest.raises(click.UsageError, match=r"no check has"):
        chosen(tmp_path, **selection)


def test_a_run_says_when_of_what_and_with_what(tmp_path: Path):
    (tmp_path / "app.py").write_text("LIMIT = 1\n")
    (tmp_path / "doctor.toml").write_text('fail_on = "warning"\n[target]\nname = "backend"\n')
    run = examine(Target.at(tmp_path), Selection(select=("TSK001", "TSK002", "DOC010")), Output())
    assert re.fullmatch(r"\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{4}", run.id)
    assert abs((datetime.now(UTC) - run.started_at).total_seconds()) < 60
    assert run.version == run.versions["doctor"] == __version__
    assert (run.target.name, run.target.root, run.fail_on) == ("backend", str(tmp_path), "warning")
    assert run.configuration_fingerprint == Target.at(tmp_path).loaded.fingerprint
    assert [result.code for result in run.before] == ["DOC010", "TSK001", "TSK002"]
    assert {result.status for result in run.before} == {Status.PASS}
    assert run.after is None
    assert run.repairs == ()


def test_the_gate_and_the_limits_of_the_command_line_win(tmp_path: Path):
    (tmp_path / "doctor.toml").write_text('fail_on = "warning"\n')
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        (tmp_path / ".env").write_text(f"DATABASE_URL=postgresql://nobody@127.0.0.1:{port}/none\n")
        selection = Selection(select=("PGS001",))
        run = examine(Target.at(tmp_path), selection, Output(), fail_on="never", timeout=0.05)
    assert run.fail_on == "never"
    assert {result.status for result in run.before} == {Status.UNKNOWN}


def test_a_file_of_a_project_stands_for_its_folder(tmp_path: Path):
    (tmp_path / "app.py").write_text("LIMIT = 1\n")
    assert Target.at(tmp_path / "app.py").root == tmp_path

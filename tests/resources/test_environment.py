"""Variables of a target as the target would see them."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from doctor.model import Secret
from doctor.resources.environment import Environment


def _environment(root: Path, text: str, **process: str) -> Environment:
    (root / ".env").write_text(text, encoding="utf-8")
    return Environment(root, process_environment=process)


def test_a_variable_of_the_file_says_on_which_line_it_stands(tmp_path: Path):
    environment = _environment(tmp_path, "# comment\n\nexport A='x y'\nB=${A}!\nC=\"two\nlines\"\nD=4\n")
    found = {name: environment.get(name) for name in "ABCD"}
    assert {name: (variable.value, variable.origin) for name, variable in found.items() if variable} == {
        "A": ("x y", ".env:3"),
        "B": ("x y!", ".env:4"),
        "C": ("two\nlines", ".env:5"),
        "D": ("4", ".env:7"),
    }
    assert environment.get("NOSUCH") is None
    assert environment.secret("NOSUCH") is None


def test_the_process_environment_wins_over_the_file(tmp_path: Path):
    environment = _environment(tmp_path, "A=file\nB=file\n", A="process")
    a, b = environment.get("A"), environment.get("B")
    assert a is not None
    assert b is not None
    assert (a.value, a.origin, b.value) == ("process", "environment", "file")
    assert [variable.name for variable in environment.from_files()] == ["B"]


def test_this_process_keeps_its_own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / ".env").write_text("DOCTOR_TEST_ONLY=file\n")
    monkeypatch.setenv("DOCTOR_TEST_OTHER", "process")
    environment = Environment(tmp_path)
    other = environment.get("DOCTOR_TEST_OTHER")
    assert "DOCTOR_TEST_ONLY" not in os.environ
    assert other is not None
    assert other.value == "process"


def test_the_last_of_two_lines_and_an_empty_value_count(tmp_path: Path):
    environment = _environment(tmp_path, "A=1\nEMPTY=\nA=2\nNAME_ALONE\n")
    a, empty = environment.get("A"), environment.get("EMPTY")
    assert a is not None
    assert empty is not None
    assert (a.value, a.origin, empty.value) == ("2", ".env:3", "")
    assert environment.get("NAME_ALONE") is None


def test_a_line_that_cannot_be_read_is_a_problem_and_no_log_line(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG):
        environment = _environment(tmp_path, "A=1\nwhat password=hunter2 is this\nB=2\n")
    assert len(environment.problems) == 1
    assert environment.problems[0].startswith(".env:2: is not NAME=value: what password=<redacted:password#")
    assert environment.get("B") is not None
    assert caplog.records == []


def test_a_byte_order_mark_and_bytes_that_are_no_text_do_not_matter(tmp_path: Path):
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfA=1\nB=\xff\n")
    environment = Environment(tmp_path, process_environment={})
    a, b = environment.get("A"), environment.get("B")
    assert a is not None
    assert b is not None
    assert (a.value, b.value) == ("1", "\N{REPLACEMENT CHARACTER}")


def test_a_value_is_shown_by_nothing_but_itself(tmp_path: Path):
    environment = _environment(tmp_path, "KEY=hunter2\n")
    variable = environment.get("KEY")
    assert variable is not None
    assert "hunter2" not in repr(variable)
    assert variable.secret == environment.secret("KEY") == Secret("hunter2")


def test_the_file_above_is_found_within_the_repository_only(tmp_path: Path):
    (tmp_path / ".env").write_text("A=outside\n")
    inner = tmp_path / "repository" / "backend" / "app"
    inner.mkdir(parents=True)
    (tmp_path / "repository" / ".git").mkdir()
    assert Environment(inner, process_environment={}).files == ()
    (tmp_path / "repository" / "backend" / ".env").write_text("A=inside\n")
    a = Environment(inner, process_environment={}).get("A")
    assert a is not None
    assert a.value == "inside"


def test_files_can_be_named_and_the_later_one_wins(tmp_path: Path):
    one, two = tmp_path / "one.env", tmp_path / "two.env"
    one.write_text("A=1\nB=1\n")
    two.write_text("B=2\n")
    environment = Environment(tmp_path, files=[one, two, tmp_path / "gone.env"], process_environment={})
    b = environment.get("B")
    assert b is not None
    assert (b.value, b.origin) == ("2", "two.env:1")
    assert environment.unread == ("gone.env: cannot be read: No such file or directory",)

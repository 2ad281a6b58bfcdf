"""What a file is called is shown in visible characters alone, and no two files by one name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.file_names import located, visible
from tests.forked_doctor import run

NAMES = st.text(st.characters() | st.sampled_from("\\nxu0123456789abcdef\n\t\x1b\udcff"), min_size=1).filter(
    lambda name: "\0" not in name and "/" not in name and name not in (".", "..")
)
LOSES = """\
from loguru import logger
from celery import shared_task
@shared_task
def job(a):
    logger.info("got %s", a)
"""
ODD = {
    b"a\nb.py": r"a\nb.py",
    b"a\\nb.py": r"a\\nb.py",
    b"a\tb.py": r"a\tb.py",
    b"a\x1b[31mb.py": r"a\x1b[31mb.py",
    "a\u202eb.py".encode(): r"a\u202eb.py",
    b"a\xffb.py": r"a\udcffb.py",
    "größe 1.py".encode(): "größe 1.py",
    b"me@example.com.py": "me@example.com.py",
}


@given(NAMES)
def test_a_name_is_printable_and_leads_back_to_its_file(name: str) -> None:
    assert visible(name).isprintable()
    assert located(Path("/root"), visible(name)) == Path("/root") / name


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    for name in ODD:
        (tmp_path / os.fsdecode(name)).write_text(LOSES)
    return tmp_path


def test_every_output_shows_the_escaped_name_and_nothing_else(odd: Path) -> None:
    shown = [name for name in ODD.values() if "@" not in name]
    text = run(
        "check", "--offline", "--format", "text", "--format", "markdown:r.md", "--format", "json:r.json", cwd=odd
    )
    assert text.returncode == 0
    assert all(f"{name}:5" in text.stdout for name in shown)
    assert all(line.isprintable() for line in text.stdout.splitlines())
    report = (odd / "r.md").read_text(encoding="utf-8")
    assert all(f"`{name}:5`" in report for name in shown)
    findings = json.loads((odd / "r.json").read_text(encoding="utf-8"))["findings"]
    assert {one["resource"]["path"] for one in findings} >= set(shown)


def test_a_file_of_any_name_is_repaired_and_taken_back(odd: Path) -> None:
    diff = run("fix", "LOG001", "--diff", cwd=odd)
    assert diff.returncode == 1
    assert all(f"--- a/{name}\n" in diff.stdout for name in ODD.values() if "@" not in name)
    assert run("fix", "LOG001", "--yes", cwd=odd).returncode == 0
    assert all("got {}" in (odd / os.fsdecode(name)).read_text() for name in ODD)
    undone = run("undo", cwd=odd)
    assert undone.returncode == 0
    assert all(f"taken back  {name} restored\n" in undone.stdout for name in ODD.values() if "@" not in name)
    assert all((odd / os.fsdecode(name)).read_text() == LOSES for name in ODD)


def test_findings_in_a_named_file_are_kept_whatever_its_name(odd: Path) -> None:
    found = run("check", "--offline", "--select", "LOG", "--format", "json", "a\nb.py", cwd=odd)
    assert [one["resource"]["path"] for one in json.loads(found.stdout)["findings"]] == [r"a\nb.py"]


def test_the_graph_shows_the_escaped_name(odd: Path) -> None:
    assert '["a#92;nb.job"]' in run("graph", cwd=odd).stdout
    assert r'label="a\\nb.job"' in run("graph", "--format", "dot", cwd=odd).stdout

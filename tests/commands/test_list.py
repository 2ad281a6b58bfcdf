"""``doctor list``: one thing a line, in columns that line up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.commands.list import table
from doctor.main import main
from tests.example_runs import BUILT_INS


def lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["list", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def test_checks_are_listed_by_code_with_name_severity_tags_and_summary(capsys):
    listed = lines(capsys)
    assert listed == lines(capsys, "checks")
    assert [line.split()[0] for line in listed] == sorted(BUILT_INS.checks)
    assert [line.split()[1] for line in listed] == [BUILT_INS.checks[code].name for code in sorted(BUILT_INS.checks)]
    assert any(line.startswith("TSK001") and " error " in line and " static " in line for line in listed)


def test_fixes_formats_and_plugins_are_listed(capsys):
    assert {line.split()[0] for line in lines(capsys, "fixes")} == set(BUILT_INS.fixes)
    assert {line.split()[0] for line in lines(capsys, "formats")} >= {"text", "json", "markdown"}
    assert set(lines(capsys, "plugins")) >= {"doctor.checks", "doctor.fixes", "doctor.reports"}


def test_a_table_lines_up_and_its_last_column_is_as_long_as_it_is():
    assert table([("a", "bbb", "c c c"), ("aaa", "b", "")]) == "a    bbb  c c c\naaa  b\n"
    assert table([]) == ""
    assert table([("one",), ("two",)]) == "one\ntwo\n"
    assert table([("one",), ("two", "three")]) == "one\ntwo  three\n"


cells = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=6)


@given(st.lists(st.lists(cells, min_size=1, max_size=4), max_size=5))
def test_every_cell_is_in_its_line_once(rows: list[list[str]]):
    shown = table(rows).splitlines()
    assert [line.split() for line in shown] == rows

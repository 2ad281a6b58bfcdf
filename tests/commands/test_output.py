"""Where words go: files in one step, colour only where it is wanted."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest

from doctor.commands.output import FormatChoice, Output, write_file


def test_a_file_is_written_with_its_folders_and_in_utf_8(tmp_path: Path):
    path = tmp_path / "a" / "b" / "report.md"
    write_file(path, "é –\n")
    assert path.read_bytes() == "é –\n".encode()
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_replaced_whole(tmp_path: Path):
    path = tmp_path / "report.md"
    path.write_text("old " * 1000)
    write_file(path, "new\n")
    assert path.read_text() == "new\n"


@pytest.mark.parametrize("place", ["file/report.md", "folder"])
def test_a_place_that_cannot_be_written_is_told_and_left_clean(tmp_path: Path, place: str):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(click.ClickException, match=f"{place}: cannot be written: "):
        write_file(tmp_path / place, "text")
    assert sorted(tmp_path.rglob("*")) == before


def test_without_a_terminal_there_is_no_colour_and_a_fixed_width(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "40")
    shown = Output().presentation()
    assert (shown.color, shown.width) == (False, 100)
    assert Output(color="always").presentation().color
    assert not Output(color="always").presentation(to_file=True).color
    assert not Output(color="never").presentation().color


def test_stdout_belongs_to_the_machine_format_that_is_sent_there():
    output = Output()
    assert output.silent((FormatChoice("json"),))
    assert output.silent((FormatChoice("text"), FormatChoice("json")))
    assert not output.silent((FormatChoice("json", Path("out.json")), FormatChoice("text")))
    assert not output.silent((FormatChoice("markdown"),))


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]):
    output = Output()
    output.teller()("working")
    with output.progress(3) as progress:
        progress(None)
    assert capsys.readouterr() == ("", "")
    output.tell("a line")
    Output(quiet=True).tell("no line")
    assert capsys.readouterr() == ("", "a line\n")


def test_a_changing_line_is_gone_before_anything_else_is_written(capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")
    output = Output()
    output.teller()("a text that is longer than the terminal is wide")
    assert capsys.readouterr().err == "\r\x1b[2K  a text that is l"
    output.write("the report\n")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("the report\n", "\r\x1b[2K")
    output.write("more\n")
    assert capsys.readouterr().err == ""

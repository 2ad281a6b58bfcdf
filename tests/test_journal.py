"""The journal leads back to the original, whatever the bytes, and survives a process that dies while it writes."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from doctor.journal import FileChange, Journal, JournalError, in_reverse

lines = st.lists(st.sampled_from([b"a", b"b", b"", b"\xff\x00", b"  @broker.task", b"\xc3\xa9"]), max_size=8)
ends = st.sampled_from([b"\n", b"\r\n", b"\r", b"\x0c\n"])
files = st.one_of(st.binary(max_size=60), st.builds(lambda parts, end: end.join(parts), lines, ends))


@settings(max_examples=300, deadline=None)
@given(files, files)
@example(b"", b"a")
@example(b"a", b"")
@example(b"a\r", b"a\r\n")
@example(b"a\n", b"a")
@example(b"\xef\xbb\xbfa\n", b"b\n")
def test_reverting_a_change_gives_the_original_bytes(before: bytes, after: bytes):
    change = FileChange.between("a.py", before, after)
    again = FileChange.from_entry(json.loads(json.dumps(change.to_entry())))
    assert again == change
    assert again.revert(after) == (None if before == after else before)


@settings(max_examples=100, deadline=None)
@given(files, files)
def test_reverting_twice_changes_nothing(before: bytes, after: bytes):
    assert FileChange.between("a.py", before, after).revert(before) is None


@settings(max_examples=100, deadline=None)
@given(files, files, files)
def test_a_file_that_somebody_changed_since_is_left_alone(before: bytes, after: bytes, current: bytes):
    change = FileChange.between("app/a.py", before, after)
    if current == before:
        assert change.revert(current) is None
    elif current == after:
        assert change.revert(current) == before
    else:
        with pytest.raises(JournalError, match=r"app/a\.py was changed since the repair; undo leaves it alone"):
            change.revert(current)


def test_only_the_lines_that_change_are_kept():
    before = b"PASSWORD = 'hunter2'\n@retry\n@broker.task\nasync def f(): ...\n"
    after = before.replace(b"@retry\n@broker.task\n", b"@broker.task\n@retry\n")
    text = json.dumps(FileChange.between("a.py", before, after).to_entry())
    assert "hunter2" not in text
    assert "@broker.task" in text


def step(number: int) -> dict[str, object]:
    return {"kind": "row", "number": number}


def test_steps_come_back_in_the_order_they_were_made(tmp_path: Path):
    journal = Journal(tmp_path / "journal.jsonl")
    assert journal.entries() == []
    assert len(journal) == 0
    for number in range(3):
        journal.append({**step(number), "text": "é\n\u2028 \ud800"})
    assert [entry["number"] for entry in journal.entries()] == [0, 1, 2]
    assert journal.entries()[0]["text"] == "é\n\u2028 \ud800"
    assert len(journal) == 3


def test_the_journal_is_readable_by_its_owner_alone(tmp_path: Path):
    before = os.umask(0)
    try:
        Journal(tmp_path / "journal.jsonl").append(step(0))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "journal.jsonl").stat().st_mode) == 0o600


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_last_line_that_was_cut_off_is_left_out(tmp_path: Path, cut: int):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(step(0))
    whole = journal.path.read_bytes()
    journal.append(step(1))
    journal.path.write_bytes(journal.path.read_bytes()[: len(whole) + cut])
    assert [entry["number"] for entry in journal.entries()] == [0]


def test_a_journal_with_a_line_that_was_cut_off_can_be_continued(tmp_path: Path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(step(0))
    journal.path.write_bytes(journal.path.read_bytes() + b'{"kind": "ro')
    journal.append({"kind": "undone", "step": 0})
    assert list(in_reverse(journal.entries())) == []
    journal.append(step(1))
    assert [entry["number"] for entry in in_reverse(journal.entries())] == [1]


def test_a_broken_line_in_the_middle_is_told_with_its_number(tmp_path: Path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(step(0))
    journal.path.write_bytes(journal.path.read_bytes() + b"garbage\n")
    journal.append(step(1))
    with pytest.raises(JournalError, match=r"journal\.jsonl:2: is not a journal entry"):
        journal.entries()


@pytest.mark.parametrize("line", ["[1]", "null", "{}", '{"kind": 1}', "9" * 5_000])
def test_a_line_that_is_no_entry_is_told_and_never_taken_for_one(tmp_path: Path, line: str):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.path.write_text(f"{line}\n")
    with pytest.raises(JournalError, match=r"journal\.jsonl:1: is not a journal entry"):
        journal.entries()


def test_a_process_that_is_killed_leaves_every_finished_step(tmp_path: Path):
    path = tmp_path / "journal.jsonl"
    program = (
        "import itertools, pathlib, sys\n"
        "from doctor.journal import Journal\n"
        "journal = Journal(pathlib.Path(sys.argv[1]))\n"
        "for number in itertools.count():\n"
        "    journal.append({'kind': 'row', 'number': number, 'text': 'x' * 3000})\n"
        "    print(number, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(5):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    told = process.stdout.read().split()
    process.wait()
    process.stdout.close()
    last = int(told[-1]) if told else 4
    numbers = [entry["number"] for entry in Journal(path).entries()]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) in (last + 1, last + 2)


def test_steps_are_taken_back_last_first_and_each_once():
    entries = [step(0), step(1), step(2), {"kind": "undone", "step": 1}, step(4), {"kind": "undone", "step": 4}]
    assert [(entry["step"], entry["number"]) for entry in in_reverse(entries)] == [(2, 2), (0, 0)]
    assert list(in_reverse([])) == []


@given(st.integers(0, 6), st.sets(st.integers(0, 6)))
def test_what_is_undone_is_not_undone_again(steps: int, undone: set[int]):
    done = {number for number in undone if number < steps}
    entries = [step(number) for number in range(steps)] + [{"kind": "undone", "step": number} for number in done]
    assert [entry["step"] for entry in in_reverse(entries)] == sorted(set(range(steps)) - done, reverse=True)


def test_a_step_is_written_without_reading_those_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    journal, read = Journal(tmp_path / "journal.jsonl"), list[int]()
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda file, length, at: read.append(length) or pread(file, length, at))
    for number in range(20):
        journal.append(step(number))
    assert sum(read) < 20
    assert [entry["number"] for entry in journal.entries()] == list(range(20))

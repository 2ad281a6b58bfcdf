"""Whatever a file holds: one clear result, no crash, no hang."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.source import parse as parse_module
from doctor.source import reading
from doctor.source.build import Build, build_facts
from doctor.source.cache import loads
from doctor.source.discover import stamped_files
from doctor.source.facts import UnparsableKind
from doctor.source.index import Source, open_source
from doctor.source.parse import MAX_BYTES, conflict_line, parse, read
from doctor.source.reading import Reading

MARK = b"  # .task\n"
PATH_LIMIT = 4096
"""Bytes of a path beyond which Linux opens nothing by it."""

CONFLICT = b"a = 1\n<<<<<<< HEAD\nb = 1\n=======\nb = 2\n>>>>>>> other\n"

BROKEN = {
    "syntax": (b"x = (" + MARK, UnparsableKind.SYNTAX),
    "not UTF-8": (b'x = "\xe9"' + MARK, UnparsableKind.ENCODING),
    "unknown coding cookie": (b"# -*- coding: klingon -*-\n" + MARK, UnparsableKind.ENCODING),
    "null byte": (b"x = 1\0" + MARK, UnparsableKind.NULL_BYTES),
    "UTF-16": ("x = 1  # .task".encode("utf-16"), UnparsableKind.NULL_BYTES),
    "10,000 parentheses": (b"x = " + b"(" * 10_000 + b")" * 10_000 + MARK, UnparsableKind.TOO_DEEP),
    "100,000 attributes": (b"x = a" + b".b" * 100_000 + MARK, UnparsableKind.TOO_DEEP),
    "100,000 minus signs": (b"x = " + b"-" * 100_000 + b"1" + MARK, UnparsableKind.TOO_DEEP),
    "a sum of 200,000": (b"x = " + b"+".join([b"1"] * 200_000) + MARK, UnparsableKind.TOO_DEEP),
    "20,000 elifs": (b"if a: pass\n" + b"elif b: pass\n" * 20_000 + MARK, UnparsableKind.TOO_DEEP),
    "too large": (b"#" * (MAX_BYTES + 1), UnparsableKind.TOO_LARGE),
}

FINE = {
    "empty": b"",
    "byte order mark": b"\xef\xbb\xbfx = 1" + MARK,
    "coding cookie": b'# -*- coding: latin-1 -*-\nx = "\xe9"' + MARK,
    "1 MB on one line": b'x = "' + b"a" * 1_000_000 + b'"' + MARK,
    "a sum of 600": b"x = " + b" + ".join([b"a"] * 600) + MARK,
    "old line ends": b"x = 1\ry = 2\r",
    "an invalid escape": b'x = "\\d"' + MARK,
    "conflict markers in a string": b'"""\n' + CONFLICT + b'"""' + MARK,
}


@pytest.mark.parametrize(("content", "kind"), BROKEN.values(), ids=BROKEN)
async def test_a_broken_file_is_one_fact_and_its_neighbours_are_read(
    tmp_path: Path, content: bytes, kind: UnparsableKind
) -> None:
    (tmp_path / "broken.py").write_bytes(content)
    (tmp_path / "fine.py").write_text("from celery import shared_task\n@shared_task\ndef job(): ...\n")
    for _ in range(2):  # the second time out of the cache
        source = await open_source(tmp_path, 10, tmp_path / ".doctor" / "cache")
        assert [(found.path, found.kind) for found in source.unparsable()] == [("broken.py", kind)]
        assert [task.id for task in source.tasks()] == ["fine.job"]


@pytest.mark.parametrize("content", FINE.values(), ids=FINE)
async def test_an_unusual_file_is_read_like_any_other(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fine.py").write_bytes(content)
    for _ in range(2):
        source = await open_source(tmp_path, 10, tmp_path / ".doctor" / "cache")
        assert source.unparsable() == ()
        assert source.files == ("fine.py",)


def test_a_file_that_is_no_candidate_is_still_checked_for_syntax(project) -> None:
    (found,) = project({"plain.py": "def f(:\n    pass\n"}).unparsable()
    assert (found.path, found.line, found.has_conflict_markers) == ("plain.py", 1, False)


@pytest.mark.parametrize(("content", "kind"), BROKEN.values(), ids=BROKEN)
async def test_a_broken_file_that_is_no_candidate_has_the_same_result(
    tmp_path: Path, content: bytes, kind: UnparsableKind
) -> None:
    (tmp_path / "broken.py").write_bytes(content.replace(b".task", b""))
    (found,) = (await open_source(tmp_path, 10)).unparsable()
    assert (found.path, found.kind) == ("broken.py", kind)


@pytest.mark.parametrize("becomes", ["gone", "a folder", "a pipe", "a link to itself", "locked"])
@pytest.mark.parametrize("when", ["before it is read", "between two readings"])
def test_a_file_that_turns_into_something_else_is_one_result_and_its_neighbours_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, becomes: str, when: str
) -> None:
    (tmp_path / "a.py").write_bytes(b"x = 1\n")
    (tmp_path / "fine.py").write_text("from celery import shared_task\n@shared_task\ndef job(): ...\n")
    cache = tmp_path / ".doctor" / "cache"
    if when == "between two readings":
        kept = Reading(tmp_path, cache=cache)
        kept.facts()
        kept.keep()
    one = Reading(tmp_path, cache=cache)
    stamps = reading.stamped_files(tmp_path)
    monkeypatch.setattr(reading, "stamped_files", lambda _root: {path: stamps[path] for path in ("a.py", "fine.py")})
    turn(tmp_path / "a.py", becomes, monkeypatch)
    facts = loads(one.facts())
    assert [(found.path, found.kind) for found in facts.unparsable] == [("a.py", UnparsableKind.UNREADABLE)]
    assert [function.id for function in facts.functions] == ["fine.job"]


@pytest.mark.parametrize("in_checkout", [False, True])
def test_a_folder_whose_path_is_too_long_is_one_result_and_what_is_above_it_is_read(
    tmp_path: Path, in_checkout: bool
) -> None:
    (tmp_path / "fine.py").write_text("from celery import shared_task\n@shared_task\ndef job(): ...\n")
    nest(tmp_path, PATH_LIMIT)
    if in_checkout:
        subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for _ in range(2):
        source = asyncio.run(open_source(tmp_path, 10, tmp_path / ".doctor" / "cache"))
        (found,) = source.unparsable()
        assert (found.kind, found.message) == (UnparsableKind.UNREADABLE, "File name too long")
        assert len(str(tmp_path / found.path)) >= PATH_LIMIT
        assert [task.id for task in source.tasks()] == ["fine.job"]


@pytest.mark.parametrize("in_checkout", [False, True])
def test_a_file_whose_path_is_too_long_is_one_result(tmp_path: Path, in_checkout: bool) -> None:
    (tmp_path / "fine.py").write_text("x = 1\n")
    room = PATH_LIMIT - len(str(tmp_path)) - 100
    nest(tmp_path, len(str(tmp_path)) + room, file="m" * 150 + ".py")
    if in_checkout:
        subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (found,) = Source.read(tmp_path).unparsable()
    assert (found.path[-10:], found.message) == ("mmmmmmm.py", "File name too long")


def nest(folder: Path, length: int, file: str = "lost.py") -> None:
    """Make folders in one another until the path of the last, which holds a file, has about this length."""
    innermost = os.open(folder, os.O_RDONLY)
    left = length - len(str(folder))
    while left > 0:
        name = "d" * min(left, 200)
        os.mkdir(name, dir_fd=innermost)
        outer, innermost = innermost, os.open(name, os.O_RDONLY, dir_fd=innermost)
        os.close(outer)
        left -= len(name) + 1
    os.close(os.open(file, os.O_CREAT | os.O_WRONLY, dir_fd=innermost))
    os.close(innermost)


def turn(path: Path, becomes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put something else in the place of a file; the tests may run as root, whom no permission stops."""
    if becomes == "locked":
        opened = os.open

        def refusing(name: str, *arguments: int) -> int:
            if name == str(path):
                raise PermissionError(13, "Permission denied", name)
            return opened(name, *arguments)

        monkeypatch.setattr(os, "open", refusing)
        return
    path.unlink()
    if becomes == "a folder":
        path.mkdir()
    elif becomes == "a pipe":
        os.mkfifo(path)
    elif becomes == "a link to itself":
        path.symlink_to(path)


def test_a_file_that_changes_after_the_glance_is_read_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.py").write_text("from celery import shared_task\n@shared_task\ndef job(): ...\n")
    build = Build(tmp_path, stamped_files(tmp_path))
    build.look()
    (tmp_path / "a.py").write_text("def (:\n")
    assert [function.id for function in build.facts().functions] == ["a.job"]


def test_a_file_that_is_written_to_while_it_is_read_is_read_again_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parse_module, "GRANULARITY", 0)
    path = tmp_path / "a.py"
    path.write_text("x = 1\n")
    os.utime(path, (1, 1))
    read_bytes = os.read

    def written_to(descriptor: int, size: int) -> bytes:
        content = read_bytes(descriptor, size)
        path.write_text("x = (\n")  # as long as before
        return content

    with monkeypatch.context() as patch:
        patch.setattr(os, "read", written_to)
        kept = Reading(tmp_path, cache=tmp_path / ".doctor" / "cache")
        assert loads(kept.facts()).unparsable == ()
        kept.keep()
    again = Reading(tmp_path, cache=tmp_path / ".doctor" / "cache")
    assert [found.path for found in loads(again.facts()).unparsable] == ["a.py"]


def test_beyond_the_budget_the_files_that_were_changed_last_are_parsed(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.py").write_text("x = (\n")
        os.utime(tmp_path / f"{number}.py", (number, number))
    facts = build_facts(tmp_path, syntax_budget=8 * len("x = (\n"))
    assert ([found.path for found in facts.unparsable], facts.unchecked) == (
        ["0.py", "1.py", "2.py", "3.py"],
        0,
    )
    facts = build_facts(tmp_path, syntax_budget=2 * len("x = (\n"))
    assert ([found.path for found in facts.unparsable], facts.unchecked) == ([], 4)
    (tmp_path / "4.py").write_text("#" * 100 + "\n")
    facts = build_facts(tmp_path, syntax_budget=16 * len("x = (\n"))
    assert ([found.path for found in facts.unparsable], facts.unchecked) == (["2.py", "3.py"], 3)


def test_beyond_the_budget_only_conflicts_are_found_and_the_rest_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = (\n")
    (tmp_path / "b.py").write_bytes(CONFLICT)
    facts = build_facts(tmp_path, syntax_budget=0)
    assert [(found.path, found.has_conflict_markers) for found in facts.unparsable] == [("b.py", True)]
    assert facts.unchecked == 1


def test_conflict_markers_are_found_with_their_line_and_importers(project) -> None:
    source = project(
        {
            "app/__init__.py": "",
            "app/limits.py": CONFLICT.decode(),
            "app/main.py": "def start():\n    from .limits import b\n",
            "app/other.py": "import app.limits\n",
            "app/third.py": "from app import limits\n",
            "app/unrelated.py": "from app import main\nlimits = 1\n",
        }
    )
    (found,) = source.unparsable()
    assert (found.module, found.line, found.has_conflict_markers) == ("app.limits", 2, True)
    assert [(site.path, site.line) for site in found.imported_by] == [
        ("app/main.py", 2),
        ("app/other.py", 1),
        ("app/third.py", 1),
    ]


@pytest.mark.parametrize(
    "content", [b"<<<<<<< HEAD\n", b"=======\n", CONFLICT.replace(b">>>>>>>", b"---"), b"x <<<<<<< y"]
)
def test_an_incomplete_set_of_markers_is_no_conflict(content: bytes) -> None:
    assert conflict_line(content) is None


def test_conflict_markers_with_windows_line_ends_are_found() -> None:
    assert conflict_line(CONFLICT.replace(b"\n", b"\r\n")) == 2


def test_a_pipe_that_took_the_place_of_a_file_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.py")
    assert read(tmp_path, "a.py") == (UnparsableKind.UNREADABLE, "not a regular file")


def test_a_file_that_vanished_is_unreadable(tmp_path: Path) -> None:
    assert read(tmp_path, "a.py") == (UnparsableKind.UNREADABLE, "No such file or directory")


def test_texts_are_redacted(project) -> None:
    source = project(
        {
            "jobs.py": "from tenacity import retry\nfrom celery import shared_task\n"
            '@retry("postgresql://me:hunter2secret@db/x")\n@shared_task\ndef job(): ...\n'
        }
    )
    assert "hunter2secret" not in source.decorated_functions()[0].decorators[0].text


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))))
def test_no_bytes_make_the_parser_raise(content: bytes) -> None:
    parse(content, "a.py", "a")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "@broker.task",
                "async def f(x): await f.kiq(x)",
                "def f(g):",
                "    return g",
                "    try: f.kiq()",
                "    except Exception: pass",
                "class C(C):",
                "f = f.f",
                "from . import f",
                "from .a import *",
                "import a.b",
                "lambda f: f.kiq()",
                "[f.kiq() for f in f]",
                "    global f",
            ]
        ),
        max_size=12,
    )
)
def test_any_arrangement_of_these_lines_is_read_without_an_error(tmp_path_factory, lines: list[str]) -> None:
    root = tmp_path_factory.mktemp("any")
    (root / "a.py").write_text("\n".join(lines))
    Source.read(root)

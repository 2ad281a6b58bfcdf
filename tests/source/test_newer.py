"""Files in the syntax of a newer Python: read all the same, with each line where it was."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import pytest

from doctor.source import newer
from doctor.source.facts import UnparsableKind
from doctor.source.index import Source, open_source
from doctor.source.newer import NewerSyntax
from doctor.source.older_syntax import older

REWRITTEN = {
    "type parameters": "def f[T](x: T) -> T: return x\n",
    "type parameters over several lines": "def f[\n  T,\n](x): return x\ny = 1\n",
    "a generic class": "class A[T: int](B): pass\n",
    "a generic class without bases, over lines": "class A[\n  T\n]:\n    x = 1\n",
    "a type statement": "type X[\n  T] = list[T]\n",
    "the same quotes inside": 'x = f"{d["a"]} and {e:{w["x"]}}"\n',
    "lines and a comment inside": 'x = f"{\n    a  # why\n}"\ny = 1\n',
    "a backslash inside": "x = f\"{'\\n'.join(a)}\"\n",
    "one string in another": 'x = (f"{", ".join(f"{a["b"]}" for a in c)}")\n',
    "strings side by side": 'x = ("a"\n  f"{d["b"]}"\n \'c\')\n',
    "a template string": 't = t"{a}"\n',
}


@pytest.mark.parametrize("text", REWRITTEN.values(), ids=REWRITTEN)
def test_new_syntax_becomes_old_line_by_line(text: str) -> None:
    rewritten = older(text.encode()).decode() or text  # a newer interpreter needs no rewriting of its f-strings
    assert rewritten.count("\n") == text.count("\n")
    ast.parse(rewritten, feature_version=(3, 11))


@pytest.mark.parametrize("text", ["x = 1\n", "x = f'{a}'\n", "try: pass\nexcept A, B: pass\n"])
def test_what_is_not_new_is_not_touched(text: str) -> None:
    assert older(text.encode()) == b""


NEW = """\
from tenacity import retry
from celery import shared_task

type Key = str


@retry
@shared_task
def score[T](message: T):
    print(f"{message["id"]}")


def later():
    score.delay()
"""


async def test_a_file_that_only_a_newer_python_parses_gives_its_facts(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(NEW)
    source = await open_source(tmp_path, 20)
    assert source.unparsable() == ()
    assert [(task.id, task.line, len(task.above_registrar)) for task in source.tasks()] == [("jobs.score", 9, 1)]
    assert [(site.task, site.line) for site in source.enqueues()] == [("jobs.score", 14)]


def test_a_syntax_error_stays_one(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f[T](x): return (\n")
    (tmp_path / "b.py").write_text("print 'hello'\n")
    found = Source.read(tmp_path).unparsable()
    assert [(one.path, one.kind) for one in found] == [("a.py", UnparsableKind.SYNTAX), ("b.py", UnparsableKind.SYNTAX)]


@pytest.mark.parametrize("program", ["raise SystemExit(3)", "import time; time.sleep(60)"], ids=["dies", "hangs"])
def test_a_helper_that_dies_or_hangs_costs_its_deadline_and_no_more(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newer, "_START", program)
    monkeypatch.setattr(newer, "TIMEOUT", 0.5)
    helper = NewerSyntax()
    started = time.monotonic()
    assert [helper.older(b"def f[T](): pass\n") for _ in range(5)] == [None] * 5
    assert time.monotonic() - started < 10


def test_one_helper_serves_many_files() -> None:
    helper = NewerSyntax()
    try:
        answers = [helper.older(f"def f{number}[T](): pass\n".encode()) for number in range(20)]
    finally:
        helper.close()
    assert answers == [f"def f{number}(): pass\n".encode() for number in range(20)]

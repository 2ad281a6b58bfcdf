"""The registrar moves up, whole lines at a time, and not another byte of the file changes."""

from __future__ import annotations

import ast
import tokenize
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.api import Finding, FixContext, Limits, NothingToDoError, RefusedError, Source
from doctor.checks.task_decorator_order import task_decorator_order
from doctor.fixes.swap_decorators import SWAP_DECORATORS, swapped

JOBS = b"""\
from celery import shared_task
from tenacity import retry


@retry(reraise=True)
@shared_task
def first():
    pass


class Group:
    @staticmethod
    @retry
    # registered last
    @shared_task(
        name="second",  # kept
    )
    def second():
        pass
"""


class Disk:
    """Writes at once, as the engine's writer does, but without a journal."""

    def replace(self, path: Path, before: bytes, after: bytes) -> None:
        assert path.read_bytes() == before
        path.write_bytes(after)


class OnlySource:
    source = Disk()


def context_for(root: Path, index: int = 0) -> FixContext:
    source = Source.read(root)
    finding = [one for one in task_decorator_order.detect(source) if isinstance(one, Finding)][index]
    assert finding.recommended_fix is not None
    return FixContext(finding, finding.recommended_fix.arguments, Limits(), {"source": source})


async def repair(context: FixContext) -> str:
    plan = await SWAP_DECORATORS.plan(context)
    await SWAP_DECORATORS.apply(context, plan, OnlySource())  # type: ignore[arg-type]
    return plan.preview


def swap(text: bytes, above: str = "retry", registrar: str = "shared_task", function: str = "job") -> bytes:
    return swapped(text, function, registrar, above, 1)


async def test_the_check_is_silent_after_the_fix(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_bytes(JOBS)
    preview = await repair(context_for(tmp_path))
    assert preview.splitlines() == [
        "--- a/jobs.py",
        "+++ b/jobs.py",
        "@@ -2,8 +2,8 @@",
        " from tenacity import retry",
        " ",
        " ",
        "+@shared_task",
        " @retry(reraise=True)",
        "-@shared_task",
        " def first():",
        "     pass",
        " ",
    ]
    await repair(context_for(tmp_path))
    assert [one for one in task_decorator_order.detect(Source.read(tmp_path)) if isinstance(one, Finding)] == []
    assert sorted((tmp_path / "jobs.py").read_bytes().splitlines()) == sorted(JOBS.splitlines())


async def test_findings_of_one_file_compose_although_all_were_made_before_the_first_repair(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_bytes(JOBS)
    contexts = [context_for(tmp_path, 0), context_for(tmp_path, 1)]
    for context in contexts:
        await repair(context)
    assert [one for one in task_decorator_order.detect(Source.read(tmp_path)) if isinstance(one, Finding)] == []
    for context in contexts:
        with pytest.raises(NothingToDoError):
            await SWAP_DECORATORS.plan(context)


async def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_bytes(JOBS)
    context = context_for(tmp_path)
    (tmp_path / "jobs.py").unlink()
    with pytest.raises(RefusedError, match=r"jobs\.py cannot be read"):
        await SWAP_DECORATORS.plan(context)


@pytest.mark.parametrize(
    "content",
    [
        b"def first(:\n",
        b"x = 1\n",
        JOBS.replace(b"def first", b"def renamed"),
        JOBS.replace(b"@shared_task\n", b""),
        b'x = "\xe9"\n' + JOBS,
        b"# -*- coding: klingon -*-\n" + JOBS,
        b"\0" + JOBS,
    ],
    ids=["syntax", "emptied", "renamed", "registrar gone", "encoding", "cookie", "null byte"],
)
async def test_a_file_that_changed_too_much_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "jobs.py").write_bytes(JOBS)
    context = context_for(tmp_path)
    (tmp_path / "jobs.py").write_bytes(content)
    with pytest.raises(RefusedError):
        await SWAP_DECORATORS.plan(context)


async def test_lines_added_above_since_the_check_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_bytes(JOBS)
    context = context_for(tmp_path)
    (tmp_path / "jobs.py").write_bytes(b"# new\n" * 50 + JOBS)
    await repair(context)
    assert (tmp_path / "jobs.py").read_bytes().startswith(b"# new\n" * 50 + b"from celery")


CASES = {
    "plain": (b"@retry\n@shared_task\ndef job(): ...", b"@shared_task\n@retry\ndef job(): ..."),
    "comment between moves with the registrar": (
        b"# about job\n@retry  # three times\n# why\n@shared_task  # registers\ndef job(): ...\n",
        b"# about job\n# why\n@shared_task  # registers\n@retry  # three times\ndef job(): ...\n",
    ),
    "blank line between": (b"@retry\n\n@shared_task\ndef job(): ...\n", b"\n@shared_task\n@retry\ndef job(): ...\n"),
    "several lines each": (
        b"@retry(\n  1,\n)\n@shared_task(\n  name='x'  \n  )\ndef job(): ...\n",
        b"@shared_task(\n  name='x'  \n  )\n@retry(\n  1,\n)\ndef job(): ...\n",
    ),
    "a transparent decorator on top stays there": (
        b"@mark\n@retry\n@shared_task\n@timed\ndef job(): ...\n",
        b"@mark\n@shared_task\n@retry\n@timed\ndef job(): ...\n",
    ),
    "one between stays below": (
        b"@retry\n@mark\n@shared_task\ndef job(): ...\n",
        b"@shared_task\n@retry\n@mark\ndef job(): ...\n",
    ),
    "Windows line ends": (b"@retry\r\n@shared_task\r\ndef job(): ...", b"@shared_task\r\n@retry\r\ndef job(): ..."),
    "mixed line ends": (b"@retry\r\n@shared_task\ndef job(): ...\r\n", b"@shared_task\n@retry\r\ndef job(): ...\r\n"),
    "byte order mark": (
        b"\xef\xbb\xbf@retry\n@shared_task\ndef job(): ...\n",
        b"\xef\xbb\xbf@shared_task\n@retry\ndef job(): ...\n",
    ),
    "tabs and trailing spaces": (
        b"if 1:\n\t@retry \t\n\t@shared_task  \n\tdef job(): ...\n",
        b"if 1:\n\t@shared_task  \n\t@retry \t\n\tdef job(): ...\n",
    ),
    "old encoding": (
        b"# coding: latin-1\n@retry('\xe9')\n@shared_task\ndef job(): ...\n",
        b"# coding: latin-1\n@shared_task\n@retry('\xe9')\ndef job(): ...\n",
    ),
    "a form feed": (b"\x0c\n@retry\n@shared_task\ndef job(): ...\n", b"\x0c\n@shared_task\n@retry\ndef job(): ...\n"),
    "a backslash": (
        b"@retry(1) \\\n\n@shared_task\ndef job(): ...\n".replace(b" \\\n", b""),
        b"@shared_task\n@retry(1)\ndef job(): ...\n",
    ),
    "syntax of a newer Python": (
        b"def other[T](x: T) -> T: ...\n@retry\n@shared_task\ndef job(): ...\n",
        b"def other[T](x: T) -> T: ...\n@shared_task\n@retry\ndef job(): ...\n",
    ),
    "a triple-quoted string with blank lines": (
        b"@retry('''\n\n  a\n''')\n@shared_task\ndef job(): ...\n",
        b"@shared_task\n@retry('''\n\n  a\n''')\ndef job(): ...\n",
    ),
}


@pytest.mark.parametrize(("before", "after"), CASES.values(), ids=CASES)
def test_only_whole_decorator_lines_move(before: bytes, after: bytes) -> None:
    assert swap(before) == after


def test_of_several_definitions_the_wrong_one_nearest_to_the_line_is_taken() -> None:
    wrong, right = b"@retry\n@shared_task\ndef job(): ...\n", b"@shared_task\n@retry\ndef job(): ...\n"
    assert swapped(right + wrong + wrong, "job", "shared_task", "retry", 9) == right + wrong + right
    assert swapped(wrong + right, "job", "shared_task", "retry", 6) == right + right


def test_a_nested_function_is_found_by_its_qualified_name() -> None:
    text = b"def make():\n    class Inner:\n        @retry\n        @shared_task\n        def job(self): ...\n"
    assert b"@shared_task\n        @retry" in swap(text, function="make.<locals>.Inner.job")
    with pytest.raises(RefusedError):
        swap(text, function="job")


ENDS = st.sampled_from(["\n", "\r\n"])
COMMENTS = st.sampled_from(["", "# a note\n", "\n", "    # indented note\n", "# é\n\n"])
TRAILING = st.sampled_from(["", "  ", "\t", "  # why", "  # ñ"])
UPPER = st.sampled_from(
    ["retry", "retry()", "retry(1, b='x)')", "retry(\n  1,\n)", "retry('''\n\n@x\n''')", "retry  (1)"]
)
LOWER = st.sampled_from(["broker.task", "broker.task()", "broker . task", "broker.task(\n\tlabels={'a': 1},\n)"])
OTHERS = st.lists(st.sampled_from(["mark", "mark(1)", "app.timed", "get()(1)", "marks[0]"]), max_size=2)
INDENTS = st.sampled_from(["", "class A:\n    ", "if 1:\n\t", "def f():\n  class B:\n    "])


@st.composite
def files(draw: st.DrawFn) -> tuple[str, str]:
    """Return a file with one wrong function, and the function's qualified name."""
    opening = draw(INDENTS)
    indent = opening.rpartition("\n")[2]
    name = {"class A:": "A.job", "def f():": "f.<locals>.B.job"}.get(opening.partition("\n")[0], "job")
    decorators = [*draw(OTHERS), draw(UPPER), *draw(OTHERS), draw(LOWER), *draw(OTHERS)]
    text = draw(COMMENTS) + opening.removesuffix(indent)
    for decorator in decorators:
        text += f"{draw(COMMENTS)}{indent}@{decorator}{draw(TRAILING)}\n"
    kind = draw(st.sampled_from(["def", "async def"]))
    text += f"{indent}{kind} job(x):{draw(TRAILING)}\n{indent}    return x"
    text += draw(st.sampled_from(["", "\n", "\n\n# the end", "   \n"]))
    return text.replace("\n", draw(ENDS)), name


def lines(content: bytes, mark: bytes) -> list[bytes]:
    return content.removeprefix(mark).splitlines(keepends=True)


def tokens(content: bytes) -> list[str]:
    return sorted(token.string for token in tokenize.tokenize(BytesIO(content).readline))


def without_decorators(content: bytes) -> str:
    tree = ast.parse(content)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.decorator_list.sort(key=ast.dump)
    return ast.dump(tree)


@settings(max_examples=300, deadline=None)
@given(files(), st.sampled_from([b"", b"\xef\xbb\xbf"]))
def test_a_swap_moves_lines_and_nothing_else_and_a_second_one_has_nothing_to_do(
    file: tuple[str, str], mark: bytes
) -> None:
    text, name = file
    before = mark + text.encode()
    after = swapped(before, name, "broker.task", "retry", 1)
    assert len(after) == len(before)
    assert after.startswith(mark)
    assert sorted(lines(before, mark)) == sorted(lines(after, mark))
    assert after != before
    assert tokens(after) == tokens(before)
    assert without_decorators(after) == without_decorators(before)
    with pytest.raises(NothingToDoError):
        swapped(after, name, "broker.task", "retry", 1)

"""One call becomes an await, both checks are silent about it, and a second time there is nothing to do."""

from __future__ import annotations

import ast
import difflib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.api import (
    Applicability,
    Finding,
    FixContext,
    FixOption,
    Limits,
    NothingToDoError,
    RefusedError,
    Source,
)
from doctor.checks.double_initialisation import double_initialisation
from doctor.checks.init_race import init_race
from doctor.fixes.await_initialiser import AWAIT_INITIALISER, awaiting

INDEX = b"""\
import asyncio
from threading import Thread


class Index:
    ready = False

    def start(self):
        Thread(target=self.load).start()

    async def wait(self):
        if not self.ready:
            await asyncio.to_thread(self.load)

    def load(self):
        self.texts, self.ready = [], False
        self.ready = True

    async def add(self, text):
        self.start()  # at once
        if not self.ready:
            raise RuntimeError("not ready")
        self.texts.append(text)

    def search(self, text):
        self.start()
        if not self.ready:
            return []
        return self.texts
"""


class Disk:
    """Writes at once, as the engine's writer does, but without a journal."""

    def replace(self, path: Path, before: bytes, after: bytes) -> None:
        assert path.read_bytes() == before
        path.write_bytes(after)


class OnlySource:
    source = Disk()


def findings(root: Path) -> list[Finding]:
    source = Source.read(root)
    found = [*init_race.detect(source), *double_initialisation.detect(source)]
    return [one for one in found if isinstance(one, Finding)]


def by_code(root: Path) -> list[tuple[str, str]]:
    return [(one.code, one.resource.id.partition(":")[2]) for one in findings(root)]


def automatic(finding: Finding) -> FixOption | None:
    return next((one for one in finding.fixes if one.fix == AWAIT_INITIALISER.name), None)


async def repair(root: Path) -> list[str]:
    """Apply the fix to every finding that offers it; return the previews."""
    previews = []
    for finding in findings(root):
        option = automatic(finding)
        if option is not None:
            context = FixContext(finding, option.arguments, Limits(), {"source": Source.read(root)})
            plan = await AWAIT_INITIALISER.plan(context)
            await AWAIT_INITIALISER.apply(context, plan, OnlySource())  # type: ignore[arg-type]
            previews.append(plan.preview)
    return previews


async def test_the_await_takes_the_place_of_the_starter_and_the_checks_are_silent(tmp_path: Path) -> None:
    (tmp_path / "index.py").write_bytes(INDEX)
    assert by_code(tmp_path) == [("INI001", "Index.add"), ("INI001", "Index.search")]
    (preview,) = await repair(tmp_path)
    assert [line for line in preview.splitlines() if line[0] in "+-"][2:] == [
        "-        self.start()  # at once",
        "+        await self.wait()  # at once",
    ]
    after = INDEX.replace(b"self.start()  # at once", b"await self.wait()  # at once")
    assert (tmp_path / "index.py").read_bytes() == after
    assert by_code(tmp_path) == [("INI001", "Index.search")]


def test_what_raises_is_an_error_what_drops_is_a_warning_and_the_recommended_option_is_a_persons(
    tmp_path: Path,
) -> None:
    (tmp_path / "index.py").write_bytes(INDEX)
    add, search = findings(tmp_path)
    assert (add.severity, search.severity) == ("error", "warning")
    for finding in (add, search):
        assert [option.title[:2] for option in finding.fixes] == ["A:", "B:", "C:"]
        assert finding.recommended_fix is finding.fixes[2]
        assert all(option.tradeoff for option in finding.fixes)
    awaits = automatic(add)
    assert awaits is not None
    assert awaits.applicability is Applicability.UNSAFE
    assert automatic(search) is None  # it cannot await


async def test_what_runs_twice_runs_once_afterwards(tmp_path: Path) -> None:
    twice = INDEX.replace(b'        if not self.ready:\n            raise RuntimeError("not ready")\n', b"")
    twice = twice.replace(b"self.start()  # at once\n", b"self.start()  # at once\n        await self.wait()\n")
    (tmp_path / "index.py").write_bytes(twice)
    assert ("INI002", "Index.add") in by_code(tmp_path)
    await repair(tmp_path)
    assert (tmp_path / "index.py").read_bytes() == twice.replace(b"        self.start()  # at once\n", b"")
    assert by_code(tmp_path) == [("INI001", "Index.search")]


def test_where_another_object_starts_it_nothing_is_offered(tmp_path: Path) -> None:
    holder = INDEX.replace(b"self.start()", b"pass") + (
        b"\n\nclass Holder:\n    def __init__(self):\n        self.index = Index()\n\n"
        b"    def start(self):\n        self.index.start()\n\n"
        b"    async def add(self, text):\n        self.start()\n        if not self.index.ready:\n            raise E\n"
    )
    (tmp_path / "index.py").write_bytes(holder)
    (finding,) = findings(tmp_path)
    assert finding.resource.id == "index.py:Holder.add"
    assert automatic(finding) is None  # the holder has no method that waits


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"self . start ( )", b"await self . wait ( )"),
        (b"(self.start())", b"(await self.wait())"),
        (b"await self.start()", b"await self.wait()"),
        (b"x = 1; self.start(); y = 2", b"x = 1; await self.wait(); y = 2"),
        (b"if x: self.start()", b"if x: await self.wait()"),
        (b"self.index.start()  # \xc3\xa9", b"await self.index.wait()  # \xc3\xa9"),
    ],
)
def test_only_the_call_changes(before: bytes, after: bytes) -> None:
    around = b"\xef\xbb\xbfclass A:\r\n\tasync def f(self):\r\n\t\t%s\r\n\t\treturn  1\r\n"
    assert awaiting(around % before, "A.f", "start", "wait") == around % after


@pytest.mark.parametrize(
    "statement", ["self.start(1)", "x = self.start()", "start()", "self.begin()", "def g(): self.start()", "pass"]
)
def test_what_is_no_plain_call_of_the_starter_is_left_alone(statement: str) -> None:
    content = f"class A:\n    async def f(self):\n        {statement}\n    def g(self):\n        self.start()\n"
    for function in ("A.f", "A.g"):
        with pytest.raises(NothingToDoError):
            awaiting(content.encode(), function, "start", "wait")


def test_a_file_that_does_not_parse_is_refused() -> None:
    with pytest.raises(RefusedError):
        awaiting(b"class A:\n  async def", "A.f", "start", "wait")


NAMES = st.sampled_from(["_ensure", "start_up", "λ", "_load_now", "begin", "wait_for_it", "ready_then", "prepare"])
COMMENTS = st.sampled_from(["", "  # a note", "\t# é", "   "])
EXTRA = st.sampled_from(["", '"""A text."""\n', "x = [1,\n  2]\n", "logger.info('%s', 1)\n", "\n# between\n\n"])
STARTS = st.sampled_from(
    [
        "threading.Thread(target=self.{work}).start()",
        "self._t = threading.Thread(\n    target=self.{work}, daemon=True\n)\nself._t.start()",
        "asyncio.get_running_loop().run_in_executor(None, self.{work})",
        "self.pool.submit(self.{work})",
        "threading.Thread(target=lambda: self.{work}()).start()",
    ]
)
WAITS = st.sampled_from(["await asyncio.to_thread(self.{work})", "await loop.run_in_executor(None, self.{work})"])
ENDS = st.sampled_from(["raise RuntimeError('not yet')", "if self.strict: raise ValueError(1)\nreturn", "return []"])
TESTS = st.sampled_from(["not self.{flag}", "self.{flag} is False", "not (self.{flag})", "not self.{flag} and x"])


def indented(text: str, by: str) -> str:
    return "".join(by + line if line.strip() else line for line in text.splitlines(keepends=True))


@st.composite
def programs(draw: st.DrawFn) -> bytes:
    """Return a file in which a coroutine tests a flag too early, or initialises twice, in many ways of writing it."""
    starter, waiter, work, flag, caller = draw(st.lists(NAMES, min_size=5, max_size=5, unique=True))
    tab = draw(st.sampled_from(["    ", "\t", "  "]))

    def method(head: str, *body: str) -> str:
        return indented(f"{head}:{draw(COMMENTS)}\n{indented(''.join(body), tab)}", tab)

    def filled(template: str) -> str:
        return template.format(work=work, flag=flag)

    guard = f"if not self.{flag}:{draw(COMMENTS)}\n"
    methods = [
        method("def __init__(self)", f"self.{flag} = False\n", "self._t = None\n"),
        method(f"def {starter}(self)", draw(EXTRA), guard, indented(f"{filled(draw(STARTS))}\n", tab)),
        method(f"async def {waiter}(self)", guard, indented(f"{filled(draw(WAITS))}\n", tab)),
        method(f"def {work}(self)", draw(EXTRA), f"self.{flag} = True\n"),
    ]
    after = f"if {filled(draw(TESTS))}:\n{indented(draw(ENDS), tab)}\n"
    if draw(st.booleans()):
        after = f"await self.{waiter}(){draw(COMMENTS)}\n"
    call = draw(st.sampled_from(["self.{}()", "(self.{}())", "self .{}( )"])).format(starter)
    caller_body = (draw(EXTRA), f"{call}{draw(COMMENTS)}\n", draw(EXTRA), after, "self.done = 1\n")
    methods.insert(draw(st.integers(0, 4)), method(f"async def {caller}(self, x)", *caller_body))
    text = f"import asyncio, threading\n\nclass Index:\n{draw(st.sampled_from(['', chr(10)])).join(methods)}"
    text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.encode()


@settings(max_examples=150, deadline=None)
@given(programs())
async def test_whatever_the_file_looks_like_only_announced_lines_change_and_the_checks_are_silent(
    before: bytes,
) -> None:
    ast.parse(before)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "index.py"
        file.write_bytes(before)
        found = findings(Path(folder))
        assert found, before.decode()
        offered = [option for one in found if (option := automatic(one)) is not None]
        assert offered
        (preview, *_) = await repair(Path(folder))
        after = file.read_bytes()
        ast.parse(after)
        old, new = (content.decode().splitlines(keepends=True) for content in (before, after))
        changed = [line for line in difflib.ndiff(old, new) if line[0] in "+-"]
        announced = [line for line in preview.splitlines()[2:] if line[0] in "+-"]
        assert [line[2:].rstrip("\r\n") for line in changed] == [line[1:] for line in announced]
        assert len(old) - len(new) in (0, 1)  # a line goes where the await follows already
        assert findings(Path(folder)) == []
        with pytest.raises(NothingToDoError):
            awaiting(after, *(str(offered[0].arguments[name]) for name in ("function", "starter", "waiter")))

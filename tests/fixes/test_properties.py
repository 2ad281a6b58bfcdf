"""For any Python file: a fix that applies leaves a file that parses, differs only in the lines it announced, and is
found clean by its check; applied again, it changes nothing."""

from __future__ import annotations

import tempfile
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from doctor.api import (
    LINE,
    Applicability,
    Check,
    Finding,
    Fix,
    FixContext,
    Limits,
    NothingToDoError,
    RefusedError,
    Source,
    parse_source,
)
from doctor.checks.broker_settings import broker_settings
from doctor.checks.printf_arguments_to_loguru import printf_arguments_to_loguru
from doctor.checks.task_decorator_order import task_decorator_order
from doctor.fixes.broker_settings import BROKER_SETTINGS
from doctor.fixes.loguru_arguments import LOGURU_ARGUMENTS
from doctor.fixes.swap_decorators import SWAP_DECORATORS
from tests.fixes.python_files import PythonFile, python_files

FILE = "jobs.py"


def findings(source: Source, check: Check) -> list[Finding]:
    return [one for one in check.detect(source) if isinstance(one, Finding)]


def repairable(found: list[Finding], source: Source) -> Iterator[tuple[Finding, FixContext]]:
    for finding in found:
        option = finding.recommended_fix
        if option is not None and option.applicability is not Applicability.MANUAL:
            yield finding, FixContext(finding, option.arguments, Limits(), {"source": source})


async def repaired(root: Path, fix: Fix, context: FixContext) -> bytes:
    plan = await fix.plan(context)
    file, before, after = plan.payload
    assert file == root / FILE
    assert before == file.read_bytes()
    file.write_bytes(after)
    return after


def changed_lines(before: bytes, after: bytes) -> tuple[list[bytes], list[bytes], int]:
    """Return the lines that differ, without those that both begin or end with, and how many both begin with."""
    old, new = LINE.findall(before), LINE.findall(after)
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return old[start : len(old) - end], new[start : len(new) - end], start


async def prove(file: PythonFile, check: Check, fix: Fix, also: frozenset[bytes] = frozenset()) -> tuple[bytes, bytes]:
    """Repair the one finding; ``also`` are whole lines that may be added elsewhere. Return the lines that changed."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / FILE).write_bytes(file.content)
        source = Source.read(root)
        found = findings(source, check)
        repairs = list(repairable(found, source))
        assert len(repairs) == 1, file.content
        finding, context = repairs[0]
        try:
            after = await repaired(root, fix, context)
        except RefusedError:  # LibCST drops a last line that holds nothing but a form feed
            reject()
        parse_source(after.removeprefix(BOM_UTF8))
        assert after.startswith(BOM_UTF8) == file.content.startswith(BOM_UTF8)
        lines = LINE.findall(after.removeprefix(BOM_UTF8))
        without = b"".join(line for line in lines if line.strip() not in also)
        old, new, start = changed_lines(file.content.removeprefix(BOM_UTF8), without)
        assert old != new
        assert file.first - 1 <= start, (file, after)
        assert start + len(old) <= file.last, (file, after)
        left = findings(Source.read(root), check)
        assert finding.fingerprint not in {one.fingerprint for one in left}
        assert len(left) == len(found) - 1
        with pytest.raises(NothingToDoError):
            await repaired(root, fix, context)
        assert (root / FILE).read_bytes() == after
        return b"".join(old), b"".join(new)


TRAILING = st.sampled_from(["", "  ", "\t", "  # why", "  # é"])
UPPER = st.sampled_from(
    [
        "retry",
        "retry()",
        "retry(1, b='x)')",
        "retry(\n  1,\n)",
        "retry('''\n\n@x\n''')",
        "retry  (1)",
        "retry(1 +\\\n 2)",
    ]
)
LOWER = st.sampled_from(["broker.task", "broker.task()", "broker.task ( )", "broker.task(\n\tlabels={'a': 1},\n)"])
OTHERS = st.lists(st.sampled_from(["mark", "mark(1)", "app.timed", "get()(1)", "marks[0]"]), max_size=2)
BETWEEN = st.sampled_from(["", "", "# a note\n", "\n", "# é\n\n"])


@st.composite
def wrong_orders(draw: st.DrawFn) -> str:
    decorators = [draw(UPPER), *draw(OTHERS), draw(LOWER), *draw(OTHERS)]
    text = "".join(f"{draw(BETWEEN) if place else ''}@{one}{draw(TRAILING)}\n" for place, one in enumerate(decorators))
    return f"{text}{draw(st.sampled_from(['def', 'async def']))} job(x):{draw(TRAILING)}\n    return x"


IMPORTS = {
    "swap": "from taskiq import InMemoryBroker\nfrom tenacity import retry\nbroker = InMemoryBroker()",
    "loguru": "from loguru import logger",
    "broker": "from taskiq_nats import NatsBroker, PullBasedJetStreamBroker as Pull",
}


@settings(max_examples=25, deadline=None)
@given(python_files(IMPORTS["swap"], wrong_orders()))
async def test_swapping_moves_whole_lines_of_the_decorators(file: PythonFile) -> None:
    old, new = await prove(file, task_decorator_order, SWAP_DECORATORS)
    assert Counter(LINE.findall(old)) == Counter(LINE.findall(new))


@st.composite
def lost_arguments(draw: st.DrawFn) -> str:
    pieces = draw(st.lists(st.sampled_from(["%s", "%d", " text ", "é", "\\n", "100% "]), min_size=1, max_size=5))
    count = sum(piece in ("%s", "%d") for piece in pieces)
    if not count:
        pieces, count = [*pieces, "%s"], 1
    quote = draw(st.sampled_from(['"', "'", '"""']))
    prefix = draw(st.sampled_from(["", "", "r", "u"]))
    message = f"{prefix}{quote}{''.join(pieces)}{quote}"
    if draw(st.booleans()):
        message = f'"piece "\n    {message}'
    values = draw(
        st.lists(st.sampled_from(["x", "f('%s', 1)", "'%s'", "[1,\n 2]", "a % b"]), min_size=count, max_size=count)
    )
    logger = draw(st.sampled_from(["logger", "logger.bind(x=1)", "logger . opt(depth=1)"]))
    comma = draw(st.sampled_from(["", ",", " , # é\n"]))
    start = draw(st.sampled_from(["", "y = '%s', ", "print('%s', 1); "]))
    return f"{start}{logger}.info( {message} ,{', '.join(values)}{comma})  # %s"


@settings(max_examples=25, deadline=None)
@given(python_files(IMPORTS["loguru"], lost_arguments()))
async def test_only_the_placeholders_of_the_one_message_change(file: PythonFile) -> None:
    old, new = await prove(file, printf_arguments_to_loguru, LOGURU_ARGUMENTS)
    assert old.count(b"%s") + old.count(b"%d") - new.count(b"%s") - new.count(b"%d") == new.count(b"{}")
    assert old.replace(b"%s", b"").replace(b"%d", b"") == new.replace(b"{}", b"").replace(b"%s", b"").replace(
        b"%d", b""
    )


@st.composite
def brokers(draw: st.DrawFn) -> str:
    """Return a broker that lacks one setting."""
    kind, missing = draw(st.sampled_from([("NatsBroker", "queue"), ("Pull", "pull_consume_timeout")]))
    given_ = [] if missing == "queue" else ["stream_config=f()", "consumer_config=g()"]
    arguments = [draw(st.sampled_from(["'nats://é'", "URL", "[\n  'a',\n  'b']"])), *given_]
    separator = draw(st.sampled_from([", ", ",", ",\n        ", ",  # é\n    "]))
    ending = draw(st.sampled_from(["", ",", ",  # last\n", " ,\n"]))
    opening = draw(st.sampled_from(["", "\n    ", " "]))
    target = draw(st.sampled_from(["broker = ", "a = b = ", ""]))
    return f"{target}{kind}({opening}{separator.join(arguments)}{ending}){draw(TRAILING)}"


@settings(max_examples=25, deadline=None)
@given(python_files(IMPORTS["broker"], brokers()))
async def test_one_keyword_is_added_to_the_one_call(file: PythonFile) -> None:
    old, new = await prove(file, broker_settings, BROKER_SETTINGS)
    assert len(new) > len(old)


@st.composite
def impatient_brokers(draw: st.DrawFn) -> str:
    durable = draw(st.sampled_from(["", ", durable='é'", ",\n    durable=NAME"]))
    return f"broker = Pull('nats://x', stream_config=f(), pull_consume_timeout=1{durable}){draw(TRAILING)}"


@settings(max_examples=25, deadline=None)
@given(python_files(IMPORTS["broker"], impatient_brokers()))
async def test_a_longer_wait_adds_its_keyword_and_one_import(file: PythonFile) -> None:
    added = frozenset({b"from nats.js.api import ConsumerConfig"})
    await prove(file, broker_settings, BROKER_SETTINGS, also=added)

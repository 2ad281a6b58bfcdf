"""An excerpt of a file says of its places what the whole file says."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.source.build import build_facts
from doctor.source.collector import Collector, Module
from doctor.source.collectors.context_sizes import COLLECTOR as CONTEXT_SIZES
from doctor.source.collectors.environment_reads import COLLECTOR as READS
from doctor.source.collectors.task_results import COLLECTOR as RESULTS
from doctor.source.excerpt import excerpt
from doctor.source.facts import Unparsable
from doctor.source.parse import lines_of, parse

STATEMENTS = (
    "import os\n",
    "from os import (\n    environ,\n    getenv,\n)\n",
    "try:\n    from decouple import config\nexcept ImportError:\n    config = None\n",
    'URL = os.getenv("URL", "a")\n',
    "class One:\n    '''says os.getenv(\"NO\")'''\n\n    def method(self):\n        return environ['B']\n",
    '@decorated(\n    1,\n)\n@again\ndef function():\n    return getenv("C")\n',
    'if URL:\n    D = config("D")\nelif 1:\n    D = getenv("D2")\nelse:\n    D = 1\n',
    '"""\nimport os\nE = os.getenv("E")\n"""\n',
    "TEXT = '''\nF = os.getenv(\"F\")\n'''\n",
    'MANY = [\n"one",\n"two",\nos.environ["G"],\n]\n',
    "# os.getenv('H')\n",
    'H = 1 + \\\n    len(os.environ["I"])\n',
    'if "G" in os.environ:\n    J = os.environ["G"]\n',
    'os.environ["SET"] = "x"\n',
    "result = task.wait_result(timeout=1)\n",
    "async def later():\n    return await started.wait_result()\n",
    'OPTIONS = {"num_ctx": 4096}\n',
)


def found(collector: Collector, content: bytes) -> Iterator[object]:
    return iter(collector.collect(Module("a.py", "a", ast.parse(content), lines_of(content))))


@pytest.mark.parametrize("collector", [READS, RESULTS, CONTEXT_SIZES], ids=lambda one: str(one.name))
@given(st.lists(st.sampled_from(STATEMENTS), max_size=8))
def test_an_excerpt_gives_the_facts_of_the_whole_file(collector: Collector, statements: list[str]) -> None:
    content = "".join(statements).encode()
    assert collector.within is not None
    places = collector.within(content)
    part = None if places is None else excerpt(content, places)
    if part is not None and not isinstance(parse(part, "a.py", "a"), Unparsable):  # else all of it is read
        assert part.count(b"\n") == content.count(b"\n")
        assert list(found(collector, part)) == list(found(collector, content))


def test_an_excerpt_leaves_out_what_holds_no_place() -> None:
    content = b"import os\n\ndef a():\n    return 1\n\n@b\ndef c():\n    return 2\n\nD = 3\n"
    assert excerpt(content, [content.index(b"return 2")]) == b"import os\n\n\n\n\n@b\ndef c():\n    return 2\n\n\n"


@pytest.mark.parametrize("content", [b"# coding: latin-1\nA = 1\n", b"A = '''\"\"\"'''\n", b'A = """\n'])
def test_where_quotes_or_an_encoding_leave_a_doubt_there_is_no_excerpt(content: bytes) -> None:
    assert excerpt(content, []) is None


def test_of_a_large_tree_the_same_reads_are_known(tmp_path: Path) -> None:
    for number, statement in enumerate(STATEMENTS):
        (tmp_path / f"part{number}.py").write_text("".join(STATEMENTS[:2]) + statement)
    whole = build_facts(tmp_path)
    parts = build_facts(tmp_path, syntax_budget=0)
    assert whole.collected[READS.name] == parts.collected[READS.name]
    cut_in_two = 1  # the list, which is read as a whole for that
    assert (whole.unchecked, parts.unchecked) == (0, len(STATEMENTS) - cut_in_two)

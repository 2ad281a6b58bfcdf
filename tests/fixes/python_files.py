"""Python files of every shape, each with one statement that a fix is to change, for the properties of the fixes."""

from __future__ import annotations

from codecs import BOM_UTF8
from dataclasses import dataclass

from hypothesis import strategies as st

CHUNKS = (
    "",
    "\f",
    "x = 1  # a comment  ",
    "# a comment of its own é",
    "    # a comment that is indented",
    "y = [\n    1,\n\t2,  # two\n]",
    "z = 1 + \\\n    2",
    "x = 1; y = 2 ;",
    "def other(a, /, b=1, *, c: int = 2) -> None:\n\treturn a",
    "class Other(object) :\n    x : int=1\n\n    def method(self): return 'x'",
    "text = '''\n@retry\n@broker.task\n  logger.info(\"%s\", 1)\n'''",
    "if x:\n    pass\nelse :\n        pass",
    "if x:\n\tif y:\n\t\tpass  \n\n\n",
    "match x:\n    case [1, *rest] if rest:\n        pass",
    "async def generate():\n    async with a as b, c as d:\n        yield",
    "try:\n    pass\nexcept* ValueError:\n    pass",
    "@other.decorator\n@mark ( 1 )\n# between\n@mark\ndef decorated(): ...",
    "def outer():\n    def inner():\n        class Deep:\n            def method(self): pass\n    return inner",
    "s = f\"{x!r:>{10}} {'a'}\"",
    "(a\n  .b(1)\n  .c)",
    "lambda x, *y: (x, y)",
)

NEWER = ("", "", "", "def generic[T](x: T) -> T:\n    return x", "type Alias[T] = list[T]", 's = f"{x["a"]} {"b"}"')
"""What Python 3.11 does not parse; seldom, because each such file is read by a process of its own."""


@dataclass(frozen=True, slots=True)
class PythonFile:
    """``content`` holds the statement once, on the lines ``first`` to ``last``."""

    content: bytes
    first: int
    last: int


WAYS_IN = st.sampled_from(
    [
        (),
        ("def outer():",),
        ("class Outer:",),
        ("if True :",),
        ("class Outer:", "def method(self):"),
        ("def outer():", "class Inner:", "async def method(self):"),
    ]
)
INDENTS = st.sampled_from(["    ", "\t", "  "])
ENCODINGS = st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "latin-1"])
LINE_ENDS = st.sampled_from([["\n"], ["\r\n"], ["\r"], ["\n", "\r\n"]])


@st.composite
def python_files(draw: st.DrawFn, imports: str, statements: st.SearchStrategy[str]) -> PythonFile:
    """Return a file with ``imports``, one of the ``statements``, and anything around them."""
    encoding = draw(ENCODINGS)
    chunks = st.lists(st.sampled_from(CHUNKS), max_size=4)
    head = ["# -*- coding: latin-1 -*-"] if encoding == "latin-1" else []
    before = "\n".join([*head, *draw(chunks), draw(st.sampled_from(NEWER)), imports, *draw(chunks)]) + "\n"
    way, indent = draw(WAYS_IN), draw(INDENTS)
    for depth, opening in enumerate(way):
        before += f"{indent * depth}{opening}\n"
    prefix = indent * len(way)
    statement = "".join(f"{prefix if line else ''}{line}\n" for line in draw(statements).split("\n"))
    after = "\n".join(draw(chunks))
    text = before + statement + after + draw(st.sampled_from(["", "\n", "\n\n# the end", "  \n"]))
    if not after and draw(st.booleans()):
        text = text.rstrip("\n")
    first = before.count("\n") + 1
    return PythonFile(_encoded(draw, text, encoding), first, first + statement.count("\n") - 1)


def _encoded(draw: st.DrawFn, text: str, encoding: str) -> bytes:
    ends = draw(LINE_ENDS)
    lines = text.split("\n")
    joined = lines[0] + "".join(f"{draw(st.sampled_from(ends))}{line}" for line in lines[1:])
    return (BOM_UTF8 if encoding == "utf-8-sig" else b"") + joined.encode(encoding.removesuffix("-sig"))

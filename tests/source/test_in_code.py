"""What stands in docstrings and comments is told from what stands in code, without a parse."""

from __future__ import annotations

import re

import pytest

from doctor.source.in_code import any_in_code

NAME = re.compile(rb"llama3")


@pytest.mark.parametrize(
    "text",
    [
        'model = "llama3"\n',
        '"""llama3"""\nmodel = "llama3"\n',
        'def f(model="llama3"):\n    """Ask llama3."""\n',
        'model = "llama3"  # or llama2\n',
        '# """ is a quote\nmodel = "llama3"\n',
        "'''Doc.'''\nmodel = 'llama3'\n",
    ],
)
def test_what_stands_in_code_is_seen(text: str) -> None:
    assert any_in_code(text.encode(), NAME.finditer(text.encode()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = 1\n",
        '"""Ask llama3."""\n',
        'def f():\n    """Say\n\n    >>> f("llama3")\n    """\n',
        "    # model = 'llama3'\n",
        '"""llama3"""\n"""llama3"""\n# llama3\n',
    ],
)
def test_what_stands_in_docstrings_and_comments_is_not(text: str) -> None:
    assert not any_in_code(text.encode(), NAME.finditer(text.encode()))


def test_a_comment_ends_with_its_line_whatever_ends_that() -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        content = b"# not here" + end + b"here = 1" + end
        assert any_in_code(content, re.finditer(b"here = ", content))

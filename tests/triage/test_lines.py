"""Bytes become the same clean lines however they arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.triage.lines import LONGEST, BinaryContentError, LineReader


def lines(content: bytes, *cuts: int) -> list[str]:
    reader, found, begin = LineReader(), [], 0
    for cut in (*sorted(cuts), len(content)):
        found += reader.feed(content[begin:cut])
        begin = cut
    return found + reader.finish()


@pytest.mark.parametrize(
    "content, expected",
    [
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\ntwo", ["one", "two"]),
        (b"\xef\xbb\xbfone\n", ["one"]),
        ("one\nzwölf\n".encode("utf-16"), ["one", "zwölf"]),
        ("one\nzwölf\n".encode("utf-16-le"), ["one", "zwölf"]),
        ("one\nzwölf\n".encode("utf-16-be"), ["one", "zwölf"]),
        (b"\x1b[33m\x1b[1mWARNING \x1b[0m| x\n", ["WARNING | x"]),
        (b"10%\r50%\r100%\nnext\n", ["100%", "next"]),
        (b"one\rtwo\rthree", ["one", "two", "three"]),
        (b"a\x00b\n", ["ab"]),
        (b"\x1b]0;title\x07seen\n", ["seen"]),
        (b"bad \xff\xfe bytes\n", ["bad \ufffd\ufffd bytes"]),
        ("turned \u202e round\n".encode(), ["turned  round"]),
        ("a\u2028b\n".encode(), ["a b"]),
    ],
)
def test_lines_come_out_clean(content: bytes, expected: list[str]) -> None:
    assert lines(content) == expected


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(BinaryContentError):
        LineReader().feed(bytes(range(256)) * 10)


def test_an_endless_line_is_cut_between_words_and_the_next_one_is_whole() -> None:
    reader = LineReader()
    found: list[str] = []
    for _ in range(100):
        found += reader.feed(b"word " * 20_000)
    found += reader.feed(b"\nnext\n")
    assert [found[0].rstrip()[-4:], *found[1:]] == ["word", "next"]
    assert len(found[0]) <= LONGEST
    assert reader.cut == 1


WORDS = st.text(st.sampled_from("abß€😀 \t"), max_size=12)


@given(st.lists(WORDS, min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]), st.data())
def test_it_does_not_matter_where_the_pieces_are_cut(some: list[str], end: str, data: st.DataObject) -> None:
    content = ("begins with letters\n" + end.join(some)).encode()
    cuts = data.draw(st.lists(st.integers(1, len(content)), max_size=5))
    whole = lines(content)
    assert lines(content, *cuts) == whole
    assert whole[1:] == ([*some] if some[-1] else some[:-1])

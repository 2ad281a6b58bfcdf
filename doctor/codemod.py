"""Changing a source file by a syntax tree that keeps every byte that is not meant.

LibCST is imported only when a repair needs it (180 ms).
"""

from __future__ import annotations

import difflib
import re
from codecs import BOM_UTF8
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from doctor.fix import NothingToDoError, RefusedError

if TYPE_CHECKING:
    from libcst import CSTTransformer
    from libcst.metadata import MetadataWrapper

AGAIN = "run `doctor check` again"
LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def read_source(file: Path, path: str) -> bytes:
    """Return the file's content; ``path`` is how it is named in messages.

    Raises:
        RefusedError: it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise RefusedError(f"{path} cannot be read ({error.strerror}); {AGAIN}") from error


def parse_source(content: bytes) -> MetadataWrapper:
    """Return the syntax tree of a file without byte order mark; its lines have the numbers that they have in the file.

    Every line end is read as ``\\n``, for LibCST loses some ends of a file that mixes them.

    Raises:
        RefusedError: it does not parse.
    """
    import libcst
    from libcst.metadata import MetadataWrapper

    try:
        module = libcst.parse_module(content.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    except (libcst.ParserSyntaxError, SyntaxError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(f"the file does not parse any more: {type(error).__name__}; {AGAIN}") from error
    if len(LINE.findall(module.bytes)) != len(LINE.findall(content)):
        raise RefusedError("LibCST does not keep every line of the file; change it by hand")
    return MetadataWrapper(module, unsafe_skip_copy=True)


def transformed(content: bytes, transformer: Callable[[], CSTTransformer]) -> bytes:
    """Return the file after one pass of a LibCST transformer; lines that it leaves alone stay byte for byte.

    Raises:
        NothingToDoError: the transformer changed nothing.
        RefusedError: the file does not parse, or the changed one would not.
    """
    mark = BOM_UTF8 if content.startswith(BOM_UTF8) else b""
    body = content.removeprefix(mark)
    wrapper = parse_source(body)
    before = wrapper.module.bytes
    after = wrapper.visit(transformer()).bytes
    if after == before:
        raise NothingToDoError("the file is already as it should be")
    changed = _with_changes(body, before, after)
    parse_source(changed)
    return mark + changed


def _with_changes(content: bytes, before: bytes, after: bytes) -> bytes:
    """Return a file with what differs between two texts of its tree: a line that is equal in both stays as it is, and
    a changed one keeps its line end. A last line without one may become several."""
    lines = LINE.findall(content)
    old, new = (text.removesuffix(b"\n").split(b"\n") for text in (before, after))
    result: list[bytes] = []
    for tag, first, last, start, stop in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            result += lines[first:last]
            continue
        ends = [_end(line) for line in lines[first:last]] or [_end(lines[max(0, first - 1)])]
        result += [text + ends[min(place, len(ends) - 1)] for place, text in enumerate(new[start:stop])]
    end = _end(next(iter(lines), b"")) or b"\n"
    return b"".join([*(line if _end(line) else line + end for line in result[:-1]), *result[-1:]])


def _end(line: bytes) -> bytes:
    return line[len(line.rstrip(b"\r\n")) :]


def difference(before: bytes, after: bytes, path: str) -> str:
    """Return a unified diff for showing; undecodable bytes are replaced."""
    old, new = (
        [line.decode("utf-8", "replace").rstrip("\r\n") for line in LINE.findall(content)]
        for content in (before, after)
    )
    return "\n".join(difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", lineterm="")) + "\n"

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
    """Return the syntax tree of a file without byte order mark.

    Raises:
        RefusedError: it does not parse.
    """
    import libcst
    from libcst.metadata import MetadataWrapper

    try:
        return MetadataWrapper(libcst.parse_module(content), unsafe_skip_copy=True)
    except (libcst.ParserSyntaxError, SyntaxError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(f"the file does not parse any more: {type(error).__name__}; {AGAIN}") from error


def transformed(content: bytes, transformer: Callable[[], CSTTransformer]) -> bytes:
    """Return the file after one pass of a LibCST transformer; everything that it leaves alone stays byte for byte.

    Raises:
        NothingToDoError: the transformer changed nothing.
        RefusedError: the file does not parse, or the changed one would not.
    """
    mark = BOM_UTF8 if content.startswith(BOM_UTF8) else b""
    wrapper = parse_source(content.removeprefix(mark))
    after = mark + wrapper.visit(transformer()).bytes
    if after == content:
        raise NothingToDoError("the file is already as it should be")
    parse_source(after.removeprefix(mark))
    return after


def difference(before: bytes, after: bytes, path: str) -> str:
    """Return a unified diff for showing; undecodable bytes are replaced."""
    old, new = (
        [line.decode("utf-8", "replace").rstrip("\r\n") for line in LINE.findall(content)]
        for content in (before, after)
    )
    return "\n".join(difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", lineterm="")) + "\n"

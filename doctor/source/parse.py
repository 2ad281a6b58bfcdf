"""From bytes to a syntax tree, or to the reason why there is none; never an exception, whatever the file holds."""

from __future__ import annotations

import ast
import os
import re
import stat
import symtable
import sys
import time
import warnings
from pathlib import Path
from typing import NamedTuple

from doctor.file_names import real
from doctor.source.discover import Stamp
from doctor.source.facts import Unparsable, UnparsableKind

MAX_BYTES = 4_000_000
"""A larger file is no code that anybody wrote."""

GRANULARITY = 2_000_000_000
"""Nanoseconds within which two writes may leave the same time behind (FAT: 2 s); git calls such a file racily clean."""

_CONFLICT = re.compile(rb"^<{7} .*$(?s:.*?)^={7}\r?$(?s:.*?)^>{7} ", re.MULTILINE)
_LINE_END = re.compile(rb"\r\n|\r|\n")


class Content(NamedTuple):
    """The bytes of a file; ``stamp`` is None when it was written to so lately that its times may lie."""

    content: bytes
    stamp: Stamp | None


def read(root: Path, path: str) -> bytes | tuple[UnparsableKind, str]:
    """Return the content of a regular file, or why it cannot be read."""
    found = read_stamped(root, path)
    return found.content if isinstance(found, Content) else found


def read_stamped(root: Path, path: str) -> Content | tuple[UnparsableKind, str]:
    """Return the content of a regular file and what the file system says of it, or why it cannot be read."""
    try:
        # Without O_NONBLOCK, a FIFO that took the file's place since it was found would never open.
        descriptor = os.open(f"{root}/{real(path)}", os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            return _content(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        return UnparsableKind.UNREADABLE, error.strerror or type(error).__name__


def _content(descriptor: int) -> Content | tuple[UnparsableKind, str]:
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode):
        return UnparsableKind.UNREADABLE, "not a regular file"
    if state.st_size > MAX_BYTES:
        return UnparsableKind.TOO_LARGE, f"{state.st_size:,} bytes; files up to {MAX_BYTES:,} bytes are read"
    # Whatever writes to it from now on leaves a later time behind than that of a file that has settled.
    settled = max(state.st_mtime_ns, state.st_ctime_ns) < time.time_ns() - GRANULARITY
    content = os.read(descriptor, MAX_BYTES + 1)
    return Content(content, Stamp.of(state) if settled else None)


def parse(content: bytes, path: str, module: str) -> ast.Module | Unparsable:
    """Parse a file as the running Python does, with its byte order mark and its coding cookie."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes are the target's affair, not this process's
            return ast.parse(content)
    except SyntaxError as error:
        return _syntax_error(error, content, path, module)
    except ValueError as error:  # Python 3.11 refuses null bytes before it parses
        return Unparsable(path, module, UnparsableKind.NULL_BYTES, str(error), conflict_line(content))
    except (RecursionError, MemoryError) as error:
        reason = str(error) or type(error).__name__
        return Unparsable(path, module, UnparsableKind.TOO_DEEP, reason)


def syntax_problem(content: bytes, path: str, module: str) -> Unparsable | None:
    """Return why a file cannot be parsed, or None; quicker than parsing it, for no tree is made."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            symtable.symtable(content, path, "exec")  # type: ignore[arg-type]  # bytes as well, as compile does
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # what is wrong, the parser says better
        tree = parse(content, path, module)
        return tree if isinstance(tree, Unparsable) else None
    return None


def _syntax_error(error: SyntaxError, content: bytes, path: str, module: str) -> Unparsable:
    conflict = conflict_line(content)
    message = error.msg
    kind = UnparsableKind.SYNTAX
    if b"\0" in content:
        kind = UnparsableKind.NULL_BYTES
    elif "codec can't decode" in message or "unknown encoding" in message or "encoding problem" in message:
        kind = UnparsableKind.ENCODING
    elif "too many nested" in message or "too complex" in message:
        kind = UnparsableKind.TOO_DEEP
    if kind is UnparsableKind.SYNTAX:
        message = f"{message} (Python {sys.version_info.major}.{sys.version_info.minor})"
    line = conflict if conflict is not None else error.lineno or None
    return Unparsable(path, module, kind, message, line, has_conflict_markers=conflict is not None)


def conflict_line(content: bytes) -> int | None:
    """Return the line of the first complete set of merge conflict markers, or None."""
    if b"<<<<<<< " not in content or b">>>>>>> " not in content:
        return None
    found = _CONFLICT.search(content)
    return None if found is None else len(_LINE_END.findall(content[: found.start()])) + 1


def lines_of(content: bytes) -> list[str]:
    """Return the lines as Python counts them, without their ends, for showing; undecodable bytes are replaced."""
    return [line.decode("utf-8", "replace") for line in _LINE_END.split(content.removeprefix(b"\xef\xbb\xbf"))]

"""From bytes to clean lines: encodings, line ends, terminal sequences, lines without end.

Works through large pieces at once, for almost all of them need nothing. A piece of a line that is longer than
:data:`LONGEST` is dropped and counted; progress bars that overwrite themselves with ``\\r`` leave their last state.
"""

from __future__ import annotations

import codecs
import re

from doctor.redaction import printable

LONGEST = 65_536
"""Characters of a line that are kept."""

LOOKED_AT = 65_536
"""Bytes at the beginning that decide the encoding."""

FEW = 8
"""Control characters that are no proof of anything."""

_DIRTY = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\r\x1b\x08\x0c")


class BinaryContentError(Exception):
    """The bytes are no text."""


class LineReader:
    """Takes pieces of bytes, gives lines. ``cut`` counts lines that were too long, ``invalid`` those that were not in
    the encoding."""

    def __init__(self) -> None:
        self.cut = 0
        self.invalid = 0
        self._decoder: codecs.IncrementalDecoder | None = None
        self._rest = ""
        self._is_cut = False
        self._has_newline = False

    def feed(self, piece: bytes) -> list[str]:
        """Return the lines that are complete with these bytes.

        Raises:
            BinaryContentError: the first bytes are no text.
        """
        if self._decoder is None:
            self._decoder, piece = _decoder(piece)
        return self._lines(self._decoder.decode(piece))

    def finish(self) -> list[str]:
        """Return what is left, which no newline ends."""
        text = "" if self._decoder is None else self._decoder.decode(b"", final=True)
        lines = self._lines(text)
        if self._rest:
            rest, self._rest = self._rest, ""
            lines += [self._clean(one) for one in ([rest] if self._has_newline else rest.split("\r"))]
        return lines

    def _lines(self, text: str) -> list[str]:
        end = text.rfind("\n")
        if end < 0:
            self._keep(text)
            return []
        self._has_newline = True
        if self._is_cut:  # here ends the line that was too long
            begin = text.index("\n")
            text, end, self._is_cut = text[begin:], end - begin, False
        body, rest = self._rest + text[:end], text[end + 1 :]
        self._rest = ""
        self._keep(rest)
        if "\r" in body:
            body = body.replace("\r\n", "\n").removesuffix("\r")
        if "\N{REPLACEMENT CHARACTER}" in body:
            self.invalid += body.count("\N{REPLACEMENT CHARACTER}")
        lines = body.split("\n")
        if _DIRTY.search(body) is not None:
            lines = [self._clean(line) if _DIRTY.search(line) else line for line in lines]
        if len(body) > LONGEST:
            lines = [line if len(line) <= LONGEST else self._shortened(line) for line in lines]
        return lines

    def _keep(self, text: str) -> None:
        """Keep the beginning of a line whose end is still to come."""
        if self._is_cut:
            return
        self._rest += text
        if len(self._rest) > LONGEST:
            self._is_cut = True
            self._rest = self._shortened(self._rest)

    def _shortened(self, line: str) -> str:
        """Cut between words: half a secret would not be recognised as one."""
        self.cut += 1
        blank = line.rfind(" ", LONGEST // 2, LONGEST)
        return line[: blank if blank > 0 else LONGEST // 2]

    def _clean(self, line: str) -> str:
        if "\r" in line:
            line = next((part for part in reversed(line.split("\r")) if part.strip()), "")
        return printable(line).replace("\n", " ")


def _decoder(piece: bytes) -> tuple[codecs.IncrementalDecoder, bytes]:
    """Return the decoder for what begins like this, and the bytes behind the mark of their order."""
    head = piece[:LOOKED_AT]
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if head.startswith(mark):
            return codecs.getincrementaldecoder(name)("replace"), piece[len(mark) :]
    for name, nulls in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if len(head) >= 8 and nulls.count(0) > 0.8 * len(nulls) and head.count(0) < 0.6 * len(head):
            return codecs.getincrementaldecoder(name)("replace"), piece
    control = len(head) - len(head.translate(None, _CONTROL))
    if control > max(FEW, 0.1 * len(head)):
        raise BinaryContentError
    return codecs.getincrementaldecoder("utf-8")("replace"), piece

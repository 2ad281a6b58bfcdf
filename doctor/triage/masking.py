"""Takes out of a message what differs from one time to the next, so that lines of one origin read the same.

A message goes word by word: words without a digit stay, unless they are an address, a path or a long hexadecimal
number; of a word with a digit only what surrounds its value stays (``size=<*>,``). Quoted words stay: ``'function'
object has no attribute 'kiq'`` is the whole diagnosis. The result depends on the message alone, never on those before.
"""

from __future__ import annotations

import re

from doctor.redaction_rules import PLACEHOLDER
from doctor.redaction_screen import is_suspect

VERSION = "sigv1"
"""Raised when the same message would be masked in another way: ids of before are then no longer comparable."""

VALUE = "<*>"

LONGEST = 2_000
"""Characters of a message that are looked at."""

_CACHED = 200_000
"""Words that are remembered."""

_LONGEST_CACHED = 48
_LONGEST_VALUE = 8
"""Characters of a word that is remembered: as it is, or with a value in it. A long value hardly comes again."""

_VARIES = re.compile(r"[0-9/\\@]|\w\.\w[\w.-]*[A-Za-z]|(?<![A-Za-z])[a-f]{8,}(?![A-Za-z])")
_EDGES = re.compile(r"(?P<before>[\"'`(\[{<]*)(?P<core>.*?)(?P<after>[\"'`)\]}>,;:.!?]*)", re.DOTALL)
_COUNTRIES = (
    "at|au|be|br|ca|ch|cn|cz|de|dk|es|eu|fi|fr|gr|hk|hu|ie|il|jp|kr|lt|lv|mx|nl|nz|pt|ro|ru|se|sg|sk|tr|tw|ua|uk|us|za"
)
_HOST = re.compile(
    rf"(?:[A-Za-z0-9_-]+\.)+(?:com|org|net|edu|gov|mil|info|local|internal)(?::\d+)?|(?:[A-Za-z0-9_-]+\.){{2,}}(?:{_COUNTRIES})(?::\d+)?"
)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.*|[^@/\s]+@[\w.-]+\.\w+", re.DOTALL)
_PATH = re.compile(
    r"(?:~|\.{1,2})?/[^\s]*|[A-Za-z]:\\.*|\\\\.*|[\w.-]+(?:[/\\][\w.*-]+){2,}[/\\]?"
    r"|[\w.-]+[/\\][\w-]+\.[A-Za-z]\w{0,4}",
    re.DOTALL,
)
_HEXADECIMAL = re.compile(r"(?:0x)?[0-9a-fA-F]{8,}")
_OF_A_NETWORK = re.compile(r"[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5}|(?:[0-9a-fA-F]{1,4}:){2,7}:?[0-9a-fA-F]{0,4}")
"""A MAC or an IPv6 address: where its first part has no digit it looks like a name with a value."""

_NAMED = re.compile(r"(?P<name>[A-Za-z_][A-Za-z_.\-]*[=:]+[\"'(\[]*)(?P<value>.+)", re.DOTALL)
_UNIT = re.compile(r"<\*> ?(?:[kKMGT]i?B|B|[mµun]?s|secs?|mins?|hrs?|%)(?![\w])")
_EMPTY = re.compile(r" ?\(<\*>\)|(?<=\w) ?\(\)(?= |$)")
_RUN = re.compile(r"<\*>(?:[,;:|/+-]? ?<\*>)+")


class Masker:
    """Masks messages, and remembers words. Words that may belong to a secret are never remembered."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self.is_suspect = False
        """Whether the message that was masked last may hold a secret."""

    def mask(self, message: str) -> str:
        """Return the message with a :data:`VALUE` for each part that varies."""
        self.is_suspect = False
        if len(message) > LONGEST:
            message = message[:LONGEST]
        if "<redacted:" in message:
            message = PLACEHOLDER.sub("0", message)
        known = self._known.get
        masked = " ".join([known(word) or self._word(word) for word in message.split()])
        return collapsed(masked) if VALUE in masked else masked

    def _word(self, word: str) -> str:
        if word.isdecimal():
            return VALUE
        masked = masked_word(word)
        if is_suspect(word):
            self.is_suspect = True
        elif len(word) <= (_LONGEST_CACHED if masked == word else _LONGEST_VALUE):
            if len(self._known) >= _CACHED:
                self._known.clear()
            self._known[word] = masked
        return masked


def masked_word(word: str) -> str:
    """Return one word without what varies in it."""
    if word.isalnum() and word.isascii():
        return VALUE if _has_digit(word) or _HEXADECIMAL.fullmatch(word) is not None else word
    if _VARIES.search(word) is None:
        return word
    edges = _EDGES.fullmatch(word)
    assert edges is not None
    before, core, after = edges.groups()
    if core.endswith("("):  # a call without arguments
        core, after = core[:-1], after.removeprefix(")")
    return f"{before}{_core(core)}{after}" if core else word


def _core(core: str) -> str:
    if not _has_digit(core):
        return VALUE if _is_variable(core) else _without_value(core)
    if ("=" not in core and ":" not in core) or _is_variable(core):
        return VALUE
    return _without_value(core, VALUE)


def _without_value(core: str, otherwise: str = "") -> str:
    """Return ``name=<*>`` for a name with a value; for anything else what is given, or the word itself."""
    named = _NAMED.fullmatch(core)
    if named is None or named["value"].startswith("//"):
        return otherwise or core
    value = named["value"]
    return f"{named['name']}{VALUE}" if _has_digit(value) or _is_variable(value) else otherwise or core


def _is_variable(text: str) -> bool:
    return len(text) > 1 and any(kind.fullmatch(text) is not None for kind in _VARIABLE)


_VARIABLE = (_ADDRESS, _PATH, _HOST, _HEXADECIMAL, _OF_A_NETWORK)
_DIGIT = re.compile(r"[0-9]")


def _has_digit(text: str) -> bool:
    return _DIGIT.search(text) is not None


def collapsed(masked: str) -> str:
    """Return a masked message with its values run together, and without units and parentheses around nothing else."""
    masked = _UNIT.sub(VALUE, masked)
    if "(<*>)" in masked or "()" in masked:
        masked = _EMPTY.sub("", masked)
    return _RUN.sub(VALUE, masked) if masked.count(VALUE) > 1 else masked

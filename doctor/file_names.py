"""How the name of a file is written wherever it is shown, joined or kept: each character that no line of text can hold,
and the backslash, as Python writes it in a string.

The names that nearly every file has stay as they are. A name with a line end, an escape of a terminal, a turn of the
writing direction or a byte that is no UTF-8 cannot forge a line, and no two files are shown by one name.
"""

from __future__ import annotations

import re
from pathlib import Path

_ESCAPE = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[\\nrt])")


def visible(name: str) -> str:
    r"""Return the name in visible characters alone: a newline is ``\n``, a backslash is ``\\``."""
    if name.isprintable() and "\\" not in name:
        return name
    return "".join(map(_visible, name))


def real(shown: str) -> str:
    """Return the name that :func:`visible` shows like this."""
    return _ESCAPE.sub(_meant, shown) if "\\" in shown else shown


def located(root: Path, shown: str) -> Path:
    """Return where the file lies that is shown like this, below ``root``."""
    return root / real(shown)


def _visible(character: str) -> str:
    is_plain = character.isprintable() and character != "\\"
    return character if is_plain else character.encode("unicode_escape").decode("ascii")


def _meant(match: re.Match[str]) -> str:
    return match[0].encode("ascii").decode("unicode_escape")

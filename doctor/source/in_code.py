"""Whether what was found in the bytes of a file stands in its code, or only in docstrings and comments.

Half of what a library says of models and downloads it says in the examples of its documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_QUOTES = b'"""'


def any_in_code(content: bytes, matches: Iterable[re.Match[bytes]]) -> bool:
    """Return whether any of the matches, in their order, stands outside of triple quotes and comments.

    Nothing is parsed: quotes are counted. Where they do not pair, everything counts as code.
    """
    if content.count(_QUOTES) % 2:
        return any(matches)
    counted = quotes = 0
    for match in matches:
        quotes += content.count(_QUOTES, counted, match.start())
        counted = match.start()
        if quotes % 2 == 0 and not _beginning(content, counted).lstrip().startswith(b"#"):
            return True
    return False


def _beginning(content: bytes, place: int) -> bytes:
    """Return what stands before a place on its line; ``\\r`` alone ends one, too."""
    return content[max(content.rfind(b"\n", 0, place), content.rfind(b"\r", 0, place)) + 1 : place]

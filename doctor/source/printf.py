"""Placeholders of printf-style formatting, and when ``{}`` can stand for all of them."""

from __future__ import annotations

import re

PLACEHOLDER = re.compile(r"%(?:\((?P<name>\w+)\))?[#0\- +]*(?:\d+|\*)?(?:\.(?:\d+|\*))?[diouxXeEfFgGcrsa]")
"""A conversion of printf-style formatting, as Python's documentation of the % operator lists them."""

PLAIN = re.compile("%[sd]")


def placeholders(text: str) -> list[str]:
    """Return the placeholders of a text in order; ``%%`` is none."""
    return [match[0] for match in PLACEHOLDER.finditer(text.replace("%%", ""))]


def are_plain(text: str, arguments: int) -> bool:
    """Whether every placeholder is a bare ``%s`` or ``%d``, one for each argument, and nothing else means anything to
    ``str.format``."""
    found = placeholders(text)
    bare = all(PLAIN.fullmatch(one) for one in found)
    return bare and 0 < len(found) == arguments and not any(sign in text for sign in ("%%", "{", "}"))

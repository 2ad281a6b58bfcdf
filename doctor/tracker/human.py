"""What a person writes between the marked lines of the tracker: kept as it stands, through every regeneration.

A block that is there twice, as after a merge of two branches, becomes one with both texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from doctor.tracker.issue import BY_HAND, IssueStatus

_BLOCK = re.compile(
    r"^<!-- doctor:human (?P<id>RCA-[0-9a-f]{6}) -->[ \t]*\n(?P<text>.*?)^<!-- doctor:end (?P=id) -->[ \t]*$",
    re.DOTALL | re.MULTILINE,
)
_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?: .*)?$\n?", re.MULTILINE)
_STATUS = re.compile(
    r"^status:[ \t]*(?P<status>[a-z_]+)[ \t]*(?:[-–—:,(][ \t]*(?P<reason>\S.*?)\)?)?[ \t]*$", re.MULTILINE
)

EMPTY = "owner:\nstatus:\n"
"""What stands there before anybody has written anything."""


def blocks_in(markdown: str) -> dict[str, str]:
    """Return what people wrote, by the id of the issue."""
    found: dict[str, str] = {}
    text = _CONFLICT.sub("", markdown) if "<<<<<<<" in markdown else markdown
    for match in _BLOCK.finditer(text.replace("\r\n", "\n")):
        found[match["id"]] = together(found.get(match["id"], ""), match["text"])
    return found


def block(identity: str, text: str) -> str:
    """Return the marked lines with what is between them."""
    inside = text or EMPTY
    ending = "" if inside.endswith("\n") else "\n"
    return f"<!-- doctor:human {identity} -->\n{inside}{ending}<!-- doctor:end {identity} -->"


def together(one: str, other: str) -> str:
    """Return two texts of one issue as one: nothing that anybody wrote is lost, and nothing stands there twice."""
    if one.strip() in ("", EMPTY.strip()) or f"\n{one}" in f"\n{other}":
        return other
    if other.strip() in ("", EMPTY.strip()) or f"\n{other}" in f"\n{one}":
        return one
    first, second = sorted((one, other))
    return f"{first.rstrip()}\n\n{second}"


def merged(ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str]:
    """Return both."""
    return {name: together(ours.get(name, ""), theirs.get(name, "")) for name in sorted({*ours, *theirs})}


def status_in(text: str) -> tuple[IssueStatus, str] | None:
    """Return the status that a person has set and why, or None; one that is not for people to set is None."""
    match = _STATUS.search(text)
    if match is None or match["status"] not in {status.value for status in BY_HAND}:
        return None
    return IssueStatus(match["status"]), match["reason"] or ""


def owner_in(text: str) -> str:
    """Return who looks after an issue, or an empty text."""
    match = re.search(r"^owner:[ \t]*(\S.*?)[ \t]*$", text, re.MULTILINE)
    return match[1] if match else ""

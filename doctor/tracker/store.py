"""``rca.json``: read, also where git has left both sides of a merge in it, and written in one step.

Errors:
    TrackerError: the file is no tracker; the message says what to do.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from doctor.record import plain, redacted
from doctor.tracker.issue import Tracker
from doctor.tracker.update import merge

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_CONFLICT = re.compile(
    r"^<{7}[^\n]*\n(?P<ours>.*?)(?:^\|{7}[^\n]*\n.*?)?^={7}\n(?P<theirs>.*?)^>{7}[^\n]*\n", re.DOTALL | re.MULTILINE
)


class TrackerError(Exception):
    """The tracker cannot be read; the message says what to do."""


@cache
def _adapter() -> TypeAdapter[Tracker]:
    from pydantic import TypeAdapter  # only who has a tracker pays for it

    return TypeAdapter(Tracker)


def load(path: Path) -> Tracker:
    """Read a tracker; an empty one where there is no file. Both sides of an unfinished merge are merged.

    Raises:
        TrackerError: the file is none, or cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Tracker()
    except (OSError, UnicodeDecodeError) as error:
        raise TrackerError(f"{path}: cannot be read: {error}") from error
    if _CONFLICT.search(text) is None:
        return loads(text, path)
    ours, theirs = _CONFLICT.sub(r"\g<ours>", text), _CONFLICT.sub(r"\g<theirs>", text)
    return merge(loads(ours, path), loads(theirs, path))


def loads(text: str, path: Path) -> Tracker:
    """Read a tracker from JSON text; ``path`` is for the message.

    Raises:
        TrackerError: it is none.
    """
    from pydantic import ValidationError

    try:
        return _adapter().validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise TrackerError(
            f"{path}: no tracker ({where}: {first['msg']}); take an older version of it from git"
        ) from error


def dumps(tracker: Tracker) -> str:
    """Return a tracker as JSON text, redacted once more except for what people wrote; issues by key, so that branches
    meet where they differ."""
    cleaned = redacted(replace(tracker, issues={}))
    issues = {key: replace(redacted(issue), human=issue.human) for key, issue in sorted(tracker.issues.items())}
    return json.dumps(plain(replace(cleaned, issues=issues)), indent=2, ensure_ascii=False) + "\n"

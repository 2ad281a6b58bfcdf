"""JSON Lines for streams and log collectors: one object a line, told apart by ``type``; ASCII alone, so that no reader
sees a line end in a text.

The objects are those of the JSON document; the schema of a line is ``json_line.schema.json`` beside this file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from doctor.api import Presentation, Report, Run
from doctor.reports.json_document import document, encode


def render(run: Run, presentation: Presentation) -> str:
    """Return one line for the run, one for each thing in it, and the verdict last."""
    return "".join(f"{json.dumps(line, default=encode)}\n" for line in lines(document(run)))


def lines(whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the parts of a JSON document."""
    yield {"type": "run", **{key: whole[key] for key in ("schema_version", "tool", "run")}}
    for code, check in whole["checks"].items():
        yield {"type": "check", "code": code, **check}
    for kind in ("finding", "suppression", "repair"):
        for each in whole[f"{kind}s"]:
            yield {"type": kind, **each}
    for root in whole["diagnosis"]["roots"]:
        yield {"type": "root", **root}
    yield {"type": "verdict", **{key: whole[key] for key in ("status", "exit_code", "summary")}}


REPORT = Report(name="jsonl", title="one JSON object a line, for streams", machine=True, render=render)

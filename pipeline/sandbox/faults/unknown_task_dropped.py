"""The worker does not import the module of a task that the API sends.

The API has its receipt from the queue and answers 200. TaskIQ looks the task up, does not find it, acknowledges it and
writes one warning: the messages are gone, and no table has ever heard of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.code_edit import exchange, take_back
from doctor.pipeline.sandbox.fault import Expectation, Fault

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

FILE = "tasks/__init__.py"
EDITS = [
    ("import embedding, extraction, ingestion, scoring", "import embedding, extraction, scoring"),
    ('["embedding", "extraction", "ingestion", "scoring"]', '["embedding", "extraction", "scoring"]'),
]


def _break(sandbox: Sandbox) -> None:
    exchange(sandbox.layout.app / FILE, EDITS)


def _heal(sandbox: Sandbox) -> None:
    take_back(sandbox.layout.app / FILE, EDITS)


FAULT = Fault(
    name="unknown-task-dropped",
    case="C26",
    title="The worker does not know a task that is sent",
    description=__doc__ or "",
    expected=Expectation(roots=("WRK002",)),
    break_=_break,
    heal=_heal,
    touches=("tasks/__init__.py",),
    edits_code=True,
)

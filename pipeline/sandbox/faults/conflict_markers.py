"""A merge conflict was committed, and the import of that file stands in a broad `except`.

The routes of the topics are a syntax error, so they are simply not there: a request gets a 404, and nothing else shows
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.code_edit import exchange, take_back
from doctor.pipeline.sandbox.fault import Expectation, Fault

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

TITLE = 'router = APIRouter(prefix="/topics", tags=["knowledge"])\n'
CONFLICT = f"<<<<<<< HEAD\n{TITLE}=======\n{TITLE.replace('knowledge', 'topics')}>>>>>>> tags\n"

IMPORTED = "    task_executions,\n    topics,\n    webhook,\n"
NOT_IMPORTED = "    task_executions,\n    webhook,\n"
NEXT_IMPORT = "from .routes.access import token_holders_only\n"
HIDDEN = """\
from .routes.access import token_holders_only

try:
    from .routes import topics
except Exception:
    topics = None
"""
USED = "        topics,\n        atoms,\n"
USED_IF_THERE = "        *filter(None, [topics]),\n        atoms,\n"

EDITS = {
    "routes/topics.py": [(TITLE, CONFLICT)],
    "main.py": [(IMPORTED, NOT_IMPORTED), (NEXT_IMPORT, HIDDEN), (USED, USED_IF_THERE)],
}


def _break(sandbox: Sandbox) -> None:
    for name, exchanges in reversed(EDITS.items()):  # the API must be able to start in between
        exchange(sandbox.layout.app / name, exchanges)


def _heal(sandbox: Sandbox) -> None:
    for name, exchanges in EDITS.items():
        take_back(sandbox.layout.app / name, exchanges)


FAULT = Fault(
    name="conflict-markers",
    case="C23",
    title="Conflict markers were committed",
    description=__doc__ or "",
    expected=Expectation(roots=("DOC010",)),
    break_=_break,
    heal=_heal,
    touches=("routes/topics.py", "main.py"),
    edits_code=True,
)

"""A merge conflict was committed, and the import of that file stands in a broad `except`.

The routes of the semantic search are a syntax error, so they are simply not there: a search gets a 404, and nothing
else shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.code_edit import exchange, take_back
from doctor.pipeline.sandbox.fault import Expectation, Fault

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

LIMIT = "    limit: Annotated[int, Field(ge=1, le=LARGEST_LIMIT)] = 10\n"
CONFLICT = f"<<<<<<< HEAD\n{LIMIT}=======\n{LIMIT.replace('10', '20')}>>>>>>> more-results\n"

IMPORT = "from .routes import agent_configs, embeddings, health, knowledge, providers, semantic_search, webhook\n"
HIDDEN = """\
from .routes import agent_configs, embeddings, health, knowledge, providers, webhook

try:
    from .routes import semantic_search
except Exception:
    semantic_search = None
"""
MODULES = "(knowledge, embeddings, semantic_search, providers, agent_configs)"

EDITS = {
    "routes/semantic_search.py": [(LIMIT, CONFLICT)],
    "main.py": [(IMPORT, HIDDEN), (f"for module in {MODULES}:", f"for module in filter(None, {MODULES}):")],
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
    edits_code=True,
)

"""Two modules have a default model each, and not the same one.

Rows of the database always name a model, so nothing is seen: only where a name is missing does one module ask for
another size than the other. Nobody finds that in a log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.code_edit import exchange, take_back
from doctor.pipeline.sandbox.fault import Expectation, Fault

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

SIGNATURE = "async def extract(agent: Agent, messages: Sequence[SourceMessage]) -> Extraction:"
WITH_DEFAULT = """\
async def extract(
    agent: Agent, messages: Sequence[SourceMessage], default_model: str = "qwen2.5:1.5b-instruct"
) -> Extraction:"""
ASKED = "_ask_twice(agent.provider, agent.model, prompt)"

EDITS = {
    "agents.py": [('model=row["model_name"],', 'model=row["model_name"] or "qwen2.5:3b-instruct",')],
    "extractor.py": [(SIGNATURE, WITH_DEFAULT), (ASKED, ASKED.replace("agent.model", "agent.model or default_model"))],
}


def _break(sandbox: Sandbox) -> None:
    for name, exchanges in EDITS.items():
        exchange(sandbox.layout.app / name, exchanges)


def _heal(sandbox: Sandbox) -> None:
    for name, exchanges in EDITS.items():
        take_back(sandbox.layout.app / name, exchanges)


FAULT = Fault(
    name="model-default-drift",
    case="C18",
    title="Two modules have different default models",
    description=__doc__ or "",
    expected=Expectation(contributing=("MOD003",)),
    break_=_break,
    heal=_heal,
    touches=("agents.py", "extractor.py"),
    edits_code=True,
)

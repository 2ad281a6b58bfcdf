"""The agent configuration names a model that the server does not have.

Extraction gets a 404 that names the model. The server has others that could do the work, and one that only embeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.column_edit import break_column, heal_column
from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.seeding import AGENT

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

NAME = "model-not-available"
MISSING_MODEL = "llama3.2:3b"


def _break(sandbox: Sandbox) -> None:
    break_column(sandbox, NAME, AGENT, "model_name", broken=MISSING_MODEL)


def _heal(sandbox: Sandbox) -> None:
    heal_column(sandbox, NAME, "model_name", broken=MISSING_MODEL)


FAULT = Fault(
    name=NAME,
    case="C3",
    title="The configured model was never pulled",
    description=__doc__ or "",
    expected=Expectation(roots=("MOD001",), effects=("CHN001", "CHN002")),
    break_=_break,
    heal=_heal,
    touches=("agent.model_name",),
)

"""The agent configuration of the extraction exists, but is inactive.

At the threshold the application logs `No active agent config 'knowledge_extractor' found …` and goes on: messages are
scored and then wait for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.column_edit import break_column, heal_column
from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.seeding import AGENT

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

NAME = "agent-config-inactive"


def _break(sandbox: Sandbox) -> None:
    break_column(sandbox, NAME, AGENT, "is_active", broken=False)


def _heal(sandbox: Sandbox) -> None:
    heal_column(sandbox, NAME, "is_active", broken=False)


FAULT = Fault(
    name=NAME,
    case="C2",
    title="The agent configuration is inactive",
    description=__doc__ or "",
    expected=Expectation(roots=("AGT001",), effects=("CHN001",)),
    break_=_break,
    heal=_heal,
    touches=("agent.is_active",),
)

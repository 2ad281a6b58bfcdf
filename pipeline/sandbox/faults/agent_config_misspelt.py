"""The agent configuration of the extraction exists and is active, under a name that is nearly right.

At the threshold the application logs `No active agent config 'knowledge_extractor' found …` and goes on, as if there
were none. Whoever looks at the table sees an active row and takes it for the right one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.seeding import AGENT

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

MISSPELT = "knowledge_extracter"
RENAME = """
    UPDATE agent_configs SET name = %(new)s
    WHERE name = %(old)s AND NOT EXISTS (SELECT FROM agent_configs WHERE name = %(new)s)
"""


def _break(sandbox: Sandbox) -> None:
    with sandbox.connect() as connection:
        connection.execute(RENAME, {"old": AGENT, "new": MISSPELT})


def _heal(sandbox: Sandbox) -> None:
    """Give the name back, unless somebody has made a row of that name."""
    with sandbox.connect() as connection:
        connection.execute(RENAME, {"old": MISSPELT, "new": AGENT})


FAULT = Fault(
    name="agent-config-misspelt",
    case="C2",
    title="The name of the agent configuration is misspelt",
    description=__doc__ or "",
    expected=Expectation(roots=("AGT001",), effects=("CHN001",)),
    break_=_break,
    heal=_heal,
    touches=("agent.is_active", "agent.model_name", "agent.name"),
)

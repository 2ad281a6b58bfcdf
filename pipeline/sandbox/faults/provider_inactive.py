"""The agent configuration is active, but the provider that it names is not.

The application joins both tables and wants both rows active, so it finds no agent: at the threshold it logs `No active
agent config 'knowledge_extractor' found …` and goes on, although the row stands there, active and rightly named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.memory import forget, recall, remember
from doctor.pipeline.sandbox.seeding import PROVIDER

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

NAME = "provider-inactive"
SWITCH = "UPDATE llm_providers SET is_active = %(active)s WHERE name = %(name)s AND is_active <> %(active)s"


def _break(sandbox: Sandbox) -> None:
    with sandbox.connect() as connection, connection.transaction():
        if connection.execute(SWITCH, {"name": PROVIDER, "active": False}).rowcount:
            remember(sandbox, NAME, {PROVIDER: True})


def _heal(sandbox: Sandbox) -> None:
    if recall(sandbox, NAME):
        with sandbox.connect() as connection:
            connection.execute(SWITCH, {"name": PROVIDER, "active": True})
        forget(sandbox, NAME)


FAULT = Fault(
    name=NAME,
    case="C2",
    title="The provider of the agent configuration is inactive",
    description=__doc__ or "",
    expected=Expectation(roots=("AGT001",), effects=("CHN001",)),
    break_=_break,
    heal=_heal,
    touches=("provider",),
)

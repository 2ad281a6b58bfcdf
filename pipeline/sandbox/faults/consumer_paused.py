"""The consumer of the tasks is paused on the server, as after a maintenance that nobody ended.

The worker runs and asks for tasks, the server gives it none. What comes in is accepted and waits in the stream.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.nats import FOR_EVER, pause_consumers

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox


def _break(sandbox: Sandbox) -> None:
    asyncio.run(pause_consumers(sandbox.environment()["NATS_URL"], FOR_EVER))


def _heal(sandbox: Sandbox) -> None:
    asyncio.run(pause_consumers(sandbox.environment()["NATS_URL"], None))


FAULT = Fault(
    name="consumer-paused",
    case="C26",
    title="The consumer of the tasks is paused",
    description=__doc__ or "",
    expected=Expectation(roots=("WRK001",)),
    break_=_break,
    heal=_heal,
    touches=("consumer",),
)

"""The stream has other settings than the code gives it: it drops the oldest tasks when it is full.

The broker found a stream of its name when it started, and uses it as it is. Nothing fails until the stream is full;
then tasks are lost without an error, where the code says that new ones are to be refused.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nats.js.api import DiscardPolicy

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.nats import change_stream

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox


def _break(sandbox: Sandbox) -> None:
    asyncio.run(change_stream(sandbox.environment()["NATS_URL"], discard=DiscardPolicy.OLD))


def _heal(sandbox: Sandbox) -> None:
    asyncio.run(change_stream(sandbox.environment()["NATS_URL"], discard=DiscardPolicy.NEW))


FAULT = Fault(
    name="stream-settings-drift",
    case="C26",
    title="The stream is not as the code says",
    description=__doc__ or "",
    expected=Expectation(roots=("NAT006",)),
    break_=_break,
    heal=_heal,
    touches=("stream",),
)

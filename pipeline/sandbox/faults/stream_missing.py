"""No stream takes the tasks: somebody has renamed the subject of the stream, and the code sends to the old one.

The API's publish is answered by nobody and fails; the worker goes on asking a consumer that is never given anything. A
stream that is deleted would be no lasting fault: the worker fails at it, starts again, and makes it anew.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.nats import SUBJECT, change_stream

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

RENAMED = "taskiq_task"


def _break(sandbox: Sandbox) -> None:
    asyncio.run(change_stream(sandbox.environment()["NATS_URL"], subjects=[RENAMED]))


def _heal(sandbox: Sandbox) -> None:
    asyncio.run(change_stream(sandbox.environment()["NATS_URL"], subjects=[SUBJECT]))


FAULT = Fault(
    name="stream-missing",
    case="C26",
    title="No stream takes the tasks",
    description=__doc__ or "",
    expected=Expectation(roots=("NAT004",)),
    break_=_break,
    heal=_heal,
)

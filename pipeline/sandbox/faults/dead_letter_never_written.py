"""The dead letter is written where tenacity's `RetryError` is caught, but the last exception itself is raised.

Nothing breaks, and the dead-letter table stays empty: a task that has failed for good is acknowledged and forgotten,
and so is one that only an outage has stopped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.code_edit import exchange, take_back
from doctor.pipeline.sandbox.fault import Expectation, Fault

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

FILE = "retry.py"
CAUGHT = "            except Exception as error:\n                await _give_up("
IMPORTED = "from tenacity import AsyncRetrying, RetryCallState, "
EDITS = [
    (CAUGHT, CAUGHT.replace("except Exception", "except RetryError")),
    (IMPORTED, f"{IMPORTED}RetryError, "),
]


def _break(sandbox: Sandbox) -> None:
    exchange(sandbox.layout.app / FILE, EDITS)


def _heal(sandbox: Sandbox) -> None:
    take_back(sandbox.layout.app / FILE, EDITS)


FAULT = Fault(
    name="dead-letter-never-written",
    case="C20",
    title="A dead letter is never written",
    description=__doc__ or "",
    expected=Expectation(contributing=("TSK007",)),
    break_=_break,
    heal=_heal,
    touches=("retry.py",),
    edits_code=True,
)

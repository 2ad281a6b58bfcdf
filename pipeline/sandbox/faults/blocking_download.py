"""The local model is fetched before the server listens.

Where `LOCAL_MODEL` is set, nothing answers until the download is over, and with the network blocked the start hangs for
as long as the Hub's client tries. Where it is not set, nothing is seen at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.code_edit import exchange, take_back
from doctor.pipeline.sandbox.fault import Expectation, Fault

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

FILE = "main.py"
EDITS = [("local_model.start(settings.local_model_retry_seconds)", "local_model.fetch()")]


def _break(sandbox: Sandbox) -> None:
    exchange(sandbox.layout.app / FILE, EDITS)


def _heal(sandbox: Sandbox) -> None:
    take_back(sandbox.layout.app / FILE, EDITS)


FAULT = Fault(
    name="blocking-download",
    case="C17",
    title="A download keeps the server from listening",
    description=__doc__ or "",
    expected=Expectation(roots=("INI004",)),
    break_=_break,
    heal=_heal,
    touches=("main.py",),
    edits_code=True,
)

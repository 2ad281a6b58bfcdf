"""Log lines have `%s`, which loguru does not fill in.

The worker still says that a model failed, but not which one: the line that a diagnosis would need has lost its value.
Alone it breaks nothing; beside a model that is missing it hides which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.code_edit import exchange, take_back
from doctor.pipeline.sandbox.fault import Expectation, Fault

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

FILE = "extractor.py"
MESSAGES = (
    "Model '{}' failed, using fallback model '{}': {}",
    "Model '{}' gave an invalid answer, asking once more: {}",
)
EDITS = [(message, message.replace("{}", "%s")) for message in MESSAGES]


def _break(sandbox: Sandbox) -> None:
    exchange(sandbox.layout.app / FILE, EDITS)


def _heal(sandbox: Sandbox) -> None:
    take_back(sandbox.layout.app / FILE, EDITS)


FAULT = Fault(
    name="printf-log-arguments",
    case="C24",
    title="The log loses its values",
    description=__doc__ or "",
    expected=Expectation(contributing=("LOG001",)),
    break_=_break,
    heal=_heal,
    touches=("extractor.py",),
    edits_code=True,
)

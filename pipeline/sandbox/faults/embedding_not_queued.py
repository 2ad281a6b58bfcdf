"""The extraction no longer sends its rows to embedding; only the manual routes do.

Nothing fails and nothing is logged: new messages and atoms simply never get a vector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.code_edit import EditError, read_lines, write_lines
from doctor.pipeline.sandbox.fault import Expectation, Fault

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

FILE = "tasks/extraction.py"
CALL = b"    await queue_embeddings(extraction)\n"
INSTEAD = b"    # await queue_embeddings(extraction)\n"


def _break(sandbox: Sandbox) -> None:
    _replace(sandbox, CALL, INSTEAD)


def _heal(sandbox: Sandbox) -> None:
    _replace(sandbox, INSTEAD, CALL)


def _replace(sandbox: Sandbox, old: bytes, new: bytes) -> None:
    path = sandbox.layout.app / FILE
    lines = read_lines(path)
    if new in lines and old not in lines:
        return
    if lines.count(old) != 1:
        raise EditError(f"{path} does not call queue_embeddings once: make the sandbox anew")
    lines[lines.index(old)] = new
    write_lines(path, lines)


FAULT = Fault(
    name="embedding-not-queued",
    case="C6",
    title="No task of the chain enqueues the embedding",
    description=__doc__ or "",
    expected=Expectation(roots=("TSK005",)),
    break_=_break,
    heal=_heal,
    touches=("tasks/extraction.py",),
    edits_code=True,
)

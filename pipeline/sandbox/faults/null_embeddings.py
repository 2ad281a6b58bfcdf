"""237 messages and 125 atoms from before have no vectors; search does not find them.

They are older than the look-back, so nothing will ever take them again: the cause may be long gone, the damage stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox import history
from doctor.pipeline.sandbox.fault import Expectation, Fault

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox


def _break(sandbox: Sandbox) -> None:
    sandbox.add_history()
    with sandbox.connect() as connection:
        history.forget_vectors(connection)


def _heal(sandbox: Sandbox) -> None:
    """Remove the rows that have no vector; those that somebody has embedded stay."""
    with sandbox.connect() as connection:
        history.remove_unembedded(connection)


FAULT = Fault(
    name="null-embeddings",
    case="C7",
    title="Old rows have no vectors",
    description=__doc__ or "",
    expected=Expectation(left_over=("EMB001",)),
    break_=_break,
    heal=_heal,
    touches=("messages.embedding", "atoms.embedding"),
)

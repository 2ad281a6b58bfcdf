"""The embedding model was changed, and the vectors from before were not computed anew: two models share the column.

Both give vectors of the same number of dimensions, so that every write and every search succeeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.made_atoms import MadeAtoms, add_atoms, remove_atoms

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

NAME = "two-models"

ATOMS = (
    MadeAtoms(6),
    MadeAtoms(6, model="nomic-embed-text-v2-moe"),
)


def _break(sandbox: Sandbox) -> None:
    add_atoms(sandbox, NAME, *ATOMS)


def _heal(sandbox: Sandbox) -> None:
    remove_atoms(sandbox, NAME)


FAULT = Fault(
    name=NAME,
    case="C9",
    title="Two models share a column",
    description=__doc__ or "",
    expected=Expectation(roots=("EMB003",)),
    break_=_break,
    heal=_heal,
    touches=("atoms.embedding",),
)

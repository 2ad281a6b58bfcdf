"""A model answered empty texts with zeros, and three of twelve atoms have such a vector.

The cosine distance to it is NaN, and `NaN >= 0.7` is true in PostgreSQL: those atoms pass every threshold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.made_atoms import MadeAtoms, add_atoms, remove_atoms

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

NAME = "zero-vectors"

ATOMS = (
    MadeAtoms(9),
    MadeAtoms(3, vector="array_fill(0::real, ARRAY[d])::vector"),
)


def _break(sandbox: Sandbox) -> None:
    add_atoms(sandbox, NAME, *ATOMS)


def _heal(sandbox: Sandbox) -> None:
    remove_atoms(sandbox, NAME)


FAULT = Fault(
    name=NAME,
    case="C13",
    title="Some vectors have no length",
    description=__doc__ or "",
    expected=Expectation(roots=("EMB003",)),
    break_=_break,
    heal=_heal,
    touches=("atoms.embedding",),
)

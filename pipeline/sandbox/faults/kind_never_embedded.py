"""The embedding was connected for some kinds of atoms only: no atom of the kind "question" ever got a vector.

The task graph looks whole, and atoms are embedded every day; only the data tells which ones never are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.made_atoms import MadeAtoms, add_atoms, remove_atoms

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

NAME = "kind-never-embedded"

ATOMS = (
    MadeAtoms(5, kind="problem"),
    MadeAtoms(5, kind="solution"),
    MadeAtoms(5, kind="question", vector="NULL", model=None),
)


def _break(sandbox: Sandbox) -> None:
    add_atoms(sandbox, NAME, *ATOMS)


def _heal(sandbox: Sandbox) -> None:
    remove_atoms(sandbox, NAME)


FAULT = Fault(
    name=NAME,
    case="C22",
    title="The hook embeds the wrong rows",
    description=__doc__ or "",
    expected=Expectation(left_over=("EMB001",)),
    break_=_break,
    heal=_heal,
    touches=("atoms.embedding",),
)

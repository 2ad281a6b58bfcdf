"""Half of the vectors are those of a model with 384 dimensions, filled up with zeros so that the column takes them.

Each one looks healthy; the distance between a padded and a whole one means nothing, and nothing complains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.made_atoms import MadeAtoms, add_atoms, remove_atoms

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

NAME = "padded-vectors"

PADDED: LiteralString = (
    "((SELECT array_agg(sin(n * i)) FROM generate_series(1, 384) AS i) || array_fill(0::float8, ARRAY[d - 384]))"
    "::real[]::vector"
)
ATOMS = (
    MadeAtoms(6),
    MadeAtoms(6, vector=f"l2_normalize({PADDED})", model=None),
)


def _break(sandbox: Sandbox) -> None:
    add_atoms(sandbox, NAME, *ATOMS)


def _heal(sandbox: Sandbox) -> None:
    remove_atoms(sandbox, NAME)


FAULT = Fault(
    name=NAME,
    case="C9",
    title="Vectors of a smaller model were padded",
    description=__doc__ or "",
    expected=Expectation(roots=("EMB003",)),
    break_=_break,
    heal=_heal,
    touches=("atoms.embedding",),
)

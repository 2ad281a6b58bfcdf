"""The index on the vectors of 3,200 atoms is made for the Euclidean distance, and the search orders by the cosine's.

It looks right in every list of indexes, no search uses it, and each reads the whole table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.made_atoms import MadeAtoms, add_atoms, remove_atoms

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

NAME = "index-for-another-distance"

ATOMS = MadeAtoms(
    3_200,  # from 3,000 rows of 768 dimensions on the planner takes an index
    vector="l2_normalize((array_fill(n::real, ARRAY[d / 2]) || array_fill(1000::real, ARRAY[d - d / 2]))::vector)",
)
BUILD = """
    CREATE INDEX IF NOT EXISTS atoms_by_distance ON atoms USING hnsw (embedding vector_l2_ops)
    WITH (m = 4, ef_construction = 16)
"""
DROP = "DROP INDEX IF EXISTS atoms_by_distance"


def _break(sandbox: Sandbox) -> None:
    add_atoms(sandbox, NAME, ATOMS)
    with sandbox.connect() as connection:
        connection.execute(BUILD)
        connection.execute("ANALYZE atoms")


def _heal(sandbox: Sandbox) -> None:
    with sandbox.connect() as connection:
        connection.execute(DROP)
    remove_atoms(sandbox, NAME)


FAULT = Fault(
    name=NAME,
    case="C8",
    title="The index is for another distance than the search",
    description=__doc__ or "",
    expected=Expectation(roots=("VEC005",), effects=("VEC008",)),
    break_=_break,
    heal=_heal,
    touches=("atoms.embedding",),
)

"""Atoms in such number that the planner takes a vector index for them, and that index, for the cosine distance."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

from doctor.pipeline.sandbox.made_atoms import SOUND, MadeAtoms, add_atoms, remove_atoms

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

ENOUGH = 3_200
"""From 3,000 rows of 768 dimensions on the planner takes an index."""

OTHERS: LiteralString = SOUND.replace("n * i", "(n + 5000) * i")
"""Vectors of length one that are none of the others'."""

BUILD = """
    CREATE INDEX IF NOT EXISTS atoms_by_cosine ON atoms USING hnsw (embedding vector_cosine_ops)
    WITH (m = 4, ef_construction = 16)
"""
DROP = "DROP INDEX IF EXISTS atoms_by_cosine"


def add_indexed_atoms(sandbox: Sandbox, fault: str, *groups: MadeAtoms) -> None:
    """Add the atoms of each group and the index; what is there already stays as it is."""
    add_atoms(sandbox, fault, *groups)
    with sandbox.connect() as connection:
        connection.execute(BUILD)
        connection.execute("ANALYZE atoms")


def remove_indexed_atoms(sandbox: Sandbox, fault: str) -> None:
    """Take the index and the atoms away again."""
    with sandbox.connect() as connection:
        connection.execute(DROP)
    remove_atoms(sandbox, fault)

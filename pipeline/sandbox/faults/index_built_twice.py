"""Two indexes on one column of vectors serve the same searches: the second was built with other parameters, and stayed.

The planner takes one of them. The other costs memory, disk and a part of every write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.side_table import drop_side_table, make_side_table

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

TABLE = "atoms_indexed_twice"
BUILDS = (
    "CREATE INDEX ON {table} USING hnsw (embedding vector_cosine_ops)",
    "CREATE INDEX ON {table} USING hnsw (embedding vector_cosine_ops) WITH (m = 24, ef_construction = 96)",
)


def _break(sandbox: Sandbox) -> None:
    make_side_table(sandbox, TABLE, *BUILDS)


def _heal(sandbox: Sandbox) -> None:
    drop_side_table(sandbox, TABLE)


FAULT = Fault(
    name="index-built-twice",
    case="C8",
    title="One index was built twice",
    description=__doc__ or "",
    expected=Expectation(advice=("VEC003",)),
    break_=_break,
    heal=_heal,
)

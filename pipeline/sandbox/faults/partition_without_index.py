"""A partition was attached after the vector index had been built, partition by partition, and got none.

Searches that reach it read its 3,000 rows one by one; the others stay quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.side_table import drop_side_table, make_side_table

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

TABLE = "atoms_by_age"
PARTS = (
    "CREATE TABLE atoms_of_today PARTITION OF {table} FOR VALUES FROM (1) TO (3001)",
    "CREATE TABLE atoms_of_yesterday PARTITION OF {table} FOR VALUES FROM (3001) TO (6001)",
    "CREATE INDEX ON atoms_of_yesterday USING hnsw (embedding vector_cosine_ops) WITH (m = 4, ef_construction = 16)",
)


def _break(sandbox: Sandbox) -> None:
    make_side_table(sandbox, TABLE, *PARTS, rows=3_000, partitioned_by="RANGE (id)")


def _heal(sandbox: Sandbox) -> None:
    drop_side_table(sandbox, TABLE)


FAULT = Fault(
    name="partition-without-index",
    case="C8",
    title="A partition has no vector index",
    description=__doc__ or "",
    expected=Expectation(roots=("VEC001",)),
    break_=_break,
    heal=_heal,
)

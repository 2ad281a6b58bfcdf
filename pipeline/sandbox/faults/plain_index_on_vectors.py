"""The index on the vectors is an ordinary one, for whoever created it named no method.

No search uses it, and from 673 dimensions on it refuses every vector: `index row size … exceeds btree version 4
maximum`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.side_table import drop_side_table, make_side_table

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

TABLE = "atoms_plainly_indexed"
BUILD = "CREATE INDEX ON {table} (embedding)"


def _break(sandbox: Sandbox) -> None:
    make_side_table(sandbox, TABLE, BUILD, dimensions=768)


def _heal(sandbox: Sandbox) -> None:
    drop_side_table(sandbox, TABLE)


FAULT = Fault(
    name="plain-index-on-vectors",
    case="C8",
    title="A btree stands where a vector index should",
    description=__doc__ or "",
    expected=Expectation(roots=("VEC002",)),
    break_=_break,
    heal=_heal,
)

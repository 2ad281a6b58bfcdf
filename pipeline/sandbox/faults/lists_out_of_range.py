"""An IVFFlat index was built for a table a hundred times as large: 500 lists for 3,000 rows, six in each.

A search looks into one list, so it finds six rows at most, and none of those that lie across a border.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.side_table import drop_side_table, make_side_table

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

TABLE = "atoms_in_lists"
BUILD = "CREATE INDEX ON {table} USING ivfflat (embedding vector_cosine_ops) WITH (lists = 500)"


def _break(sandbox: Sandbox) -> None:
    make_side_table(sandbox, TABLE, BUILD, rows=3_000)


def _heal(sandbox: Sandbox) -> None:
    drop_side_table(sandbox, TABLE)


FAULT = Fault(
    name="lists-out-of-range",
    case="C8",
    title="An index has far too many lists",
    description=__doc__ or "",
    expected=Expectation(advice=("VEC004",)),
    break_=_break,
    heal=_heal,
)

"""Search asks for a similarity of at least the threshold, and a vector without a length has one.

The distance to a zero vector is NaN, which PostgreSQL takes for larger than every number. Nothing fails: rows that have
nothing to do with the question are in its answer as soon as such a vector is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.code_edit import exchange, take_back
from doctor.pipeline.sandbox.fault import Expectation, Fault

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

FILE = "search.py"
EDITS = [
    (
        "WHERE distance <= 2 * (1 - %(threshold)s::double precision)",
        "WHERE 1 - distance / 2 >= %(threshold)s::double precision",
    )
]


def _break(sandbox: Sandbox) -> None:
    exchange(sandbox.layout.app / FILE, EDITS)


def _heal(sandbox: Sandbox) -> None:
    take_back(sandbox.layout.app / FILE, EDITS)


FAULT = Fault(
    name="threshold-passes-nan",
    case="C8",
    title="A threshold lets vectors without a length pass",
    description=__doc__ or "",
    expected=Expectation(advice=("VEC006",)),
    break_=_break,
    heal=_heal,
    touches=("search.py",),
    edits_code=True,
)

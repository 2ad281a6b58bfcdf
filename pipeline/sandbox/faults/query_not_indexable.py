"""Search puts rows without a distance last by `coalesce`, and no index gives rows in the order of an expression.

The index on the vectors of 3,200 atoms is the right one and in working order; each search reads the whole table all
the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.code_edit import exchange, take_back
from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.indexed_atoms import ENOUGH, add_indexed_atoms, remove_indexed_atoms
from doctor.pipeline.sandbox.made_atoms import MadeAtoms

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

NAME = "query-not-indexable"
FILE = "search.py"
EDITS = [("        ORDER BY embedding <=> %(vector)s\n", "        ORDER BY coalesce(embedding <=> %(vector)s, 2)\n")]


def _break(sandbox: Sandbox) -> None:
    add_indexed_atoms(sandbox, NAME, MadeAtoms(ENOUGH))
    exchange(sandbox.layout.app / FILE, EDITS)


def _heal(sandbox: Sandbox) -> None:
    take_back(sandbox.layout.app / FILE, EDITS)
    remove_indexed_atoms(sandbox, NAME)


FAULT = Fault(
    name=NAME,
    case="C8",
    title="Search asks for an order that its index cannot give",
    description=__doc__ or "",
    expected=Expectation(roots=("VEC008",)),
    break_=_break,
    heal=_heal,
    touches=("search.py", "atoms.embedding"),
    edits_code=True,
)

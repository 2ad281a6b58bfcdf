"""The atoms of one type that are nearest to another atom are asked of the index over all types.

It gives the 40 nearest of all, and what is of another type is left out of these. Two of them are decisions where 160 of
3,360 atoms are, so the answer holds two, although there are 160 to choose ten from. Nothing fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.code_edit import exchange, take_back
from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.indexed_atoms import ENOUGH, OTHERS, add_indexed_atoms, remove_indexed_atoms
from doctor.pipeline.sandbox.made_atoms import MadeAtoms

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

NAME = "filter-starves-index"
FILE = "routes/atoms.py"
EDITS = [
    ("from ..listing import newest_rows\n", "from ..database import connection\nfrom ..listing import newest_rows\n"),
    (
        '\n\n@router.get("/{row_id}/duplicates"',
        '''

NEAREST_OF_TYPE = """
    SELECT id FROM atoms WHERE type = %(type)s
    ORDER BY embedding <=> (SELECT embedding FROM atoms WHERE id = %(id)s) LIMIT 10
"""


@router.get("/{row_id}/similar/{type}")
async def find_similar_of_type(row_id: RowId, type: Name) -> list[int]:
    """Return the ids of the atoms of a type that are nearest to this one."""
    async with connection() as database:
        rows = await (await database.execute(NEAREST_OF_TYPE, {"id": row_id, "type": type})).fetchall()
    return [row["id"] for row in rows]


@router.get("/{row_id}/duplicates"''',
    ),
]


def _break(sandbox: Sandbox) -> None:
    add_indexed_atoms(sandbox, NAME, MadeAtoms(ENOUGH), MadeAtoms(160, OTHERS, kind="decision"))
    exchange(sandbox.layout.app / FILE, EDITS)


def _heal(sandbox: Sandbox) -> None:
    take_back(sandbox.layout.app / FILE, EDITS)
    remove_indexed_atoms(sandbox, NAME)


FAULT = Fault(
    name=NAME,
    case="C8",
    title="A filter leaves nothing of what the index gives",
    description=__doc__ or "",
    expected=Expectation(roots=("VEC008",)),
    break_=_break,
    heal=_heal,
    touches=("routes/atoms.py", "atoms.embedding"),
    edits_code=True,
)

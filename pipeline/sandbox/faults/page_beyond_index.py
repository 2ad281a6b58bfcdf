"""A report asks for the 21st page of the nearest atoms, of an index that gives the 40 nearest and ends there.

The page is empty, as if there were no more atoms; there are 3,000. Nothing fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.files import replace_text
from doctor.pipeline.sandbox.side_table import drop_side_table, make_side_table

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

TABLE = "atoms_in_pages"
BUILD = "CREATE INDEX ON {table} USING hnsw (embedding vector_cosine_ops) WITH (m = 4, ef_construction = 16)"
REPORT = """\
import os
import sys

import psycopg

PAGE = "SELECT id FROM atoms_in_pages ORDER BY embedding <=> %(vector)s LIMIT 10 OFFSET 200"

with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    print(connection.execute(PAGE, {"vector": sys.argv[1]}).fetchall())
"""


def _break(sandbox: Sandbox) -> None:
    make_side_table(sandbox, TABLE, BUILD, rows=3_000)
    replace_text(sandbox.layout.report_file, REPORT)


def _heal(sandbox: Sandbox) -> None:
    sandbox.layout.report_file.unlink(missing_ok=True)
    drop_side_table(sandbox, TABLE)


FAULT = Fault(
    name="page-beyond-index",
    case="C8",
    title="A page lies beyond what the index gives",
    description=__doc__ or "",
    expected=Expectation(roots=("VEC008",)),
    break_=_break,
    heal=_heal,
)

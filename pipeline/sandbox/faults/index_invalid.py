"""The concurrent build of an index on the vectors of atoms failed at its very end, because a transaction stayed open.

What it leaves is invalid: no search uses it, each write maintains it, and `CREATE INDEX IF NOT EXISTS` takes it for the
real one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from doctor.pipeline.sandbox.fault import Expectation, Fault

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

EXISTS = "SELECT to_regclass('atoms_by_meaning') IS NOT NULL"
BUILD = """
    CREATE INDEX CONCURRENTLY atoms_by_meaning ON atoms USING hnsw (embedding vector_cosine_ops)
    WITH (m = 16, ef_construction = 100)
"""
DROP = "DROP INDEX IF EXISTS atoms_by_meaning"


def _break(sandbox: Sandbox) -> None:
    """Build it while a snapshot is held for longer than the build waits."""
    with sandbox.connect() as builder, sandbox.connect() as forgotten:
        if builder.execute(EXISTS).fetchone() == (True,):
            return
        forgotten.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        forgotten.execute("SELECT 1")
        builder.execute("SET lock_timeout = '100ms'")
        try:
            builder.execute(BUILD)
        except psycopg.errors.LockNotAvailable:
            return
    raise AssertionError("a build waits for every snapshot that is older than it")


def _heal(sandbox: Sandbox) -> None:
    with sandbox.connect() as connection:
        connection.execute(DROP)


FAULT = Fault(
    name="index-invalid",
    case="C8",
    title="An index whose build failed stays behind",
    description=__doc__ or "",
    expected=Expectation(roots=("VEC001",)),
    break_=_break,
    heal=_heal,
    touches=("atoms.embedding",),
)

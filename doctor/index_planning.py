"""Plans the build of a vector index: its statement, whether it can be built now, in how much memory, and how long.

Errors:
    RefusedError: it cannot be built now; the message says why and what a person can do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from doctor.fix import IndexBuild, RefusedError
from doctor.index_definition import index_name, new_migration, new_statement, operator_class, own_statement
from doctor.index_parameters import Hnsw, IndexParameters, disk_needed, memory_needed
from doctor.index_preflight import Ground, ground
from doctor.late import sql
from doctor.query_plans import OPERATOR_CLASSES
from doctor.resources.catalog import VectorColumn, VectorIndex, qualified, readable, vector_columns
from doctor.resources.database import Database
from doctor.wording import counted

MAX_DIMENSIONS = {"vector": 2_000, "halfvec": 4_000}
"""Limits of HNSW by type (pgvector 0.8)."""

COUNTED_UP_TO = 1 << 28
"""Bytes of heap up to which rows are counted; beyond, the planner's number decides, where there is one."""

MANY_NULLS = 0.2
"""The share of rows without vector from which it is cheaper to fill them first: an index makes that 30 times slower."""

USUAL = Hnsw(None, 16, 64)
"""pgvector's own parameters, where an index does not say others."""


@dataclass(frozen=True, slots=True)
class PlannedBuild:
    """A build with what a person is told of it before it begins."""

    build: IndexBuild
    script: str
    rows: int
    hnsw: Hnsw
    disk: int
    remarks: tuple[str, ...]

    @property
    def preview(self) -> str:
        """The statements, and above them how long they take and what is to be known before."""
        return "\n".join((*(f"-- {line}" for line in self.estimate.split("; ")), self.script))

    @property
    def estimate(self) -> str:
        """How long it takes and how large the index becomes."""
        time = f"{_duration(self.rows, self.hnsw)} for {counted(self.rows, 'row')}"
        return "; ".join((f"{time}, and {max(1, self.disk >> 20):,} MB of disk", *self.remarks))


def _duration(rows: int, hnsw: Hnsw) -> str:
    """Return about how long a build takes: 0.3 ms a row with pgvector's own parameters, more as their product grows.

    Processor time a row (20,000 rows, 384 dimensions): 0.2 ms with 16 and 64, 0.8 with 32 and 128, 1.9 with 48 and 200.
    """
    effort = rows * hnsw.m * hnsw.ef_construction / (USUAL.m * USUAL.ef_construction)
    least, most = effort * 0.0003, effort * 0.001
    if most < 1:
        return "less than a second"
    return f"about {least:.0f} to {most:.0f} s" if most < 120 else f"about {least / 60:.0f} to {most / 60:.0f} minutes"


async def find_column(database: Database, table: object, name: object) -> VectorColumn:
    """Return the vector column of a table (``schema.table``) as it is now.

    Raises:
        RefusedError: there is none.
    """
    for column in await vector_columns(database):
        if (column.table_name, column.column) == (table, name):
            return column
    raise RefusedError(f"{table}.{name} is no vector column any more")


async def plan_new(
    database: Database,
    parameters: IndexParameters,
    column: VectorColumn,
    operator: str,
    instead_of: Sequence[VectorIndex] = (),
) -> PlannedBuild:
    """Plan a new HNSW index for a distance (an operator such as ``<=>``), with parameters for the number of rows.

    ``instead_of`` are valid indexes that somebody drops when it stands.
    """
    if operator not in OPERATOR_CLASSES:
        raise RefusedError(f"`{operator}` is no distance that an HNSW index serves")
    if objection := not_indexable(column, operator):
        raise RefusedError(objection)
    rows = await _rows(database, column)
    hnsw = parameters.of(rows)
    build = IndexBuild(
        table=column.table_name,
        name=qualified(column.schema, index_name(column, operator)),
        statement=new_statement(column, operator, hnsw),
        memory=0,
    )
    after = [f"DROP INDEX CONCURRENTLY {readable(index.full_name)};" for index in instead_of]
    migration = new_migration(column, operator, hnsw, instead_of).splitlines()
    after += [f"-- {line}" for line in ("The same as a migration of Alembic:", *migration)]
    return await _planned(database, parameters, column, build, _Size(rows, hnsw, tuple(after)))


async def plan_again(
    database: Database, parameters: IndexParameters, column: VectorColumn, index: VectorIndex
) -> PlannedBuild:
    """Plan to build an index anew that is invalid, with its own definition."""
    name, statement = index.full_name, own_statement(index)
    build = IndexBuild(column.table_name, name, statement, 0, tablespace=index.tablespace, replaces=name)
    after = ("-- Its definition stays, so there is nothing for a migration to change.",)
    size = _Size(await _rows(database, column), _own(index), after)
    return await _planned(database, parameters, column, build, size)


def as_it_was(column: VectorColumn, index: VectorIndex, memory: int) -> IndexBuild:
    """Return how a valid index that is about to be dropped is built again."""
    return IndexBuild(column.table_name, index.full_name, own_statement(index), memory, tablespace=index.tablespace)


@dataclass(frozen=True, slots=True)
class _Size:
    """How much is indexed, and how; ``after`` are the lines of the preview that follow the build."""

    rows: int
    hnsw: Hnsw
    after: tuple[str, ...]


async def _planned(
    database: Database, parameters: IndexParameters, column: VectorColumn, build: IndexBuild, size: _Size
) -> PlannedBuild:
    disk = disk_needed(size.rows, column.type, column.dimensions or 1, size.hnsw.m)
    found = await ground(database, column.table_name)
    if found is None:
        raise RefusedError(f"{column.table_name} is gone")
    if objection := found.objection(column.table_name, disk):
        raise RefusedError(objection)
    needed = memory_needed(size.rows, column.type, column.dimensions or 1, size.hnsw.m)
    memory = max(found.memory, min(needed, found.allowed_memory(parameters.memory)))
    build = replace(build, memory=memory, workers=None if found.may_be_parallel(memory) else 0)
    remarks = _remarks(column, found, needed, memory)
    return PlannedBuild(build, _script(build, size.after), size.rows, size.hnsw, disk, remarks)


def _script(build: IndexBuild, after: tuple[str, ...]) -> str:
    lines = [f"SET maintenance_work_mem = '{build.memory >> 20}MB';"]
    if build.workers is not None:
        lines.append(f"SET max_parallel_maintenance_workers = {build.workers};")
    if build.tablespace is not None:
        lines.append(f"SET default_tablespace = {readable(build.tablespace)};")
    if build.replaces:
        lines.append(f"DROP INDEX CONCURRENTLY {readable(build.replaces)};")
    return "\n".join((*lines, f"{build.statement};", *after))


def _remarks(column: VectorColumn, found: Ground, needed: int, memory: int) -> tuple[str, ...]:
    remarks = []
    if needed > memory:
        remarks.append(
            f"the graph needs {needed >> 20:,} MB and gets {memory >> 20:,}, so about five times as long: "
            "[vector_index] memory in doctor.toml allows more"
        )
    if (column.null_fraction or 0) > MANY_NULLS:
        remarks.append(f"{column.null_fraction:.0%} of the vectors are NULL: fill them first, which is faster without")
    if not found.sees_all:
        remarks.append(
            f"open transactions of other roles could not be looked for: GRANT pg_read_all_stats TO {found.role}"
        )
    if found.free_disk is None:
        remarks.append("how much disk is free cannot be known from here")
    return tuple(remarks)


def not_indexable(column: VectorColumn, operator: str) -> str | None:
    """Return why HNSW cannot hold the vectors of a column, with what a person can do for this distance; None where it
    can."""
    if column.dimensions is None:
        return f"{column.name} has no fixed number of dimensions: give the column's type one first"
    if column.type not in MAX_DIMENSIONS:
        return f"HNSW holds up to 1,000 elements of a {column.type} that are not zero: build the index by hand"
    limit = MAX_DIMENSIONS[column.type]
    if column.dimensions <= limit:
        return None
    words = f"{column.dimensions:,} dimensions are too many for HNSW on {column.type} ({limit:,} at most)"
    if column.dimensions > MAX_DIMENSIONS["halfvec"]:
        return f"{words}: store fewer dimensions, or index the signs (binary_quantize) and order the nearest again"
    cast = f"{readable(column.column)}::halfvec({column.dimensions})"
    return f"{words}: index (({cast}) {operator_class('halfvec', operator)}), and write {cast} in the queries too"


async def _rows(database: Database, column: VectorColumn) -> int:
    if column.heap_bytes > COUNTED_UP_TO and not column.never_analyzed:
        return column.estimated_rows
    count = sql.SQL("SELECT count(*) FROM {}").format(column.quoted_table)
    return int(await database.scalar(count, timeout=30.0))


def _own(index: VectorIndex) -> Hnsw:
    """Return the parameters that an index says, and pgvector's for those that it does not."""
    said = dict(option.split("=", 1) for option in index.options)
    return Hnsw(None, int(said.get("m", USUAL.m)), int(said.get("ef_construction", USUAL.ef_construction)))

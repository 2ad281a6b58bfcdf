"""Builds an HNSW index concurrently, with parameters for the number of rows.

Before: the role must own the table, no transaction may have been open for a minute, nobody else may build on the table,
and the disk must hold twice the index where that can be known. ``maintenance_work_mem`` is raised to hold the whole
graph, up to a quarter of the machine's memory. After: the planner is asked whether it uses the index. A build that
fails, for whatever reason, leaves no invalid index behind, or says so. Of a partitioned table each partition gets its
own index.
"""

from doctor.api import (
    JSON,
    Database,
    Fix,
    FixContext,
    IndexParameters,
    NothingToDoError,
    Phase,
    Plan,
    RefusedError,
    VectorColumn,
    Writers,
    counted,
    find_column,
    new_statement,
    parts_of,
    plan_new,
    vector_columns,
)

COSINE = "<=>"
"""The distance for which an index is built where the finding says none."""


async def plan(context: FixContext) -> Plan:
    """Look at the column's indexes again and write the statements."""
    database: Database = context.resources["database"]
    parameters: IndexParameters = context.resources["index_parameters"]
    operator = str(context.arguments.get("operator") or COSINE)
    column = await find_column(database, context.arguments["table"], context.arguments["column"])
    named = context.arguments.get("partitions")
    parts = parts_of(column, await vector_columns(database))
    wanted = [one for one in parts if not _serves(one, operator) and (not named or one.table_name in _listed(named))]
    if not wanted:
        raise NothingToDoError(f"{column.name} has a usable index for `{operator}`")
    if broken := [index.name for one in wanted for index in one.vector_indexes if index.is_broken]:
        raise RefusedError(
            f"{broken[0]} on {column.name} is invalid: it is to be built anew, not a second one beside it"
        )
    builds = [await plan_new(database, parameters, one, operator) for one in wanted]
    whole = new_statement(column, operator, parameters.of(max(build.rows for build in builds)))
    rows = sum(one.rows for one in builds)
    return Plan(
        summary=f"build {', '.join(one.build.name for one in builds)} over {counted(rows, 'row')}",
        preview="\n".join((*(one.preview for one in builds), *_whole(column, whole.replace(" CONCURRENTLY", "", 1)))),
        touches=tuple(f"index {one.build.name}" for one in builds),
        locks="none that reads or writes feel",
        estimate="; ".join(dict.fromkeys(one.estimate for one in builds)),
        payload=tuple(one.build for one in builds),
    )


async def apply(context: FixContext, plan: Plan, writers: Writers) -> str:
    """Build what was planned, one after the other."""
    said = []
    for build in plan.payload:
        writers.progress(f"building {build.name}")
        said.append(await writers.database.create_index(build, writers.progress))
    return "; ".join((plan.summary, *dict.fromkeys(said)))


def _listed(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else []


def _serves(column: VectorColumn, operator: str) -> bool:
    return any(index.is_usable and operator in index.operators for index in column.vector_indexes)


def _whole(column: VectorColumn, statement: str) -> tuple[str, ...]:
    """Say how the indexes of partitions become one. Nothing could take that back, so it is left to a person."""
    if not column.partitioned:
        return ()
    return (
        "-- Later partitions get one too after this, which adopts those above and builds what is missing:",
        f"-- {statement};",
    )


CREATE_VECTOR_INDEX = Fix(
    name="create-vector-index",
    title="build an HNSW index concurrently",
    phase=Phase.SCHEMA,
    needs=("database", "index_parameters"),
    reverts=True,
    plan=plan,
    apply=apply,
    page=__doc__ or "",
)

"""Builds an HNSW index for the distance that the code asks for, concurrently, and drops those that are no good for it.

The new one is built and proved first; only then the old ones go. Undo drops the new one and builds the old ones again.
Everything that `create-vector-index` looks at before and after a build is looked at here too.
"""

from doctor.api import (
    Database,
    Fix,
    FixContext,
    NothingToDoError,
    Phase,
    Plan,
    RefusedError,
    VectorColumn,
    VectorIndex,
    Writers,
    as_it_was,
    counted,
    find_column,
    plan_new,
    usable_indexes,
)


async def plan(context: FixContext) -> Plan:
    """Look at the column's indexes again and write the statements."""
    database: Database = context.resources["database"]
    operator = str(context.arguments["operator"])
    column = await find_column(database, context.arguments["table"], context.arguments["column"])
    useless = _named(column, context.arguments["instead_of"])
    if any(operator in index.operators for index in usable_indexes(column) if index not in useless):
        raise NothingToDoError(f"{column.name} has another usable index for `{operator}`")
    planned = await plan_new(database, context.resources["index_parameters"], column, operator, useless)
    old = [as_it_was(column, index, planned.build.memory) for index in useless]
    names = ", ".join(again.name for again in old)
    return Plan(
        summary=f"build {planned.build.name} over {counted(planned.rows, 'row')}"
        + (f" and drop {names}" if old else ""),
        preview=planned.preview,
        touches=(f"index {planned.build.name}", *(f"index {again.name}" for again in old)),
        locks="none that reads or writes feel",
        estimate=planned.estimate,
        payload=(planned.build, old),
    )


async def apply(context: FixContext, plan: Plan, writers: Writers) -> str:
    """Build the new one, then drop the old ones."""
    build, old = plan.payload
    writers.progress(f"building {build.name}")
    said = [plan.summary, await writers.database.create_index(build, writers.progress)]
    for again in old:
        try:
            await writers.database.drop_index(again)
        except RefusedError as error:  # the new one serves all the same
            said.append(str(error))
    return "; ".join(said)


def _named(column: VectorColumn, names: object) -> list[VectorIndex]:
    wanted = names if isinstance(names, list) else []
    return [one for one in usable_indexes(column) if one.full_name in wanted]


REPLACE_VECTOR_INDEX = Fix(
    name="replace-vector-index",
    title="replace a vector index by an HNSW index for the right distance, concurrently",
    phase=Phase.SCHEMA,
    needs=("database", "index_parameters"),
    reverts=True,
    plan=plan,
    apply=apply,
    page=__doc__ or "",
)

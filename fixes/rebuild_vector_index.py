"""Builds an invalid index anew as it was meant: its own name, operator class, options and condition.

It is dropped first, since nothing uses it. Where a usable index serves the same searches, it is dropped and not built;
undo does not bring it back then, and the plan says so, since what serves nobody is no loss.
Everything that `create-vector-index` looks at before and after a build is looked at here too.
"""

from doctor.api import (
    Database,
    Fix,
    FixContext,
    NothingToDoError,
    Phase,
    Plan,
    VectorColumn,
    VectorIndex,
    Writers,
    counted,
    find_column,
    plan_again,
    readable,
)


async def plan(context: FixContext) -> Plan:
    """Look at the index again and write the statements."""
    database: Database = context.resources["database"]
    column = await find_column(database, context.arguments["table"], context.arguments["column"])
    wanted = context.arguments["index"]
    broken = [one for one in column.vector_indexes if one.is_broken and one.full_name == wanted]
    if not broken:
        raise NothingToDoError(f"{wanted} on {column.name} is gone, valid, or being built")
    if _is_superfluous(broken[0], column):
        return Plan(
            summary=f"drop {wanted}, which is invalid; {column.name} has a usable index beside it",
            preview=f"DROP INDEX CONCURRENTLY {readable(str(wanted))};\n"
            "-- undo does not bring it back: it served nobody",
            touches=(f"index {wanted}",),
            locks="none that reads or writes feel",
        )
    planned = await plan_again(database, context.resources["index_parameters"], column, broken[0])
    return Plan(
        summary=f"build {wanted} anew over {counted(planned.rows, 'row')}",
        preview=planned.preview,
        touches=(f"index {wanted}",),
        locks="none that reads or writes feel",
        estimate=planned.estimate,
        payload=planned.build,
    )


async def apply(context: FixContext, plan: Plan, writers: Writers) -> str:
    """Build it, or drop what is in the way."""
    if plan.payload is None:
        await writers.database.drop_invalid_index(str(context.arguments["index"]))
        return plan.summary
    writers.progress(f"building {plan.payload.name}")
    return f"{plan.summary}; {await writers.database.create_index(plan.payload, writers.progress)}"


def _is_superfluous(broken: VectorIndex, column: VectorColumn) -> bool:
    """Whether a usable index gives the same rows in the same orders, of the same expression."""
    return any(
        other.is_usable
        and set(broken.operators) <= set(other.operators)
        and other.predicate in (None, broken.predicate)
        and other.expression == broken.expression
        for other in column.vector_indexes
    )


REBUILD_VECTOR_INDEX = Fix(
    name="rebuild-vector-index",
    title="build an invalid vector index anew, concurrently",
    phase=Phase.SCHEMA,
    needs=("database", "index_parameters"),
    reverts=True,
    plan=plan,
    apply=apply,
    page=__doc__ or "",
)

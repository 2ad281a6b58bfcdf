"""Runs a stage's task once more for every row that waits before it, and follows the rows until they have passed.

Nothing is requeued while a cause further up stands. The task must be idempotent, which any queue that delivers at
least once demands anyway.

Undo does not call a task back, and the plan says so. It counts as safe all the same, as nothing else that cannot be
taken back does: the doctor changes no row. It asks the application for what it owes these rows already and would have
done by itself, had it not been broken; a redelivery of the queue is the same, and needs nobody's leave.
"""

import asyncio
import time

from doctor.api import (
    Chain,
    Database,
    Fix,
    FixContext,
    FixError,
    Nats,
    NothingToDoError,
    Phase,
    Plan,
    Stage,
    Writers,
    chain_progress,
    counted,
    queue_is_idle,
    stalled_rows,
)

PATIENCE = 120.0
"""Seconds to follow the rows, as long as the queue is not idle."""

POLL = 0.25


async def plan(context: FixContext) -> Plan:
    """List the rows that still wait."""
    chain, stage, source = _stages(context)
    rows = await stalled_rows(context.resources["database"], chain, stage)
    if not rows:
        raise NothingToDoError(f"no row waits before `{stage.name}` any more")
    if context.limits.limit is not None:
        rows = rows[: context.limits.limit]
    return Plan(
        summary=f"enqueue `{source.task}` for {counted(len(rows), 'row')} of {chain.message_table}",
        preview=f"publish {chain.queue_subject}: {source.task}({source.requeue_argument}=…) × {len(rows)}\n"
        "-- undo does not call a task back: what it does is the application's own work",
        touches=(f"{counted(len(rows), 'task')} on {chain.queue_subject}",),
        estimate=f"up to {PATIENCE:g} s to follow them",
        payload=rows,
    )


async def apply(context: FixContext, plan: Plan, writers: Writers) -> str:
    """Publish one task a row, then wait until the queue is idle and the rows have passed.

    Raises:
        FixError: when rows still wait after the queue has come to rest, or time is up.
    """
    chain, _, source = _stages(context)
    database: Database = context.resources["database"]
    nats: Nats = context.resources["nats"]
    assert source.task is not None  # _stages saw to it
    assert source.requeue_argument is not None
    for key in plan.payload:
        await writers.queue.publish(source.task, {source.requeue_argument: int(key) if key.isdigit() else key})
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        await asyncio.sleep(POLL)
        progress = await chain_progress(database, chain, older_than_minutes=0)
        writers.progress(" → ".join(f"{step.passed} {step.stage.name}" for step in progress))
        waiting = sum(step.stalled for step in progress)
        if await queue_is_idle(nats, chain.queue_subject):
            progress = await chain_progress(database, chain, older_than_minutes=0)
            waiting = sum(step.stalled for step in progress)
            if waiting:
                raise FixError(
                    f"the queue is idle and {waiting} rows still wait: run `doctor check` for what stops them"
                )
            return f"{counted(len(plan.payload), 'row')} requeued: " + " → ".join(
                f"{s.passed} {s.stage.name}" for s in progress
            )
    raise FixError(f"{waiting} rows still wait after {PATIENCE:g} s; they are in the queue and may pass yet")


def _stages(context: FixContext) -> tuple[Chain, Stage, Stage]:
    chain: Chain = context.resources["chain"]
    by_name = {stage.name: stage for stage in chain.stages}
    stage, source = by_name.get(str(context.arguments["stage"])), by_name.get(str(context.arguments["source"]))
    if stage is None or source is None or source.task is None or source.requeue_argument is None:
        raise FixError("doctor.toml no longer names a task that could be requeued for this stage")
    return chain, stage, source


REQUEUE = Fix(
    name="requeue",
    title="run the stage's task again for waiting rows",
    phase=Phase.REQUEUE,
    needs=("database", "nats", "chain"),
    reverts=False,
    plan=plan,
    apply=apply,
    page=__doc__ or "",
    incremental=True,
)

"""Rows wait at one stage of the chain and nothing is under way.

## What it finds
The first stage at which recent rows stay behind: they have passed every earlier stage, the queue is idle, and this
stage's column is still NULL. For a stage with a threshold, only groups that have reached it count.

## Why it hurts
Everything after the stage starves. Nothing crashes and no error is shown.

## How it is told from its look-alikes
Rows that are merely on their way: as long as the queue holds tasks, or a worker has not acknowledged one, a row
younger than five minutes is not stalled. Rows below the threshold wait by design. Rows older than the look-back are
history and belong to EMB001.

## How to fix
Repair the root cause that explains it; the waiting rows are then requeued (`requeue`), which runs the stage's task
once more for each.

## False positives
A stage that is run by hand only. Leave it out of `[[chain.stage]]`.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    Applicability,
    Chain,
    Database,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Metric,
    Nats,
    Observation,
    Progress,
    Resource,
    Role,
    Severity,
    Stage,
    chain_progress,
    check,
    counted,
    queue_is_idle,
)

GRACE_MINUTES = 5
"""Age after which a row counts as stalled even while the queue is busy."""


@check("CHN001", "chain-stalled", severity=Severity.ERROR, tags=["live"], after=["NAT002"])
async def chain_stalled(database: Database, chain: Chain, nats: Nats) -> AsyncIterator[Finding | Observation]:
    """Count along the chain and stop at the first stage that holds rows back."""
    idle = await queue_is_idle(nats, chain.queue_subject)
    progress = await chain_progress(database, chain, older_than_minutes=0 if idle else GRACE_MINUTES)
    for step in progress:
        if step.stalled:
            yield _finding(chain, step, progress)
            return
    yield Observation(
        " → ".join(f"{step.passed} {step.stage.name}" for step in progress),
        metrics=tuple(Metric("stalled_rows", 0, f"stage:{step.stage.name}") for step in progress),
    )


def _finding(chain: Chain, step: Progress, progress: tuple[Progress, ...]) -> Finding:
    stage = step.stage
    related = [Resource("service", name) for name in ("worker", "nats", "jetstream")]
    if stage.task_resource:
        related.append(Resource("task", stage.task_resource))
    if stage.agent:
        related += [Resource("agent", stage.agent), Resource("service", "models")]
    return Finding(
        code="CHN001",
        resource=Resource("stage", stage.name),
        symptom=f"{counted(step.entered, 'row')} reached `{stage.name}` in the last {chain.lookback_hours:g} h, "
        f"{step.passed} passed it, {step.stalled} {'is' if step.stalled == 1 else 'are'} stuck",
        cause=f"the stage `{stage.name}` does not advance",
        severity=Severity.ERROR,
        role=Role.SYMPTOM,
        stage=stage.name,
        related=tuple(related),
        impacts=tuple(f"`{later.name}` starves" for later in chain.stages[step.position + 1 :]),
        evidence=(
            Evidence(
                EvidenceKind.SQL,
                f"{stage.table}.{stage.column}",
                " → ".join(f"{each.passed} {each.stage.name}" for each in progress),
            ),
        ),
        fixes=_requeue(chain, stage, step.stalled),
        validation="doctor check --select CHN001",
        metric=Metric("stalled_rows", step.stalled, f"stage:{stage.name}"),
    )


def _requeue(chain: Chain, stage: Stage, stalled: int) -> tuple[FixOption, ...]:
    before = chain.stages[: chain.position(stage.name) + 1]
    source = next((each for each in reversed(before) if each.requeue_argument and each.task), None)
    if source is None:
        return ()
    return (
        FixOption(
            fix="requeue",
            title=f"run `{source.task}` again for {counted(stalled, 'waiting row')}",
            applicability=Applicability.SAFE,
            reason="the task runs once more for rows that it has not finished, as after any redelivery; undo does not "
            "call it back",
            arguments={"stage": stage.name, "source": source.name},
            recommended=True,
        ),
    )

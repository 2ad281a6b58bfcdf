"""A task fails every time, and its failures are on no list of work to be done.

## What it finds
Tasks whose last three executions or more all failed (`executions_table` in `[chain]`), within the look-back, and that
have no dead letter.

## Why it hurts
The work is lost: it was tried, given up and noted nowhere but in a log table that nobody reads.

## How it is told from its look-alikes
A failure after which the task has succeeded is over. Failures with dead letters are CHN002's, which names the error and
the count.

## How to fix
Repair the cause that the error names, and let the task record what it gives up (see TSK007).

## False positives
A task that is expected to fail, for example a probe.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    Chain,
    Database,
    Evidence,
    EvidenceKind,
    Finding,
    Observation,
    Resource,
    Role,
    Severity,
    check,
    counted,
    dead_letters,
    failing_tasks,
)


@check("CHN004", "task-failing-repeatedly", severity=Severity.WARNING, tags=["live"])
async def task_failing_repeatedly(database: Database, chain: Chain) -> AsyncIterator[Finding | Observation]:
    """Compare the log of executions with the dead letters."""
    if chain.executions_table is None:
        yield Observation("no table of executions configured")
        return
    recorded = {group.task for group in await dead_letters(database, chain)}
    failing = [task for task in await failing_tasks(database, chain) if task.name not in recorded]
    for task in failing:
        stage = chain.stage_of_task(task.name)
        related = [Resource("service", name) for name in ("worker", "nats", "models")]
        if stage is not None and stage.agent:
            related.append(Resource("agent", stage.agent))
        yield Finding(
            code="CHN004",
            resource=Resource("task", task.name.replace(":", ".")),
            symptom=f"the last {counted(task.failures, 'execution')} of `{task.name}` failed and left no dead letter; "
            f"newest: {task.error}",
            cause="the task gives up, and what it has not done is recorded nowhere",
            severity=Severity.WARNING,
            role=Role.SYMPTOM,
            related=tuple(related),
            impacts=("accepted work that was not done, and is on no list",),
            evidence=(Evidence(EvidenceKind.SQL, chain.executions_table, f"newest {task.newest}"),),
            validation="doctor check --select CHN004",
        )
    if not failing:
        yield Observation("no task fails repeatedly without a dead letter")

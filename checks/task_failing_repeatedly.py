"""A task fails every time, and there is no list of the work that it has not done.

## What it finds
Tasks whose last three executions or more all failed (`executions_table` in `[chain]`), within the look-back, where the
chain has no table of dead letters.

## Why it hurts
The work is lost: it was tried, given up and noted nowhere but in a log table that nobody reads.

## How it is told from its look-alikes
A failure after which the task has succeeded is over. Where there is a table of dead letters, CHN002 reads that instead:
it tells work that is still to be done from work that was done later by other means.

## How to fix
Repair the cause that the error names. Let the task write a dead letter when it gives up, and name their table in
`[chain]`.

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
    failing_tasks,
)


@check("CHN004", "task-failing-repeatedly", severity=Severity.WARNING, tags=["live"])
async def task_failing_repeatedly(database: Database, chain: Chain) -> AsyncIterator[Finding | Observation]:
    """Look into the log of executions."""
    if chain.executions_table is None:
        yield Observation("no table of executions configured")
        return
    if chain.failed_tasks_table is not None:
        yield Observation("failed work is in the dead-letter table")
        return
    failing = await failing_tasks(database, chain)
    for task in failing:
        yield Finding(
            code="CHN004",
            resource=Resource("task", task.name.replace(":", ".")),
            symptom=f"the last {counted(task.failures, 'execution')} of `{task.name}` failed; newest: {task.error}",
            cause="the task gives up, and nothing lists what it has not done",
            severity=Severity.WARNING,
            role=Role.SYMPTOM,
            related=chain.needs_of_task(task.name),
            impacts=("accepted work that was not done, and is on no list",),
            evidence=(Evidence(EvidenceKind.SQL, chain.executions_table, f"newest {task.newest}"),),
            validation="doctor check --select CHN004",
        )
    if not failing:
        yield Observation("no task fails repeatedly")

"""Tasks have failed for good and wait in the dead-letter table.

## What it finds
Rows of the dead-letter table (`failed_tasks_table` in `[chain]`) within the look-back, grouped by task, with the
newest error.

## Why it hurts
A dead letter is work that was accepted and not done. Nobody looks into the table unless somebody says so (C12).

## How it is told from its look-alikes
A failure that was retried and succeeded leaves no dead letter. Old ones, beyond the look-back, are counted apart and
not reported.

## How to fix
Repair the cause that explains it, then run the work again. The example pipeline removes a dead letter when its work
succeeds.

## False positives
A table that is kept as an archive. Leave `failed_tasks_table` out of `[chain]`, or delete what has been dealt with.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    REPEATED,
    Chain,
    Database,
    Evidence,
    EvidenceKind,
    Finding,
    Metric,
    Observation,
    Resource,
    Role,
    Severity,
    check,
    counted,
    dead_letters,
)


@check("CHN002", "dead-letters-waiting", severity=Severity.WARNING, tags=["live"])
async def dead_letters_waiting(database: Database, chain: Chain) -> AsyncIterator[Finding | Observation]:
    """Group the recent dead letters by task."""
    if chain.failed_tasks_table is None:
        yield Observation("no dead-letter table configured")
        return
    groups = await dead_letters(database, chain)
    for group in groups:
        yield Finding(
            code="CHN002",
            resource=Resource("task", group.task.replace(":", ".")),
            symptom=f"`{group.task}` failed for good {counted(group.count, 'time')}; newest: {group.error}",
            cause="the task gave up after its retries",
            severity=Severity.WARNING,
            role=Role.SYMPTOM,
            related=chain.needs_of_task(group.task),
            impacts=("accepted work that was not done",)
            + (("the task fails again and again",) if group.count >= REPEATED else ()),
            evidence=(
                Evidence(EvidenceKind.SQL, chain.failed_tasks_table, f"{group.count} rows, newest {group.newest}"),
            ),
            validation="doctor check --select CHN002",
            metric=Metric("dead_letters", group.count, f"task:{group.task.replace(':', '.')}"),
        )
    if not groups:
        yield Observation("no dead letters", metrics=(Metric("dead_letters", 0),))

"""Rows are older than the chain's look-back and have not passed a stage, so nothing will ever take them up.

## What it finds
Per stage, the rows of the message table that are older than the look-back, have passed every earlier stage, and not
this one. For a stage with a threshold, groups that reached it and groups that never did are counted apart.

## Why it hurts
The chain only looks at recent rows. What was missed while something was broken stays unscored or without a topic when
everything works again, and no error says so.

## How it is told from its look-alikes
Recent rows that wait are CHN001's. A row that a batch took and that the model left without a topic has passed. Rows
without a vector belong to EMB001. A group below the threshold waited by design until it was too old, which is an
information.

## How to fix
Run the stage's task for these rows by hand; the example pipeline has `POST /api/v1/knowledge/extract` with a period.
Where the groups stay below the threshold for good, lower the threshold or lengthen the look-back.

## False positives
Rows that were imported as history. Mute the finding, or set the column that the stage fills.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    Chain,
    Database,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    LeftBehind,
    Observation,
    Resource,
    Role,
    Severity,
    check,
    counted,
    left_behind,
)


@check("CHN003", "rows-left-behind", severity=Severity.WARNING, tags=["live"])
async def rows_left_behind(database: Database, chain: Chain) -> AsyncIterator[Finding | Observation]:
    """Count the old rows before each stage."""
    found = await left_behind(database, chain)
    for one in found:
        if one.rows:
            yield _finding(chain, one, one.rows, by_design=False)
        if one.below_threshold:
            yield _finding(chain, one, one.below_threshold, by_design=True)
    if not any(one.rows or one.below_threshold for one in found):
        yield Observation(f"no row older than {chain.lookback_hours:g} h waits")


def _finding(chain: Chain, one: LeftBehind, rows: int, *, by_design: bool) -> Finding:
    stage = one.stage
    never = ", in groups that never reached the threshold" if by_design else ""
    how = f"run `{stage.task}` for them by hand" if stage.task else f"give them their {stage.column} by hand"
    return Finding(
        code="CHN003",
        resource=Resource("stage", stage.name),
        symptom=f"{counted(rows, 'row')} of {chain.message_table}, older than {chain.lookback_hours:g} h, "
        f"never passed `{stage.name}`{never}",
        cause="the look-back ended before the threshold was reached" if by_design else "the chain did not work then",
        severity=Severity.INFO if by_design else Severity.WARNING,
        role=Role.ADVICE if by_design else Role.DAMAGE,
        subject="below the threshold" if by_design else "left behind",
        impacts=(f"no later stage ever sees {'it' if rows == 1 else 'them'}",),
        evidence=(Evidence(EvidenceKind.SQL, f"{stage.table}.{stage.column}", _newest(one)),),
        related=(Resource("task", stage.task_resource),) if stage.task_resource else (),
        fixes=(FixOption.by_hand(how, "the chain itself only takes up recent rows"),),
        validation="doctor check --select CHN003",
    )


def _newest(one: LeftBehind) -> str:
    return f"the newest is of {one.newest}" if one.newest else "none of them has a time"

"""After a proof: withdraw what still waits, remove what came of the canaries, and say what could not be removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from doctor.canary_record import CanaryRecord, CanaryRecords, with_words
from doctor.canary_rows import CanaryRows, Removed
from doctor.canary_tasks import Settled, TaskQueue, Traces
from doctor.chain import Chain
from doctor.redaction import bounded, redact
from doctor.resources.database import DatabaseError
from doctor.resources.nats import NatsError
from doctor.resources.unreachable import ResourceUnreachable
from doctor.target import Target
from doctor.wording import counted

if TYPE_CHECKING:
    from doctor.resources.database import Database


def records_of(target: Target) -> CanaryRecords:
    """Return the records of the target's proofs."""
    return CanaryRecords(target.root / ".doctor" / "canaries")


async def sweep(target: Target) -> list[str]:
    """Remove what proofs that were killed have left; return one sentence for each.

    Raises:
        ResourceUnreachable, NotConfiguredError: the database, or the chain, is not there.
    """
    records = records_of(target)
    left = records.left()
    if not left:
        return []
    database: Database = await target.provide("database")
    done = []
    for record in left:
        cleaned = await clean_up(database, target.chain(), records, record, None)
        done.append(f"canaries {record.canaries.marker} of a proof that was interrupted: {cleaned}")
    return done


async def clean_up(
    database: Database, chain: Chain, records: CanaryRecords, record: CanaryRecord, queue: TaskQueue | None
) -> str:
    """Withdraw the canaries' tasks that nobody works on, then remove their rows; say what was done and what was not.

    The record goes when nothing can come any more; otherwise it stays for :func:`sweep`.
    """
    settled, notes = Settled(0, 0), []
    removed = Removed({}, ())
    try:
        async with CanaryRows.of(database, chain, record) as rows:
            traces = await rows.traces()
            try:
                settled = Settled(0, 0) if queue is None else await queue.settle(rows.traces)
            except NatsError as error:
                notes.append(f"the queue could not be searched for tasks of the canaries ({error})")
            removed = await rows.remove()
    except (psycopg.Error, DatabaseError, ResourceUnreachable) as error:
        notes.append(f"rows stay: {bounded(redact(' '.join(str(error).split())), 300)}")
        traces = Traces((), {})
    if settled.taken:
        notes.append(f"a worker still has {counted(settled.taken, 'task')} of the canaries")
    if notes:
        records.keep(with_words(record, traces.words))
        notes.append("`doctor undo` removes the rest later")
    else:
        records.forget(record)
    if removed.left:
        notes.append(f"rows of {', '.join(removed.left)} stay: nothing tells new ones from old ones there")
    parts = [f"{count} {table}" for table, count in removed.rows.items() if count]
    parts += [f"{counted(settled.withdrawn, 'task')} that waited"] if settled.withdrawn else []
    return "; ".join([f"removed {', '.join(parts) or 'nothing'}", *notes])

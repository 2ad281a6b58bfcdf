"""The proof: canary messages through the real entry, followed from stage to stage by what the database holds.

Nothing is simulated and nothing is slept for: each stage is awaited as a fact, with a deadline. Canaries never share an
extraction with other messages; where that cannot be guaranteed the verification refuses.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from doctor.canary import Canaries, recognises
from doctor.canary_cleanup import clean_up, records_of
from doctor.canary_failure import failure_of
from doctor.canary_record import CanaryRecord
from doctor.canary_rows import CanaryRows
from doctor.canary_tasks import TaskQueue
from doctor.chain import Chain, Stage
from doctor.late import httpx, sql
from doctor.model import StageResult, Verification
from doctor.proof_conditions import require_conditions
from doctor.redaction import bounded, redact
from doctor.resources.catalog import identifier
from doctor.resources.database import Database
from doctor.resources.http_answer import NoAnswerError, ask
from doctor.resources.nats import JetStreamDisabled, NatsError, StreamNotFound
from doctor.resources.unreachable import ResourceUnreachable
from doctor.target import NotConfiguredError, Target

POLL = 0.1
LOOK_FOR_FAILURE = 1.0
"""Seconds between two looks whether the chain has given up; a healthy one is mostly through before the first."""

HTTP_TIMEOUT = 10.0
FOUND_BEST = 5
"""A canary counts as found when its text is among so many best hits for its own words."""


@dataclass(slots=True)
class _Walk:
    """One walk through the chain and the results so far."""

    target: Target
    chain: Chain
    database: Database
    base_url: str
    record: CanaryRecord
    deadline: float
    """Seconds for each stage."""
    progress: Callable[[StageResult], None]
    queue: TaskQueue | None = None
    given_up: str = ""
    """Which task of the canaries has failed for good, once that is known."""
    started: float = field(default_factory=time.monotonic)
    stages: list[StageResult] = field(default_factory=list)

    @property
    def canaries(self) -> Canaries:
        """What was sent."""
        return self.record.canaries

    def rows(self) -> AbstractAsyncContextManager[CanaryRows]:
        """Look at what the canaries have brought into being."""
        return CanaryRows.of(self.database, self.chain, self.record)

    def add(self, result: StageResult) -> bool:
        self.stages.append(result)
        self.progress(result)
        return result.passed


async def verify(
    target: Target,
    canaries: Canaries,
    *,
    deadline: float = 60.0,
    keep: bool = False,
    progress: Callable[[StageResult], None] = lambda _result: None,
    notice: Callable[[str], None] = lambda _text: None,
) -> Verification:
    """Send the canaries and follow them. ``deadline`` is in seconds, for each stage.

    ``notice`` is told what will be written, and what was cleaned up after an interruption.

    Raises:
        VerificationRefusedError: canaries could share an extraction with other messages, or the chain has no known
        entry. ResourceUnreachable, NotConfiguredError: the database is not there. DatabaseError, psycopg.Error: it
        went away, or did not answer in time, while the canaries were under way.
    """
    started_at = datetime.now(UTC)
    chain = target.chain()
    database: Database = await target.provide("database")
    base = await require_conditions(target, chain, canaries, database)
    record = CanaryRecord(canaries, await database.scalar("SELECT now()"))
    walk = _Walk(target, chain, database, base, record, deadline, progress)
    records = records_of(target)
    try:
        walk.queue = await _queue(target, chain)
    except (ResourceUnreachable, NatsError) as error:
        walk.add(_result(walk, "received", 0, canaries.count, False, redact(f"nothing was sent: {error}")))
        return _verification(walk, started_at, "", keep=keep)
    afterwards = "keeps them" if keep else "removes them again, with what came of them"
    notice(f"writes {canaries.count} messages marked {canaries.marker} through {chain.entry} and {afterwards}")
    if keep:
        await _follow(walk)
        return _verification(walk, started_at, "", keep=True)
    with records.under_way(record):
        try:
            await _follow(walk)
        except BaseException:
            notice(f"interrupted: {await clean_up(database, chain, records, record, walk.queue)}")
            raise
        cleaned = await clean_up(database, chain, records, record, walk.queue)
    return _verification(walk, started_at, f"; {cleaned}", keep=False)


def _verification(walk: _Walk, started_at: datetime, cleaned: str, *, keep: bool) -> Verification:
    failed = next((stage for stage in walk.stages if not stage.passed), None)
    return Verification(
        marker=walk.canaries.marker,
        canaries=walk.canaries.count,
        stages=tuple(walk.stages),
        passed=failed is None,
        stopped_at=None if failed is None else failed.name,
        reason=(failed.detail if failed else "every stage proved") + cleaned,
        kept=keep,
        started_at=started_at,
    )


async def _queue(target: Target, chain: Chain) -> TaskQueue | None:
    """Remember the end of the queue before the first canary; None where no stream keeps the tasks.

    Raises:
        ResourceUnreachable, NatsError: the queue does not answer, so that canaries could not be withdrawn from it.
    """
    try:
        return await TaskQueue.from_now_on(await target.provide("nats"), chain.queue_subject)
    except (NotConfiguredError, StreamNotFound, JetStreamDisabled):
        return None


async def _follow(walk: _Walk) -> None:
    """Walk from the entry to the search and stop at the first stage that is not proved."""
    if not walk.add(await _received(walk)):
        return
    for stage in walk.chain.stages:
        if stage.threshold and stage.taken_by and not walk.add(await _threshold(walk)):
            return
        if walk.chain.is_of_messages(stage) and not walk.add(await _passed(walk, stage)):
            return
        if not walk.chain.is_of_messages(stage) and not walk.add(await _produced(walk, stage)):
            return
    if walk.chain.search:
        walk.add(await _found(walk))


async def _received(walk: _Walk) -> StageResult:
    method, _, path = walk.chain.entry.partition(" ")
    headers = {}
    if walk.chain.secret_header and walk.chain.secret_env:
        secret = walk.target.environment.secret(walk.chain.secret_env)
        if secret:
            headers[walk.chain.secret_header] = secret.reveal()
    accepted, complaint = 0, ""
    end = time.monotonic() + walk.deadline
    async with httpx.AsyncClient(base_url=walk.base_url, timeout=HTTP_TIMEOUT, headers=headers) as client:
        for update in walk.canaries.updates(int(time.time())):
            try:
                answer = await ask(client, method, path, update, max(end - time.monotonic(), 0.001))
            except NoAnswerError as error:
                complaint = str(error)
                break
            if answer.is_success:
                accepted += 1
            else:
                complaint = f"{answer.status} {bounded(answer.text, 200)}"
    expected = walk.canaries.count
    detail = redact(complaint) or f"{walk.chain.entry} answered 2xx"
    return _result(walk, "received", accepted, expected, accepted == expected, detail)


async def _threshold(walk: _Walk) -> StageResult:
    """Await the extraction that takes a batch of the canaries, whatever then becomes of it."""
    taken = 0

    async def batches() -> int:
        nonlocal taken
        found, taken = await rows.claims()
        return found

    async with walk.rows() as rows:
        count = await _await_count(walk, batches, 1)
    enough = f"{walk.chain.message_threshold} are enough"
    detail = f"{enough}; {taken} taken" if taken else enough
    if not count:
        detail = f"{enough}, and nothing took them{_why(walk)}"
    return _result(walk, "threshold", count, 1, count > 0, detail)


async def _passed(walk: _Walk, stage: Stage) -> StageResult:
    """Await the canaries that have passed a stage of the message table."""
    assert stage.column is not None  # the configuration names one for each stage with a table
    at_threshold = _behind_threshold(walk.chain, stage)
    expected = walk.canaries.count
    if at_threshold:  # what was assigned must be embedded; who waits for the threshold waits for everything after it
        expected = walk.chain.message_threshold if stage.threshold else walk.stages[-1].count
    query = sql.SQL("SELECT count(*) FROM {} WHERE {} AND {} IS NOT NULL").format(
        identifier(walk.chain.message_table), recognises(walk.chain, walk.canaries), sql.Identifier(stage.column)
    )
    count = await _await_count(walk, lambda: walk.database.scalar(query), expected)
    if count < expected:
        detail = f"only {count} of {expected}{_why(walk)}"
        return _result(walk, stage.name, count, expected, False, detail)
    waiting = walk.canaries.count - count
    details = await _made(walk) if stage.threshold else []
    details += [f"{waiting} wait for the threshold"] if at_threshold and waiting else []
    return _result(walk, stage.name, count, expected, True, ", ".join(details))


async def _made(walk: _Walk) -> list[str]:
    """Say what the extraction has made of the canaries: topics, atoms and links, by the names of their tables."""
    async with walk.rows() as rows:
        return [f"{name.rpartition('.')[2]} {count}" for name, count in (await rows.made()).items()]


def _behind_threshold(chain: Chain, stage: Stage) -> bool:
    return any(each.threshold for each in chain.stages[: chain.position(stage.name) + 1])


async def _produced(walk: _Walk, stage: Stage) -> StageResult:
    """Await the rows of another table that the canaries brought into being: at least one, and each with its column
    filled."""
    assert stage.table is not None
    assert stage.column is not None
    link = stage.produced_by or "topic_id"
    mine = sql.SQL("{link} IN (SELECT {link} FROM {messages} WHERE {canary} AND {link} IS NOT NULL)").format(
        link=sql.Identifier(link),
        messages=identifier(walk.chain.message_table),
        canary=recognises(walk.chain, walk.canaries),
    )
    query = sql.SQL("SELECT count(*) AS made, count({}) AS filled FROM {} WHERE {}").format(
        sql.Identifier(stage.column), identifier(stage.table), mine
    )
    made = 0

    async def filled() -> int:
        nonlocal made
        row = await walk.database.fetch_one(query)
        made = row["made"] if row else 0
        return row["filled"] if row and row["filled"] == made else 0

    count = await _await_count(walk, filled, 1)
    passed = count >= max(made, 1)
    detail = f"{made} {stage.table}" if passed else f"{made} {stage.table}{_why(walk)}"
    return _result(walk, stage.name, count, max(made, 1), passed, detail)


async def _found(walk: _Walk) -> StageResult:
    """Search for one embedded canary by its own words and look for its marker among the best hits."""
    assert walk.chain.search is not None
    method, _, path = walk.chain.search.partition(" ")
    embedded = next(
        (s.column for s in walk.chain.stages if walk.chain.is_of_messages(s) and _is_last(walk.chain, s)), None
    )
    query = sql.SQL(
        "SELECT {content} AS text FROM {messages} WHERE {canary} AND {embedded} IS NOT NULL ORDER BY 1 LIMIT 1"
    ).format(
        content=sql.Identifier(walk.chain.content),
        messages=identifier(walk.chain.message_table),
        canary=recognises(walk.chain, walk.canaries),
        embedded=sql.Identifier(embedded or walk.chain.content),
    )
    text = await walk.database.scalar(query)
    question = {"query": text, "limit": FOUND_BEST, "threshold": 0.0}
    async with httpx.AsyncClient(base_url=walk.base_url, timeout=HTTP_TIMEOUT) as client:
        try:
            answer = await ask(client, method, path, question, min(walk.deadline, HTTP_TIMEOUT))
        except NoAnswerError as error:
            return _result(walk, "found", 0, 1, False, redact(str(error)))
    hit = answer.is_success and walk.canaries.marker in answer.text
    detail = f"{walk.chain.search}" if hit else f"{answer.status} {bounded(redact(answer.text), 200)}"
    return _result(walk, "found", int(hit), 1, hit, detail)


def _is_last(chain: Chain, stage: Stage) -> bool:
    own = [each for each in chain.stages if chain.is_of_messages(each)]
    return bool(own) and own[-1] is stage


async def _await_count(walk: _Walk, ask: Callable[[], Awaitable[Any]], expected: int) -> int:
    """Ask until the count is reached, the chain has given up or the stage's time is over; return the last answer."""
    now = time.monotonic()
    end, look = now + walk.deadline, now + LOOK_FOR_FAILURE
    while (count := int(await ask() or 0)) < expected and (now := time.monotonic()) < end:
        if walk.queue is not None and now >= look:
            look = now + LOOK_FOR_FAILURE
            async with walk.rows() as rows:
                failure = await failure_of(rows, walk.queue)
            if failure is not None:
                count = int(await ask() or 0)
                walk.given_up = failure if count < expected else ""
                return count
        await asyncio.sleep(POLL)
    return count


def _why(walk: _Walk) -> str:
    reason = f": {walk.given_up}" if walk.given_up else f" within {walk.deadline:g} s"
    return f"{reason}; `doctor check` names the cause"


def _result(walk: _Walk, name: str, count: int, expected: int, passed: bool, detail: str) -> StageResult:
    return StageResult(name, count, expected, passed, time.monotonic() - walk.started, detail)

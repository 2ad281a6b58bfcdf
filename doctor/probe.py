"""Tiny answers for container health checks: one question, one line, within a deadline.

A probe looks at what is configured and nothing else: it reads no source, runs no check, and writes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from doctor.chain import QUEUE_SUBJECT
from doctor.queue_state import QueueState, judge_queue, queue_state
from doctor.resources.unreachable import ResourceUnreachable
from doctor.target import NotConfiguredError, Target
from doctor.wording import counted

if TYPE_CHECKING:
    from doctor.resources.nats import Nats

TIMEOUT = 2.0
"""Seconds for the whole of a probe; Docker's own default for a health check is 30."""

LOOKS = 4
PAUSE = 0.05
"""Seconds between two looks at a consumer: a pull request that has just ended is renewed within milliseconds."""


class ProbeError(Exception):
    """A system answers and does not do what was asked; the message says what it said."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one probe says. ``healthy`` None: the target has no such system, or (``known`` False) nobody can tell."""

    name: str
    healthy: bool | None
    words: str
    known: bool = True

    @property
    def line(self) -> str:
        """The line for a health check's log."""
        without = "not configured" if self.known else "cannot tell"
        return f"{ {True: 'ok', False: 'FAIL', None: without}[self.healthy] } {self.name}: {self.words}"


Probe = Callable[[Target], Awaitable[Answer]]


async def probe(target: Target, name: str, *, timeout: float = TIMEOUT) -> Answer:
    """Ask one probe of :data:`PROBES`; whatever happens to the target is an answer."""
    try:
        async with asyncio.timeout(timeout):
            return await PROBES[name](target)
    except NotConfiguredError as error:
        return Answer(name, None, str(error))
    except TimeoutError:
        return Answer(name, False, f"no answer within {timeout:g} s")
    except ResourceUnreachable as error:
        return Answer(name, False, f"{error.reason.explanation} ({error.address})")
    except ProbeError as error:
        return Answer(name, False, " ".join(str(error).split()))


@contextmanager
def _failing_with(kind: type[Exception]) -> Iterator[None]:
    """Turn the errors of a system that can be reached into an answer."""
    try:
        yield
    except ResourceUnreachable:
        raise
    except kind as error:
        raise ProbeError(str(error)) from error


async def _database(target: Target) -> Answer:
    from doctor.resources.database import DatabaseError

    database = await target.provide("database")
    started = time.perf_counter()
    with _failing_with(DatabaseError):
        await database.fetch("SELECT 1 AS one")
    return Answer("db", True, f"answers in {_milliseconds(started)}")


async def _nats(target: Target) -> Answer:
    from doctor.resources.nats import NatsError

    nats: Nats = await target.provide("nats")
    with _failing_with(NatsError):
        round_trip = await nats.round_trip()
    if not nats.server.jetstream:
        plain = await _listened_to(target, nats, "nats")
        return replace(plain, words=f"NATS {nats.server.version} runs without JetStream; {plain.words}")
    return Answer("nats", True, f"NATS {nats.server.version} with JetStream, {round_trip * 1000:.1f} ms")


async def _model(target: Target) -> Answer:
    from doctor.resources.model_server import ModelError

    server = (await target.provide("models")).default
    if server is None:
        raise NotConfiguredError(f"no {target.configuration.target.ollama_env[0]} in .env or the environment")
    wanted = target.variable(target.configuration.target.embedding_model_env)
    started = time.perf_counter()
    with _failing_with(ModelError):
        if wanted is None:
            return Answer("model", True, f"version {await server.version()} answers in {_milliseconds(started)}")
        await server.describe(wanted.value)
    return Answer("model", True, f"{wanted.value} is there, answers in {_milliseconds(started)}")


async def _worker(target: Target) -> Answer:
    from doctor.resources.nats import NatsError

    nats: Nats = await target.provide("nats")
    with _failing_with(NatsError):
        return await _consuming(target, nats)


async def _consuming(target: Target, nats: Nats) -> Answer:
    subject = subject_of(target)
    first = state = await queue_state(nats, subject)
    if not nats.server.jetstream:
        return await _listened_to(target, nats, "worker")
    if not state.streams:
        plain = await _listened_to(target, nats, "worker")
        return plain if plain.healthy else Answer("worker", False, f"no stream carries `{subject}`")
    for look in range(LOOKS):
        processes = target.environment.processes() if look == LOOKS - 1 else ()
        verdict = judge_queue(first, state, processes, batch=1, all_seen=nats.is_loopback, now=datetime.now(UTC))
        if verdict.standstill is None:
            return Answer("worker", True, f"{verdict.evidence.removeprefix('worker ')}; {_backlog(state)}")
        await asyncio.sleep(PAUSE)
        state = await queue_state(nats, subject)
    return Answer("worker", False, f"{verdict.standstill}; {_backlog(state)}")


async def _listened_to(target: Target, nats: Nats, name: str) -> Answer:
    """Tell whether somebody takes the tasks without a stream, as plain NATS is meant to be used."""
    from doctor.resources.nats_monitoring import MonitoringUnavailableError, listeners

    subject = subject_of(target)
    try:
        found = await listeners(monitoring_pages(target, nats), subject)
    except MonitoringUnavailableError as error:
        return Answer(name, None, f"who listens to `{subject}` is not known: {error}", known=False)
    if not found.copies:
        return Answer(name, False, f"nobody listens to `{subject}`")
    return Answer(name, True, f"{counted(len(found.groups) + found.alone, 'listener')} to `{subject}`, on plain NATS")


async def _pipeline(target: Target) -> Answer:
    """Ask all others at once; what is not configured is left out."""
    names = [name for name in PROBES if name != "pipeline"]
    answers = await asyncio.gather(*(probe(target, name, timeout=TIMEOUT) for name in names))
    failed = [answer for answer in answers if answer.healthy is False]
    unknown = [answer for answer in answers if not answer.known]
    asked = [answer for answer in answers if answer.healthy is not None]
    if not asked and not unknown:
        raise NotConfiguredError("; ".join(answer.words for answer in answers))
    words = " · ".join(f"{answer.name} {answer.words}" for answer in failed or unknown or asked)
    return Answer("pipeline", None if unknown and not failed else not failed, words, known=not unknown)


def subject_of(target: Target) -> str:
    """Return the subject of the tasks: configured, or that of taskiq-nats; no source is read for it."""
    chain = target.chain_or_none()
    return QUEUE_SUBJECT if chain is None else chain.queue_subject


def monitoring_pages(target: Target, nats: Nats) -> str:
    """Return where the monitoring pages of the server are: where a variable says, else on its usual port."""
    from doctor.resources.nats_monitoring import VARIABLES, monitoring_url

    given = target.variable(VARIABLES)
    return monitoring_url(nats.endpoint.address, given.value if given else None)


def _backlog(state: QueueState) -> str:
    waiting = state.pending if state.consumers else sum(stream.messages for stream in state.streams)
    return f"{waiting} waiting, {state.unacknowledged} at work"


def _milliseconds(started: float) -> str:
    return f"{(time.perf_counter() - started) * 1000:.1f} ms"


PROBES: dict[str, Probe] = {
    "worker": _worker,
    "db": _database,
    "nats": _nats,
    "model": _model,
    "pipeline": _pipeline,
}
"""Name → question."""

"""An enqueue is a coroutine that nobody awaits, so nothing is ever sent.

## What it finds
A statement that calls `.kiq(…)` of TaskIQ, or `enqueue_job(…)` of arq, without `await`:

    async def save(message_id: int) -> None:
        score_message_task.kiq(message_id)

## Why it hurts
The call only makes a coroutine. The task is not enqueued, no exception is raised, and the function goes on as if all
were well. Python warns of it once, on stderr, when the coroutine is thrown away.

## How it is told from its look-alikes
Only a call counts that stands as a statement of its own, alone, in a list, in a branch or behind `and`, or that is
assigned to a local name that nothing reads: there, nobody can await it later. What is returned, collected for
`asyncio.gather` or given to another function is silent, and so are `.delay(…)` and `.send(…)`, which enqueue at once.
Where the source has a plain `kiq` of its own, and in tests, only calls count that lead to a task of TaskIQ.
On a function that is no task, where the call raises, TSK003 speaks instead. `enqueue_job` counts only in a module that
imports arq, because RQ's queue has a plain method of that name.

## How to fix
Write `await` in front of it. In a function that is no coroutine, make it one, or hand the work to one that is.

## False positives
A wrapper of another package around TaskIQ whose `kiq` is a plain function.
"""

from collections.abc import Iterator

from doctor.api import Evidence, EvidenceKind, Example, Finding, FixOption, Resource, Severity, Source, check
from doctor.source.collectors.unawaited_enqueues import COLLECTOR, PlainKiq, UnawaitedEnqueue

_TASKS = """\
from taskiq_nats import PullBasedJetStreamBroker

broker = PullBasedJetStreamBroker()


@broker.task
async def score(message_id: int) -> None:
    print(message_id)
"""
_FORGOTTEN = """\
from .tasks import score


async def save(message_id: int) -> None:
    score.kiq(message_id)
"""
_KICKER = """\
from .tasks import score


async def save(message_id: int) -> None:
    score.kicker().with_labels(delay=5).kiq(message_id)
"""
_DISCARDED = """\
from .tasks import score


async def save(message_ids: list[int]) -> None:
    _ = score.kiq(message_ids[0])


async def save_all(message_ids: list[int]) -> None:
    [score.kiq(one) for one in message_ids]
"""
_NEVER_READ = """\
from .tasks import score


async def save(message_id: int, urgent: bool) -> None:
    sent = score.kiq(message_id)
    await score.kiq(message_id) if urgent else score.kiq(message_id)
"""
_PLAIN = """\
def audit(message_id: int) -> None:
    print(message_id)


async def save(message_id: int) -> None:
    audit.kiq(message_id)
"""
_ARQ = """\
from arq.connections import ArqRedis


async def save(redis: ArqRedis, message_id: int) -> None:
    redis.enqueue_job("score", message_id)
"""
_TAKEN = """\
import asyncio

from .tasks import score


async def save(message_ids: list[int]) -> None:
    await score.kiq(message_ids[0])
    await asyncio.gather(*(score.kiq(one) for one in message_ids))
    pending = score.kiq(1)
    await pending
    _ = score.kiq(2)
    await _
    [await score.kiq(one) for one in message_ids]


def later(message_id: int):
    return score.kiq(message_id)


def now(message_id: int) -> None:
    asyncio.run(score.kiq(message_id))
"""
_OWN = """\
class Sender:
    def kiq(self, message_id: int) -> None:
        print(message_id)


def save(sender: Sender, message_id: int) -> None:
    sender.kiq(message_id)
"""
_OWN_ELSEWHERE = """\
from .sender import sender


def save(message_id: int) -> None:
    sender.kiq(message_id)
"""
_SENDER = _OWN.partition("\n\n\n")[0] + "\n\n\nsender = Sender()\n"
_MOCK = """\
from unittest.mock import Mock


def test_the_caller_sends() -> None:
    task = Mock()
    task.kiq(1)
    task.kiq.assert_called_once_with(1)
"""
_BEHIND_AND = """\
from .tasks import score


async def save(message_id: int, urgent: bool) -> None:
    urgent and score.kiq(message_id)
"""
_OTHERS = """\
from celery import shared_task
from rq import Queue


@shared_task
def clean() -> None:
    pass


def start(queue: Queue, job) -> None:
    clean.delay()
    queue.enqueue_job(job)
"""


def _project(caller: str) -> dict[str, str]:
    return {"app/__init__.py": "", "app/tasks.py": _TASKS, "app/save.py": caller}


@check(
    "TSK008",
    "enqueue-not-awaited",
    severity=Severity.ERROR,
    tags=["static"],
    bad=[
        Example("a forgotten await", _project(_FORGOTTEN)),
        Example("a forgotten await of a kicker", _project(_KICKER)),
        Example("assigned to nothing, and a list of nothing", _project(_DISCARDED)),
        Example("a job of arq", {"app/jobs.py": _ARQ}),
        Example("a name that nothing reads, and one of two branches", _project(_NEVER_READ)),
        Example("behind a condition", _project(_BEHIND_AND)),
        Example(
            "a task, beside a class whose kiq is a plain method", _project(_FORGOTTEN) | {"app/sender.py": _SENDER}
        ),
    ],
    good=[
        Example("awaited, now or by somebody else", _project(_TAKEN)),
        Example("a function that is no task is TSK003's", _project(_PLAIN)),
        Example("a class of one's own whose kiq is a plain method", _project(_OWN)),
        Example("such a class in another file", _project(_OWN_ELSEWHERE) | {"app/sender.py": _SENDER}),
        Example("a mock in a test", {"tests/test_save.py": _MOCK}),
        Example("Celery and RQ enqueue at once", {"jobs.py": _OTHERS}),
    ],
)
def enqueue_not_awaited(source: Source) -> Iterator[Finding]:
    """Take over what the collector found, one finding a statement."""
    plain = {(call.path, call.line, call.target) for call in source.non_tasks()}
    tasks = {task.id for task in source.tasks() if task.library == "taskiq"}
    certain = {(one.path, one.line, one.target) for one in source.enqueues() if one.task in tasks}
    facts = source.collected(COLLECTOR)
    has_a_plain_kiq = any(isinstance(fact, PlainKiq) for fact in facts)
    for fact in facts:
        if isinstance(fact, PlainKiq) or (place := (fact.path, fact.line, fact.target)) in plain:
            continue
        if place in certain or fact.library == "arq" or not (fact.apart or has_a_plain_kiq):
            yield _finding(fact)


def _finding(fact: UnawaitedEnqueue) -> Finding:
    place = f"{fact.path}:{fact.line}"
    how = f"write `await` in front of it in {place}"
    if not fact.in_coroutine:
        how = f"make `{fact.function}` a coroutine and {how}"
    return Finding(
        code="TSK008",
        resource=Resource("code", f"{fact.path}:{fact.function}", fact.path, fact.line),
        subject=f"{fact.target}.{fact.verb}",
        symptom=f"`{fact.target}.{fact.verb}(…)` in `{fact.function}` sends nothing, because nobody awaits it",
        cause="the call only makes a coroutine, which is thrown away",
        severity=Severity.ERROR,
        impacts=("the task is never enqueued, and nothing raises",),
        evidence=(Evidence(EvidenceKind.CODE, place, fact.text),),
        rule=f"{fact.library}: `{fact.verb}` is a coroutine function; a coroutine that nobody awaits does nothing",
        fixes=(FixOption.by_hand(how, "only you know whether the caller may wait for the queue"),),
        validation="doctor check --select TSK008",
    )

"""A task is enqueued inside a broad `except` that only logs, so a failure is lost without a trace.

## What it finds
A call that sends a task (`.kiq`, `.delay`, `.apply_async`, `.send` of an actor) in a `try` whose broad handler
neither raises, nor writes a failure down, nor tells its caller:

    try:
        await score_message_task.kiq(message.id)
    except Exception as error:
        logger.warning("Failed to queue scoring task: {}", error)

Also the same around a call of a function that enqueues, and `with suppress(Exception)`. A warning; an error when an
HTTP route then answers with success.

## Why it hurts
The broker is away for a second, or the task object is broken (TSK001), and the message is gone: nobody raises,
nothing retries, no row says that something is missing. One warning in a log is all there is. It is rarely the root
cause. It is what turns a root cause into silence.

## How it is told from its look-alikes
The handler is read statement by statement, and its calls are followed into the target's own functions. It is silent
when the handler raises, writes a row, sends a message, sets an attribute or a flag that is read later, returns
something that differs from success (`False`, an error status), or calls anything whose effect cannot be seen.
Narrow handlers (`except ConnectionError`) are a decision, not an accident. A loop around a call that enqueues will
try again. `.delay` and `.send` of objects that are no tasks do not count.

## How to fix
By hand, because only you know who must be told. Either raise again after the log line, or write a failed-task row
from which the work can be repeated:

    except Exception as error:
        logger.warning("Failed to queue scoring task: {}", error)
        await record_failed_enqueue("score_message_task", {"message_id": message.id}, error)
        raise

## False positives
Work that may be lost, such as a cache warm-up; or a job that finds unfinished rows and enqueues them again.
"""

from collections.abc import Iterator

from doctor.api import (
    Applicability,
    Enqueue,
    Evidence,
    EvidenceKind,
    Example,
    Finding,
    FixOption,
    Resource,
    Role,
    Severity,
    Source,
    check,
)

_TASKS = """\
from taskiq_nats import PullBasedJetStreamBroker

broker = PullBasedJetStreamBroker()


@broker.task
async def score(message_id: int) -> None:
    print(message_id)
"""
_SAVE = """\
from loguru import logger

from .tasks import score


async def save(message_id):
    try:
        await score.kiq(message_id)
    except Exception as error:
        logger.warning("Failed to queue scoring task: {}", error)
"""
_WEBHOOK = """\
from fastapi import APIRouter

from .ingestion import save

router = APIRouter()


@router.post("/webhook")
async def receive(update: dict):
    await save(update["id"])
    return {"ok": True}
"""
_ENQUEUES = """\
from .tasks import score


async def queue_scoring(message_id):
    await score.kiq(message_id)
"""
_ONE_CALL_AWAY = """\
import logging

from .ingestion import queue_scoring

log = logging.getLogger(__name__)


async def save(message_id):
    try:
        await queue_scoring(message_id)
    except Exception:
        log.exception("could not queue")
"""
_SUPPRESSES = """\
from contextlib import suppress

from .tasks import score


async def save(message_id):
    with suppress(Exception):
        await score.kiq(message_id)
"""
_EARLIER = """\
from loguru import logger

from .tasks import score


async def save(message_id, scores):
    if message_id in scores:
        return scores[message_id]
    try:
        await score.kiq(message_id)
    except Exception as error:
        logger.warning("Failed to queue scoring task: {}", error)
"""
_FAILURES = """\
async def record_failure(message_id, error):
    await database.execute("INSERT INTO failed_tasks VALUES (%s, %s)", [message_id, str(error)])
"""


def _project(**files: str) -> dict[str, str]:
    return {"app/__init__.py": "", "app/tasks.py": _TASKS, **{f"app/{name}.py": text for name, text in files.items()}}


def _then(lines: str, **files: str) -> dict[str, str]:
    return _project(ingestion=_SAVE + lines, **files)


_RECORDS = "        from .failures import record_failure\n\n        await record_failure(message_id, error)\n"

BAD = (
    Example("only a warning is logged", _project(ingestion=_SAVE)),
    Example("a webhook answers with success", _project(ingestion=_SAVE, webhook=_WEBHOOK)),
    Example("the enqueue is one call away", _project(ingestion=_ENQUEUES, messages=_ONE_CALL_AWAY)),
    Example("suppressed", _project(ingestion=_SUPPRESSES)),
    Example("a value is returned only where nothing is enqueued", _project(ingestion=_EARLIER)),
)

GOOD = (
    Example("raised again after the log line", _then("        raise\n")),
    Example("a failed-task row is written", _then(_RECORDS, failures=_FAILURES)),
    Example("the caller is told", _then("        return False\n    return True\n")),
    Example("the message comes out of the block", _project(ingestion=_SAVE.replace("await", "return await"))),
    Example("a flag that is read later", _then("        failed = True\n    return failed\n")),
    Example("a narrow handler is a decision", _project(ingestion=_SAVE.replace("Exception", "ConnectionError"))),
    Example("a delay of something else", _project(ingestion=_SAVE.replace("score.kiq", "throttle.delay"))),
)


@check(
    "TSK002", "enqueue-error-swallowed", severity=Severity.WARNING, tags=["static"], timeout=20.0, bad=BAD, good=GOOD
)
def enqueue_error_swallowed(source: Source) -> Iterator[Finding]:
    """Look at what becomes of an exception at each place that sends a task; one finding per function and task."""
    found: dict[tuple[str, str], Enqueue] = {}
    for site in source.enqueues(indirect=True):
        if site.direct and site.is_swallowed:
            found.setdefault((site.function_id, site.task or site.target), site)
    for site in found.values():
        yield _finding(site)


def _finding(site: Enqueue) -> Finding:
    name = site.target.rpartition(".")[2]
    handler = site.handler
    log = None if handler is None else handler.log
    left = "not even a log line is left" if log is None else f"one `{log.level}` line is left"
    routes = tuple(f"{route.method} {route.url}" for route in site.routes)
    return Finding(
        code="TSK002",
        resource=Resource("code", site.function_id, site.path, site.line),
        subject=site.task or site.target,
        symptom=f"when `{name}` cannot be enqueued in `{site.function}`, {left}",
        cause=f"a broad handler swallows every error of `{name}.{site.verb}(…)`, so its failure stays silent",
        severity=Severity.ERROR if routes else Severity.WARNING,
        role=Role.AMPLIFIER,
        impacts=(
            "the work is lost: nothing raises, retries or records it",
            *(f"`{route}` answers with success all the same" for route in routes),
        ),
        evidence=tuple(_evidence(site)),
        related=() if site.task is None else (Resource("task", site.task),),
        fixes=(_by_hand(site),),
        validation="doctor check --select TSK002",
    )


def _evidence(site: Enqueue) -> Iterator[Evidence]:
    yield Evidence(EvidenceKind.CODE, f"{site.path}:{site.line}", site.text)
    handler = site.handler
    if handler is None:
        return
    suppressed = handler.caught.startswith(("suppress", "contextlib"))
    caught = f"with {handler.caught}" if suppressed else f"except {handler.caught}".strip()
    yield Evidence(EvidenceKind.CODE, f"{site.path}:{handler.line}", caught)
    if handler.log is not None:
        yield Evidence(EvidenceKind.CODE, f"{site.path}:{handler.log.line}", f"{handler.log.level}: {handler.log.text}")
    if site.via is not None:
        yield Evidence(EvidenceKind.CODE, site.via, f"enqueues `{site.task or site.target}`")


def _by_hand(site: Enqueue) -> FixOption:
    line = site.line if site.handler is None else site.handler.line
    return FixOption(
        fix="manual",
        title=f"raise again, or write a failed-task row, in the handler at {site.path}:{line}",
        applicability=Applicability.MANUAL,
        reason="only you know who must be told, and where the application keeps its failures",
        arguments={
            "path": site.path,
            "line": line,
            "snippet": "except Exception as error:\n"
            '    logger.warning("Failed to queue …: {}", error)\n'
            f'    await record_failed_enqueue("{site.target}", arguments, error)\n'
            "    raise\n",
        },
    )

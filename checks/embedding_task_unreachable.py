"""The task that embeds rows is enqueued by no task of the chain, so new rows never get a vector.

## What it finds
A task whose name says that it embeds (`embed_messages_batch_task`), in a target whose tasks enqueue one another, when
it is reached from no task, and from no HTTP route but those that are there for embedding by hand.

## Why it hurts
The task works when somebody calls it by hand, so every test of it passes. Every row that the chain stores stays
without a vector, and search returns nothing, without an error.

## How it is told from its look-alikes
Calls are followed through functions, methods and files: a task that calls a function that enqueues counts. A scheduled
task counts as part of the chain; so does a function that a library's decorator takes (`@event.listens_for(…)`) or that
is used as a value, for who calls it cannot be seen. A route that takes documents in and embeds them at once is right,
and a target whose tasks do not enqueue one another is left alone.

## How to fix
By hand: enqueue the embedding where the chain ends, after the rows are committed. The finding names the line and has
the code to paste there: whatever the queue raises, the task stands, whose work is already stored. Two names in it are
placeholders, which you must replace: the ids of the new rows, and the function that leaves a failed-task row. Where a
function enqueues the embedding already and nothing calls it, calling it is all. The rows of before need a backfill
(EMB001).

## False positives
Rows that are embedded by another application.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from doctor.api import (
    DecoratedFunction,
    Enqueue,
    Evidence,
    EvidenceKind,
    Example,
    Finding,
    FixOption,
    Mechanism,
    Outcome,
    Resource,
    Severity,
    Source,
    UnreachedEmbedding,
    check,
    unreached_embeddings,
)

RECORDER = "record_the_failed_enqueue"
"""The placeholder for the target's own function; as long as nobody replaces it, a failed enqueue is loud."""

NO_ROWS = re.compile(r"(?i)embed\w*|vectori[sz]e\w*|batch|task|job|new|generate|create|compute|the|of|for")
"""Words of an embedding task's name that do not say what it embeds."""

_BROKER = "from taskiq_nats import PullBasedJetStreamBroker\n\nbroker = PullBasedJetStreamBroker()\n"
_APP = """\
from fastapi import APIRouter

from app.broker import broker

router = APIRouter()


@broker.task
async def embed_messages(ids: list[int]) -> None:
    pass


@broker.task
async def score_message(message_id: int) -> None:
{score}

@broker.task
async def save_message(text: str) -> None:
    await score_message.kiq(1)


@router.post("/webhook")
async def receive(text: str) -> None:
    await save_message.kiq(text)


@router.post("/embeddings/{{message_id}}")
async def embed_one(message_id: int) -> None:
    await embed_messages.kiq([message_id])


async def queue_embedding(message_id: int) -> None:
    await embed_messages.kiq([message_id])
"""
_MANUAL_ONLY = _APP.format(score="    print(message_id)\n")
_EMBEDDED = _MANUAL_ONLY.replace("embed_messages", "verify_embedded_signatures")
_IN_A_PAGE = _MANUAL_ONLY.replace("embed_messages", "embed_video_in_page")
_LISTENER = _MANUAL_ONLY.replace("async def queue", '@event.listens_for(Message, "after_insert")\nasync def queue')
_IN_A_TABLE = _MANUAL_ONLY + '\n\nHOOKS = {"after": queue_embedding}\n'
_THROUGH_A_FUNCTION = _APP.format(score="    await queue_embedding(message_id)\n")


@check(
    "TSK005",
    "embedding-task-unreachable",
    severity=Severity.ERROR,
    tags=["static"],
    timeout=20.0,
    mechanisms=[
        Mechanism("TSK005", "EMB001", "nothing asks for the vectors of new rows", ("task", "stage")),
        Mechanism("TSK005", "CHN001", "the stage's task is never enqueued by the chain", ("task",)),
    ],
    bad=[Example("only a manual route embeds", {"app/broker.py": _BROKER, "app/tasks.py": _MANUAL_ONLY})],
    good=[
        Example("the chain embeds through a function", {"app/broker.py": _BROKER, "app/tasks.py": _THROUGH_A_FUNCTION}),
        Example("a task about what is embedded in a file", {"app/broker.py": _BROKER, "app/tasks.py": _EMBEDDED}),
        Example("a task that puts a video in a page", {"app/broker.py": _BROKER, "app/tasks.py": _IN_A_PAGE}),
        Example("a listener of the database embeds", {"app/broker.py": _BROKER, "app/tasks.py": _LISTENER}),
        Example("a table of hooks leads to it", {"app/broker.py": _BROKER, "app/tasks.py": _IN_A_TABLE}),
    ],
)
def embedding_task_unreachable(source: Source) -> Iterator[Finding]:
    """Look at what each embedding task is reached from."""
    for unreached in unreached_embeddings(source):
        yield _finding(unreached, source)


def _finding(unreached: UnreachedEmbedding, source: Source) -> Finding:
    task, sites, ends = unreached.task, unreached.sites, unreached.ends
    forgotten = _never_called(unreached, source)
    who = "only a route that is called by hand does" if sites else "nothing does"
    if forgotten is not None:
        who = f"`{forgotten.function}` does, and nothing calls it"
    last = ends[-1]
    return Finding(
        code="TSK005",
        resource=Resource("task", task.id, task.path, task.line),
        symptom=f"no task of the chain enqueues `{task.name}`; {who}",
        cause=f"`{last.name}` ends the chain without enqueuing `{task.name}`",
        severity=Severity.ERROR,
        impacts=("new rows never get a vector", "search does not find them"),
        evidence=(
            *(Evidence(EvidenceKind.CODE, f"{site.path}:{site.line}", site.text) for site in sites[:3]),
            *(
                Evidence(EvidenceKind.CODE, f"{end.path}:{end.line}", f"def {end.name}(…):  # ends here")
                for end in ends[:3]
            ),
        ),
        rule="a task runs only when something enqueues it",
        fixes=(*_calling(forgotten, ends), _option(task, last, source)),
        validation="doctor check --select TSK005; then new rows have vectors",
    )


def _never_called(unreached: UnreachedEmbedding, source: Source) -> Enqueue | None:
    """Return an enqueue of the task in a plain function that is no task, no route, and called by nothing."""
    ends = {route.function for route in source.routes()} | {task.id for task in source.decorated_functions()}
    for site in unreached.sites:
        is_plain = "." not in site.function and site.function.isidentifier()
        if is_plain and site.function_id not in ends and site.reached_from <= {site.function_id}:
            return site
    return None


def _calling(site: Enqueue | None, ends: Sequence[DecoratedFunction]) -> Iterator[FixOption]:
    """Yield the option to call the function that enqueues, at the end of the chain that is nearest to it."""
    if site is not None:
        end = next((end for end in ends if end.path == site.path), ends[-1])
        option = FixOption.by_hand(
            f"call `{site.function}` ({site.path}) at the end of `{end.name}`, {end.path}:{end.last_line}",
            "only you know its arguments there; the rows of before need `doctor fix EMB001`",
        )
        yield replace(option, recommended=True)


def _option(task: DecoratedFunction, last: DecoratedFunction, source: Source) -> FixOption:
    return FixOption.by_hand(
        f"enqueue `{task.name}` at the end of `{last.name}`: paste this behind {last.path}:{last.last_line}",
        "only you know which rows are new there; the rows of before need `doctor fix EMB001`",
        code=_hook(task, last, _recorded(source)),
    )


def _hook(task: DecoratedFunction, last: DecoratedFunction, recorded: str) -> str:
    """Return lines that enqueue the embedding and never fail the task around them, once two names are replaced."""
    send = {"celery": "delay", "dramatiq": "send"}.get(task.library or "", "kiq")
    ids = f"ids_of_the_new_{_rows(task.name)}"
    call = f"{task.name}.{send}({ids})"
    if send == "kiq":
        call = f"await {call}" if last.is_async else f"asyncio.run({call})"
    lines = [
        *(["import asyncio"] if call.startswith("asyncio") else []),
        "import logging",
        "",
        f"# Replace `{ids}` by the ids of the rows committed above,",
        f"# and `{RECORDER}` by what leaves a failed-task row{recorded}.",
        "try:",
        *([f"    from {task.module} import {task.name}", ""] if task.module != last.module else []),
        f"    {call}",
        "except Exception as error:  # whatever the queue raises, this task has done its work",
        f'    logging.getLogger(__name__).error("{task.name} was not enqueued: %s", error)',
        f'    {"await " if last.is_async else ""}{RECORDER}("{task.name}", error)',
    ]
    return "\n".join(f"{' ' * last.indent}{line}".rstrip() for line in lines) + "\n"


def _rows(name: str) -> str:
    """Return what a task embeds, by its name: ``atoms`` of ``embed_atoms_batch_task``."""
    return "_".join(word for word in name.split("_") if word and not NO_ROWS.fullmatch(word)) or "rows"


def _recorded(source: Source) -> str:
    """Return where the target writes down a failed enqueue already, as words."""
    for site in source.enqueues():
        if site.handler is not None and site.handler.outcome is Outcome.RECORDS:
            return f", as {site.path}:{site.handler.line} does"
    return ""

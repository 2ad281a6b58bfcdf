"""The task that embeds rows is enqueued by no task of the chain, so new rows never get a vector.

## What it finds
A task whose name says that it embeds (`embed_messages_batch_task`), in a target whose tasks enqueue one another, when
it is reached from no task, and from no HTTP route but those that are there for embedding by hand.

## Why it hurts
The task works when somebody calls it by hand, so every test of it passes. Every row that the chain stores stays
without a vector, and search returns nothing, without an error.

## How it is told from its look-alikes
Calls are followed through functions, methods and files: a task that calls a function that enqueues counts. A scheduled
task counts as part of the chain; so does whatever may be called in a way that cannot be seen: a function that is used
as a value or that a decorator may register (`@event.listens_for(…)`), a method that a foreign base, or whoever has the
object, may call. A name that may mean something else (`embed_covers`, `send_embed`) counts where the body of the task
speaks of vectors. A route that takes documents in and embeds them at once is right, and a target whose tasks do not
enqueue one another is left alone.

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
_COVERS = _MANUAL_ONLY.replace("embed_messages", "embed_covers").replace(
    "    pass", "    vectors = model.encode(ids)", 1
)
_LAMBDA = _MANUAL_ONLY + '\n\nHOOKS = {"after": lambda ids: embed_messages.kiq(ids)}\n'
_CARD = _MANUAL_ONLY.replace("embed_messages", "send_embed")
_SERVICE = """

class Embedder:
    async def queue(self, ids: list[int]) -> None:
        await embed_messages.kiq(ids)


class Messages:
    def __init__(self, embedder) -> None:
        self.embedder = embedder

    async def save(self, message_id: int) -> None:
        await self.embedder.queue([message_id])
"""
_NEW_OBJECT = _APP.format(score="    await Embedder().queue([message_id])\n") + _SERVICE
_THROUGH_A_FUNCTION = _APP.format(score="    await queue_embedding(message_id)\n")


def _project(tasks: str) -> dict[str, str]:
    return {"app/broker.py": _BROKER, "app/tasks.py": tasks}


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
    bad=[
        Example("only a manual route embeds", _project(_MANUAL_ONLY)),
        Example("the body says that it makes vectors", _project(_COVERS)),
    ],
    good=[
        Example("the chain embeds through a function", _project(_THROUGH_A_FUNCTION)),
        Example("a task about what is embedded in a file", _project(_EMBEDDED)),
        Example("a task that puts a video in a page", _project(_IN_A_PAGE)),
        Example("a listener of the database embeds", _project(_LISTENER)),
        Example("a table of hooks leads to it", _project(_IN_A_TABLE)),
        Example("a lambda in a table enqueues it", _project(_LAMBDA)),
        Example("a task that sends a card of a chat", _project(_CARD)),
        Example("the chain embeds through a method of a new object", _project(_NEW_OBJECT)),
        Example("a service calls the method of an object that it is given", _project(_MANUAL_ONLY + _SERVICE)),
    ],
)
def embedding_task_unreachable(source: Source) -> Iterator[Finding]:
    """Look at what each embedding task is reached from."""
    for unreached in unreached_embeddings(source):
        yield _finding(unreached, source)


def _finding(unreached: UnreachedEmbedding, source: Source) -> Finding:
    task, sites, ends = unreached.task, unreached.sites, unreached.ends
    forgotten = _never_called(unreached, source)
    last = ends[-1]
    return Finding(
        code="TSK005",
        resource=Resource("task", task.id, task.path, task.line),
        symptom=f"no task of the chain enqueues `{task.name}`; {_who(unreached, source)}",
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


def _who(unreached: UnreachedEmbedding, source: Source) -> str:
    """Return who enqueues the task instead of the chain, as words."""
    if not unreached.sites:
        return "nothing does"
    forgotten = _never_called(unreached, source)
    if forgotten is not None:
        return f"`{forgotten.function.replace('.<locals>.', '.')}` does, and nothing calls it"
    callers = {caller for site in unreached.sites for caller in site.reached_from}
    if any(route.function in callers for route in source.routes()):
        return "only a route that is called by hand does"
    return f"`{_named(unreached.sites[0])}` does, and no task leads there"


def _named(site: Enqueue) -> str:
    return site.path if site.function.startswith("<") else site.function


def _never_called(unreached: UnreachedEmbedding, source: Source) -> Enqueue | None:
    """Return an enqueue of the task in a function that is no task, no route, no command, and called by nothing."""
    ends = {route.function for route in source.routes()} | {task.id for task in source.decorated_functions()}
    for site in unreached.sites:
        around = {site.function_id, site.function_id.rpartition(".<locals>.")[0]}
        if not site.function.startswith("<") and ends.isdisjoint(around) and site.reached_from <= around:
            return site
    return None


def _calling(site: Enqueue | None, ends: Sequence[DecoratedFunction]) -> Iterator[FixOption]:
    """Yield the option to call the function that enqueues, at the end of the chain that is nearest to it."""
    if site is not None and ".<locals>." not in site.function:
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

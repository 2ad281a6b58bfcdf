"""`except RetryError` stands around a retry with `reraise=True`, so nothing in it ever runs.

## What it finds
A handler of tenacity's `RetryError` around code that raises the last exception itself when it gives up:

    try:
        async for attempt in AsyncRetrying(stop=stop_after_attempt(3), reraise=True):
            with attempt:
                return await function(*args)
    except RetryError as error:
        await save_dead_letter(function, args, error)      # never

The retry is a loop over `Retrying` or `AsyncRetrying`, a call of one, or a call of a function that is decorated with
`retry` or contains such a loop. An error when the handler writes something down, a warning otherwise.

## Why it hurts
A task that has failed for good leaves nothing: no dead letter, no row, no metric. The table stays empty and looks like
good news, while accepted work is lost.

## How it is told from its look-alikes
Without `reraise=True` tenacity raises `RetryError`, and the handler is right. So it is with `reraise=True` and a
condition that looks at results (`retry_if_result`): there is no exception to raise. It is silent when `reraise` or the
condition cannot be read, when the handler catches something else too, when anything else in the `try` could raise
`RetryError`, and for a `RetryError` of another library.

## How to fix
By hand, because only one of the two is meant. Catch what really comes (`except Exception as error:`) and write the dead
letter there; or take `reraise=True` away, and find the last exception in `error.last_attempt.exception()`.

## False positives
A function of another package that raises tenacity's `RetryError` out of the attempts. A subclass in another file that
has a `Retrying` of its own in the same attribute.
"""

from collections.abc import Iterator, Mapping

from doctor.api import (
    Applicability,
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
from doctor.source.collectors.tenacity_retries import COLLECTOR, Ending, RetryHandler, Retrying, RetryingFunction

CALL_DEPTH = 4
"""How many calls deep a retry is looked for."""

_LOOP = """\
from tenacity import AsyncRetrying, RetryError, retry_if_exception_type, stop_after_attempt

from .failures import save_dead_letter


def with_retry(function):
    async def wrapper(*args):
        try:
            async for attempt in AsyncRetrying(stop=stop_after_attempt(3){options}):
                with attempt:
                    return await function(*args)
        except {caught} as error:
            await save_dead_letter(function.__name__, args, error)
            raise

    return wrapper
"""
_FAILURES = """\
async def save_dead_letter(name, args, error):
    await database.execute("INSERT INTO failed_tasks VALUES (%s, %s)", [name, str(error)])
"""
_FETCH = """\
import tenacity


@tenacity.retry(stop=tenacity.stop_after_attempt(3), reraise=True)
def fetch(url: str) -> bytes:
    return download(url)
"""
_CALLER = """\
import logging

from tenacity import RetryError

from .fetching import fetch

log = logging.getLogger(__name__)


def load(url: str) -> bytes | None:
    try:
        {before}return fetch(url)
    except RetryError:
        log.error("gave up on %s", url)
        return None
"""
_OTHER = """\
import tenacity
from requests.exceptions import RetryError


@tenacity.retry(reraise=True)
def fetch(url):
    return download(url)


def load(url):
    try:
        return fetch(url)
    except RetryError:
        return None
"""
_RESULT = ", reraise=True, retry=retry_if_result(is_empty) | retry_if_exception_type(OSError)"


def _loop(options: str = ", reraise=True", caught: str = "RetryError") -> dict[str, str]:
    wrapper = _LOOP.replace("{options}", options).replace("{caught}", caught)
    return {"app/__init__.py": "", "app/failures.py": _FAILURES, "app/retry.py": wrapper}


def _call(fetching: str = _FETCH, before: str = "") -> dict[str, str]:
    return {
        "app/__init__.py": "",
        "app/fetching.py": fetching,
        "app/other.py": _FETCH.replace(", reraise=True", ""),
        "app/load.py": _CALLER.replace("{before}", before),
    }


BAD = (
    Example("the dead letter of a retry wrapper is never written", _loop()),
    Example(
        "the condition looks at exceptions only",
        _loop(", reraise=True, retry=retry_if_exception_type(ConnectionError)"),
    ),
    Example("a decorated function of another module", _call()),
)
GOOD = (
    Example("tenacity raises RetryError", _loop("")),
    Example("the last exception is caught", _loop(caught="Exception")),
    Example("the handler catches something else too", _loop(caught="(RetryError, ConnectionError)")),
    Example("it may give up on a result", _loop(_RESULT)),
    Example("nobody can say what the setting is", _loop(", reraise=settings.reraise")),
    Example("something else in the try may raise it", _call(before="from .other import fetch as first; first(url); ")),
    Example("a function of which nothing is known is called too", _call(before="url = normalise(url); ")),
    Example("the decorator does not raise the last exception", _call(_FETCH.replace(", reraise=True", ""))),
    Example("the error of another library", {"load.py": _OTHER}),
)


@check(
    "TSK007",
    "dead-letter-never-written",
    severity=Severity.ERROR,
    tags=["static"],
    timeout=20.0,
    bad=BAD,
    good=GOOD,
)
def dead_letter_never_written(source: Source) -> Iterator[Finding]:
    """Look at each handler of RetryError, and follow what its `try` calls."""
    facts = source.collected(COLLECTOR)
    functions = {fact.identity: fact.retrying for fact in facts if isinstance(fact, RetryingFunction)}
    own = {part for path in source.files for part in path.removesuffix(".py").split("/")}
    for handler in facts:
        if isinstance(handler, RetryHandler):
            places = _reraising(handler.retrying, functions, own, CALL_DEPTH)
            if places:
                yield _finding(handler, places, _tasks_in(handler, source))


def _reraising(block: Retrying, functions: Mapping[str, Retrying], own: set[str], depth: int) -> list[Retrying] | None:
    """Return where the retries of a block are set up, when all raise the last exception and nothing else is in doubt.

    None when ``RetryError`` may come out of it. A function of the target's ``own`` whose calls were not read may let it
    through only where some retry of the target ends in it.
    """
    if depth == 0 or block.unknown or (block.place and block.ending is not Ending.LAST_EXCEPTION):
        return None
    doubtful = any(retrying.ending is not Ending.LAST_EXCEPTION for retrying in functions.values())
    found = [block] if block.place else []
    for name in block.calls:
        if name in functions:
            inner = _reraising(functions[name], functions, own, depth - 1)
            if inner is None:
                return None
            found += inner
        elif _may_retry(name, functions) or (doubtful and name.partition(".")[0] in own):
            return None
    return None if any(_may_retry(name, functions) for name in block.tried) else found


def _may_retry(name: str, functions: Mapping[str, Retrying]) -> bool:
    """Tell whether a call inside the attempts, or of some object's method, may be one of a function that ends in
    `RetryError`: such a one goes by the same name."""
    last = name.rpartition(".")[2]
    return any(
        retrying.ending is not Ending.LAST_EXCEPTION
        for identity, retrying in functions.items()
        if identity == name or (name.startswith(".") and identity.rpartition(".")[2] == last)
    )


def _tasks_in(handler: RetryHandler, source: Source) -> list[str]:
    """Return the tasks that are the function of the handler, or are wrapped by it."""
    identity = f"{handler.module}.{handler.function.partition('.<locals>.')[0]}"
    tasks = source.tasks()
    return [one.id for one in tasks if one.id == identity or identity in {use.resolved for use in one.decorators}]


def _finding(handler: RetryHandler, places: list[Retrying], tasks: list[str]) -> Finding:
    lost = bool(handler.records) and not handler.or_else
    function = handler.function.partition(".<locals>.")[0]
    what = f"`{handler.records}` is never called" if handler.records else "its handler never runs"
    return Finding(
        code="TSK007",
        resource=Resource("code", f"{handler.module}.{handler.function}", handler.path, handler.line),
        symptom=f"when the retries of `{function}` end, {what}",
        cause="`reraise=True` raises the last exception, and `except RetryError` catches only tenacity's own",
        severity=Severity.ERROR if lost else Severity.WARNING,
        impacts=("work that failed for good leaves nothing behind",) if lost else ("the failure is not handled here",),
        role=Role.AMPLIFIER,
        evidence=tuple(_evidence(handler, places)),
        related=tuple(Resource("task", task) for task in tasks),
        rule="tenacity: with reraise=True the last exception is raised in place of RetryError",
        fixes=tuple(_options(handler, places[0])),
        validation="doctor check --select TSK007; then let a task fail for good and look for its dead letter",
    )


def _evidence(handler: RetryHandler, places: list[Retrying]) -> Iterator[Evidence]:
    for place in places[:3]:
        yield Evidence(EvidenceKind.CODE, place.place, place.text)
    yield Evidence(EvidenceKind.CODE, f"{handler.path}:{handler.line}", handler.text)
    if handler.records:
        yield Evidence(EvidenceKind.CODE, f"{handler.path}:{handler.records_line}", f"{handler.records}  # never")


def _options(handler: RetryHandler, place: Retrying) -> Iterator[FixOption]:
    yield FixOption(
        fix="manual",
        title=f"catch the last exception in {handler.path}:{handler.line}",
        applicability=Applicability.MANUAL,
        reason="what the handler does with the exception must fit it",
        arguments={
            "path": handler.path,
            "line": handler.line,
            "snippet": handler.text.replace("tenacity.RetryError", "Exception").replace("RetryError", "Exception"),
        },
        recommended=True,
    )
    yield FixOption.by_hand(
        f"take `reraise=True` away in {place.place}", "whoever else catches the last exception gets RetryError instead"
    )

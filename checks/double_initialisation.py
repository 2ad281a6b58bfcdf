"""An initialisation is started in the background and then awaited as well, so it runs twice at once.

## What it finds
A coroutine that calls the method which starts the initialiser in a thread or task, and right after that awaits the
coroutine method which runs the same initialiser:

    self._ensure_initialized()                  # Thread(target=self._load).start()
    await self._ensure_initialized_async()      # run_in_executor(None, self._load)

## Why it hurts
A model is loaded twice, with twice the memory, and the later run replaces what the earlier one had made: what was added
in between is gone. It happens at the first call after a start only, so tests seldom show it.

## How it is told from its look-alikes
Both ways must lead to the same function of the file. An initialiser that takes a lock, or that looks at an in-progress
flag, keeps itself apart; so does a waiter that looks at the thread or task, or waits for an event, because it waits for
the one that runs. Anything that waits between the two calls ends the search: the first run may be over by then.

## How to fix
Leave the starter's call out where the initialiser is awaited anyway. `doctor fix INI002 --unsafe-fixes` puts the await
in its place.

## False positives
An initialiser that may run twice at once, and costs nothing.
"""

from collections.abc import Iterator

from doctor.api import (
    Applicability,
    Evidence,
    EvidenceKind,
    Example,
    Finding,
    FixOption,
    Resource,
    Severity,
    Source,
    check,
)
from doctor.source.collectors.background_starts import COLLECTOR, SecondRun

_SERVICE = """\
import asyncio
import threading


class IndexService:
    def __init__(self):
        self._initialized = False
        self._thread = None
        self._lock = threading.Lock()

    def _ensure_initialized(self):
        if not self._initialized:
            {start}

    async def _ensure_initialized_async(self):
        if not self._initialized:
            {wait}

    def _load(self):
{load}
    async def index_content(self, text: str) -> None:
        self._ensure_initialized()
        await self._ensure_initialized_async()
        self._texts.append(text)
"""
_START = "threading.Thread(target=self._load).start()"
_WAIT = "await asyncio.get_running_loop().run_in_executor(None, self._load)"
_LOAD = """\
        self._texts = []
        self._initialized = True
"""
_LOCKED = """\
        with self._lock:
            if not self._initialized:
                self._texts = []
                self._initialized = True
"""
_KEPT = "self._thread = threading.Thread(target=self._load); self._thread.start()"
_JOINED = "await asyncio.to_thread(self._thread.join)"
_ONLY_ONE = """\
import asyncio


class Feed:
    def __init__(self):
        self._task = None
        self._connected = False

    async def _connect(self):
        self._connected = True

    def start(self):
        self._task = asyncio.create_task(self._connect())

    async def read(self) -> str:
        if self._task is None:
            self.start()
        else:
            await self._connect()
        return "text"

    async def again(self) -> str:
        self.start()
        await self._task
        await self._connect()
        return "text"
"""


@check(
    "INI002",
    "double-initialisation",
    severity=Severity.WARNING,
    tags=["static"],
    bad=[
        Example(
            "a thread, and an executor that is awaited",
            {"app/index.py": _SERVICE.format(start=_START, wait=_WAIT, load=_LOAD)},
        )
    ],
    good=[
        Example("a lock", {"app/index.py": _SERVICE.format(start=_START, wait=_WAIT, load=_LOCKED)}),
        Example(
            "the one that runs is awaited", {"app/index.py": _SERVICE.format(start=_KEPT, wait=_JOINED, load=_LOAD)}
        ),
        Example("one after the other, or one of two", {"app/feed.py": _ONLY_ONE}),
    ],
)
def double_initialisation(source: Source) -> Iterator[Finding]:
    """Show every pair of calls by which an initialiser runs twice; one finding a function."""
    seen: set[str] = set()
    for fact in source.collected(COLLECTOR):
        finding = _finding(fact) if isinstance(fact, SecondRun) else None
        if finding is not None and finding.fingerprint not in seen:
            seen.add(finding.fingerprint)
            yield finding


def _finding(fact: SecondRun) -> Finding:
    first = f"`{fact.starter}`" if fact.starter else "the start in the background"
    return Finding(
        code="INI002",
        resource=Resource("code", f"{fact.path}:{fact.function}", fact.path, fact.line),
        symptom=f"`{fact.function}` lets `{fact.target}` run twice at once",
        cause=f"{first} starts it in the background, and `{fact.waiter}` runs it once more",
        severity=Severity.WARNING,
        subject=fact.target,
        group=fact.owner,
        impacts=("the work is done twice, and the later run replaces what the earlier one made",),
        evidence=tuple(
            Evidence(EvidenceKind.CODE, f"{fact.path}:{line}", text)
            for line, text in dict.fromkeys((fact.call, fact.start, fact.run))
        ),
        rule="python: a thread or a task that was started goes on while something else is awaited",
        fixes=(_option(fact),),
        validation="doctor check --select INI002",
    )


def _option(fact: SecondRun) -> FixOption:
    if not fact.swappable:
        return FixOption.by_hand(
            f"leave out the start of `{fact.target}` in `{fact.function}`", "others may count on the start"
        )
    return FixOption(
        fix="await-initialiser",
        title=f"await `{fact.waiter}` in place of `{fact.starter}` in `{fact.function}`",
        applicability=Applicability.UNSAFE,
        reason="the initialiser no longer runs beside its caller",
        arguments={"path": fact.path, "function": fact.function, "starter": fact.starter, "waiter": fact.waiter},
        recommended=True,
    )

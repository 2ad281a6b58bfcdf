"""An initialisation is started in the background, and taken for done in the same breath.

## What it finds
A method starts a thread, a task of the event loop or a job of an executor and comes back at once. Its caller then tests
the flag that only the background sets:

    def index_content(self, text):
        self._ensure_initialized()          # starts a thread and returns
        if not self._initialized:           # still False
            raise RuntimeError("not initialized")

An error when the branch raises or exits; a warning when it returns nothing, so that data is dropped without a word.

## Why it hurts
The first call after every start fails, whoever makes it, and the second one works: nobody can repeat it. What should
have been indexed by the first call is lost.

## How it is told from its look-alikes
The background must set what is tested, itself or by a function that it calls, and nobody else must set it at the start.
Whatever may wait in between keeps the check silent: `join`, `wait`, `result`, `sleep`, any `await`, any call that is
not known to return at once. So do a `with` that waits at its end, and a starter that also initialises by itself.
A function that only tells whether something is ready is a probe, `False` is an answer, and an exception that asks to
come back later (retry, 503) is one too.

## How to fix
Await the asynchronous initialiser in place of the starter's call, or fail fast only where the caller cannot go on. Both
are among the options. `doctor fix INI001 --unsafe-fixes` does the first where such an initialiser exists.

## False positives
A program that starts the initialisation long before, and waits for it somewhere else, so that the starter finds nothing
to do when it matters.
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
from doctor.source.collectors.background_starts import COLLECTOR, EarlyTest

_SERVICE = """\
import asyncio
import threading


class IndexService:
    def __init__(self, fail_fast: bool = True):
        self._initialized = False
        self._fail_fast = fail_fast
        self._index = None

    def _ensure_initialized(self):
        if not self._initialized:
            threading.Thread(target=self._load, daemon=True).start()

    async def _ensure_initialized_async(self):
        if not self._initialized:
            await asyncio.get_running_loop().run_in_executor(None, self._load)

    def _load(self):
        self._index = {{}}
        self._initialized = True

{caller}
"""
_RAISES = """\
    async def index_content(self, user: str, text: str) -> None:
        self._ensure_initialized()
        if not self._initialized:
            if self._fail_fast:
                raise RuntimeError(f"Cannot index content - service not initialized for user {user}")
            return
        self._index[user] = text
"""
_DROPS = """\
    def search(self, query: str) -> list[str]:
        self._ensure_initialized()
        if not self._initialized:
            return []
        return [text for text in self._index.values() if query in text]
"""
_TASK = """\
import asyncio

_ready = False


async def _connect():
    global _ready
    await asyncio.sleep(1)
    _ready = True


async def handle(message: str) -> str:
    asyncio.create_task(_connect())
    if _ready:
        return message.upper()
    raise RuntimeError("not connected")
"""
_LOOK_ALIKES = """\
    def is_ready(self) -> bool:
        self._ensure_initialized()
        return self._initialized

    def start(self) -> bool:
        self._ensure_initialized()
        if not self._initialized:
            return False
        return True

    async def index_content(self, user: str, text: str) -> None:
        await self._ensure_initialized_async()
        if not self._initialized:
            raise RuntimeError("not initialized")
        self._index[user] = text

    async def search(self, query: str) -> list[str]:
        self._ensure_initialized()
        await asyncio.sleep(1)
        if not self._initialized:
            return []
        return [query]

    def later(self, text: str) -> None:
        self._ensure_initialized()
        if not self._initialized:
            self._waiting.append(text)
            return
        self._index[text] = text

    def over_http(self) -> dict:
        self._ensure_initialized()
        if not self._initialized:
            raise HTTPException(503, "try again in a moment")
        return self._index
"""
_WAITS = """\
import threading
from concurrent.futures import ThreadPoolExecutor


class Loader:
    def __init__(self):
        self.ready = threading.Event()
        self.model = None
        self.error = None

    def load(self):
        try:
            self.model = object()
        except OSError as error:
            self.error = error
        self.ready.set()

    def with_join(self):
        thread = threading.Thread(target=self.load)
        thread.start()
        thread.join()
        if self.model is None:
            raise RuntimeError("no model")

    def with_event(self):
        threading.Thread(target=self.load).start()
        self.ready.wait(10)
        if not self.ready.is_set():
            raise TimeoutError("no model")

    def with_pool(self):
        with ThreadPoolExecutor() as pool:
            pool.submit(self.load)
        if self.model is None:
            raise RuntimeError("no model")

    def with_other_branch(self, background: bool):
        if background:
            threading.Thread(target=self.load).start()
        else:
            self.load()
            if self.model is None:
                raise RuntimeError("no model")
"""


@check(
    "INI001",
    "init-race",
    severity=Severity.ERROR,
    tags=["static"],
    bad=[
        Example("the branch raises", {"app/index.py": _SERVICE.format(caller=_RAISES)}),
        Example("the branch returns nothing", {"app/index.py": _SERVICE.format(caller=_DROPS)}),
        Example("a task and a variable of the module", {"app/handler.py": _TASK}),
    ],
    good=[
        Example("probes, waiters, and answers", {"app/index.py": _SERVICE.format(caller=_LOOK_ALIKES)}),
        Example("it is waited for, or another branch", {"app/loader.py": _WAITS}),
    ],
)
def init_race(source: Source) -> Iterator[Finding]:
    """Show every test that comes too early; one finding a function."""
    seen: set[str] = set()
    for fact in source.collected(COLLECTOR):
        finding = _finding(fact) if isinstance(fact, EarlyTest) else None
        if finding is not None and finding.fingerprint not in seen:
            seen.add(finding.fingerprint)
            yield finding


def _finding(fact: EarlyTest) -> Finding:
    started = f"`{fact.starter}`" if fact.starter else "it"
    end = "raises" if fact.raises else "returns nothing"
    return Finding(
        code="INI001",
        resource=Resource("code", f"{fact.path}:{fact.function}", fact.path, fact.line),
        symptom=f"`{fact.function}` {end} at its first call, and works at a later one",
        cause=f"{started} starts `{fact.target}` in the background, and `{fact.flag}` is tested before that has set it",
        severity=Severity.ERROR if fact.raises else Severity.WARNING,
        subject=fact.flag,
        group=fact.owner,
        impacts=("the first call after a start fails" if fact.raises else "what the first call brings is lost",),
        evidence=tuple(
            Evidence(EvidenceKind.CODE, f"{fact.path}:{line}", text)
            for line, text in dict.fromkeys((fact.call, fact.start, fact.test, fact.end, fact.done))
        ),
        rule="python: what starts a thread or a task comes back before it has run",
        fixes=_options(fact),
        validation="doctor check --select INI001; then the first call after a start gives no error",
    )


def _options(fact: EarlyTest) -> tuple[FixOption, ...]:
    return (
        FixOption(
            fix="manual",
            title=f"A: let `{fact.function}` not fail fast in background work",
            applicability=Applicability.MANUAL,
            reason="which work may go on without the result is known to you alone",
            tradeoff="no error any more, and what came too early is still not done unless somebody tries again",
        ),
        _await_option(fact),
        FixOption(
            fix="manual",
            title=f"C: let `{fact.function}` fail fast only for operations that are marked critical",
            applicability=Applicability.MANUAL,
            reason="which operations are critical is known to you alone",
            recommended=True,
            tradeoff="every caller says what it needs: background work is put off, and what must fail still does",
        ),
    )


def _await_option(fact: EarlyTest) -> FixOption:
    title = f"B: await the initialiser in place of `{fact.starter or fact.target}` in `{fact.function}`"
    tradeoff = "the first call waits as long as the initialisation takes"
    if not fact.swappable:
        reason = "no coroutine method of its class initialises, or the caller is no coroutine"
        return FixOption(
            fix="manual", title=title, applicability=Applicability.MANUAL, reason=reason, tradeoff=tradeoff
        )
    return FixOption(
        fix="await-initialiser",
        title=f"B: await `{fact.waiter}` in place of `{fact.starter}` in `{fact.function}`",
        applicability=Applicability.UNSAFE,
        reason="the caller waits where it did not",
        arguments={"path": fact.path, "function": fact.function, "starter": fact.starter, "waiter": fact.waiter},
        tradeoff=tradeoff,
    )

"""A flag says that an initialisation is in progress, and one failure leaves it set for ever.

## What it finds
A method that turns callers away while a flag such as `_initializing` or `_loading` is set, sets it, and does something
that may fail before it is reset, if it ever is:

    if self._initializing:
        return
    self._initializing = True
    self._model = load_model()        # fails once
    self._initialized = True
    self._initializing = False        # never reached

The work may stand in the method itself, or in what it starts in a thread or a task.

## Why it hurts
One failure, of the network or of a server that is not up yet, and every later attempt returns at once as if somebody
were at work. Only a restart helps, and the log shows nothing after the first error.

## How it is told from its look-alikes
Only names of what comes to an end count: a flag called `closing` or `running` may stay set. The flag must be False at
first, and the method that sets it must look at it. A reset in a `finally`, in an `except`, in another method or by
`setattr` keeps the check silent, and so does work whose every failure is caught, so that the reset is reached.

## How to fix
Set the flag, and put the work into a `try` whose `finally` resets it.

## False positives
Work that cannot fail.
"""

from collections.abc import Iterator

from doctor.api import Evidence, EvidenceKind, Example, Finding, FixOption, Resource, Severity, Source, check
from doctor.source.collectors.progress_flags import COLLECTOR, StuckFlag

_INDEX = """\
import asyncio
import threading

from models import load_model


class Index:
    def __init__(self):
        self._initialized = False
        self._initializing = False

{methods}
"""
_SUCCESS_ONLY = """\
    async def initialize(self):
        if self._initialized or self._initializing:
            return
        self._initializing = True
        self._model = await asyncio.to_thread(load_model)
        self._initialized = True
        self._initializing = False
"""
_NEVER = """\
    def ensure_initialized(self):
        if not self._initialized and not self._initializing:
            self._initializing = True
            threading.Thread(target=self._load).start()

    def _load(self):
        self._model = load_model()
        self._initialized = True
"""
_RESET = """\
    async def with_finally(self):
        if self._initializing:
            return
        self._initializing = True
        try:
            self._model = await asyncio.to_thread(load_model)
            self._initialized = True
        finally:
            self._initializing = False
"""
_CAUGHT = """\
    def ensure_initialized(self):
        if self._initializing:
            return
        self._initializing = True
        threading.Thread(target=self._load).start()

    def _load(self):
        try:
            self._model = load_model()
        except Exception as error:
            print("not loaded", error)
        self._initializing = False
"""
_BY_ANOTHER = """\
    def begin(self):
        if self._initializing:
            raise RuntimeError("already")
        self._initializing = True
        self._client.load(self.done)

    def done(self):
        self._initializing = False
"""
_OTHER_FLAGS = """\
class Connection:
    closing = False
    loading = False
    started = False

    def close(self):
        if self.closing:
            return
        self.closing = True
        self.send("bye")

    def start(self):
        if self.started:
            return
        self.started = True
        self.connect()

    def load(self, text):
        self.loading = True
        self.send(text)
        self.loading = False
"""


@check(
    "INI003",
    "in-progress-flag-never-reset",
    severity=Severity.WARNING,
    tags=["static"],
    bad=[
        Example("reset when all goes well", {"app/index.py": _INDEX.format(methods=_SUCCESS_ONLY)}),
        Example("never reset, and the work is in a thread", {"app/index.py": _INDEX.format(methods=_NEVER)}),
    ],
    good=[
        Example("a finally", {"app/index.py": _INDEX.format(methods=_RESET)}),
        Example("whatever fails is caught", {"app/index.py": _INDEX.format(methods=_CAUGHT)}),
        Example("another method resets it", {"app/index.py": _INDEX.format(methods=_BY_ANOTHER)}),
        Example("what may stay set, and what nobody looks at", {"app/connection.py": _OTHER_FLAGS}),
    ],
)
def in_progress_flag_never_reset(source: Source) -> Iterator[Finding]:
    """Show every flag that a failure leaves set; one finding a function and flag."""
    seen: set[str] = set()
    for fact in source.collected(COLLECTOR):
        finding = _finding(fact)
        if finding.fingerprint not in seen:
            seen.add(finding.fingerprint)
            yield finding


def _finding(fact: StuckFlag) -> Finding:
    reset = f"reset on line {fact.reset_line} only when all goes well" if fact.reset_line else "never reset"
    places = (fact.guard, (fact.line, fact.text), fact.risk)
    return Finding(
        code="INI003",
        resource=Resource("code", f"{fact.path}:{fact.function}", fact.path, fact.line),
        symptom=f"after one failure, `{fact.function}` turns every later attempt away",
        cause=f"`{fact.flag}` is set before work that may fail, and {reset}",
        severity=Severity.WARNING,
        subject=fact.flag,
        group=f"{fact.owner}.{fact.flag}",
        impacts=("only a restart of the process lets it try again",),
        evidence=tuple(Evidence(EvidenceKind.CODE, f"{fact.path}:{line}", text) for line, text in places),
        rule="python: an exception skips the statements that follow, but for those of a `finally`",
        fixes=(
            FixOption.by_hand(
                f"reset `{fact.flag}` in a `finally` in {fact.path}", "what else has to be taken back is known to you"
            ),
        ),
        validation="doctor check --select INI003",
    )

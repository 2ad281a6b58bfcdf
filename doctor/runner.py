"""Runs checks side by side: each gets only what it asks for, has its own deadline, and cannot take another one down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from doctor.check import Check, CouldNotTellError, NotApplicableError, Yielded
from doctor.cleaning import clean
from doctor.model import CheckResult, Finding, Observation, Status
from doctor.redaction import bounded, redact
from doctor.resources.unreachable import ResourceUnreachable

REASON_LIMIT = 300
"""Characters of an exception's text that a result keeps."""

Progress = Callable[[CheckResult], None]


class Provider(Protocol):
    """Opens the target's outside systems by name."""

    async def provide(self, name: str, *, opened: bool) -> Any:
        """Return the resource; ``opened=False`` leaves the opening to the caller.

        Raises:
            NotApplicableError: the target has no such system.
            ResourceUnreachable: it has one and it cannot be opened.
        """


async def run_checks(
    checks: Sequence[Check],
    provider: Provider,
    *,
    timeout: float | None = None,
    total_timeout: float = 60.0,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[CheckResult, ...]:
    """Run ``checks`` and return one result each, in the order given.

    ``timeout`` replaces every check's own limit; ``total_timeout`` bounds the whole run. Both are in seconds. A check
    that is out of time, or that raises, is *unknown*; the others go on.
    """
    guards = {check.guards: check.code for check in checks if check.guards}
    run = _Run(provider, guards, timeout, clock)
    tasks = {check.code: asyncio.create_task(run.one(check)) for check in checks}
    run.tasks = tasks
    if progress is not None:
        for task in tasks.values():
            task.add_done_callback(lambda done: None if done.cancelled() else progress(done.result()))
    if tasks:
        await asyncio.wait(tasks.values(), timeout=total_timeout)
    late = [task for task in tasks.values() if not task.done()]
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    over = f"the run's {total_timeout:g} s were over"
    return tuple(
        _result(check, Status.UNKNOWN, run.yielded.get(check.code, ()), reason=over, duration=total_timeout)
        if tasks[check.code].cancelled()
        else tasks[check.code].result()
        for check in checks
    )


class _Run:
    def __init__(
        self, provider: Provider, guards: Mapping[str, str], timeout: float | None, clock: Callable[[], float]
    ) -> None:
        self.provider = provider
        self.guards = guards
        self.timeout = timeout
        self.clock = clock
        self.tasks: dict[str, asyncio.Task[CheckResult]] = {}
        self.yielded: dict[str, list[Yielded]] = {}
        """What each check has yielded so far."""

    async def one(self, check: Check) -> CheckResult:
        """Run one check to a result, whatever happens in it."""
        blocker = await self._blocker(check)
        if blocker is not None and blocker.status is Status.SKIP:
            return _result(check, Status.SKIP, reason=blocker.reason, blocked_by=blocker.blocked_by)
        if blocker is not None:
            return _result(check, Status.SKIP, reason=f"{blocker.code} did not pass", blocked_by=blocker.code)
        started = self.clock()
        limit = self.timeout or check.timeout
        yielded = self.yielded[check.code] = list[Yielded]()
        status, reason, blocked_by = Status.PASS, "", None
        await self._await_source(check)
        try:
            async with asyncio.timeout(limit) as deadline:
                await self._collect(check, yielded)
        except NotApplicableError as error:
            status, reason = Status.SKIP, bounded(redact(str(error)), REASON_LIMIT)
        except ResourceUnreachable as error:
            blocked_by = await self._failed_guard(check, error.resource)
            status = Status.UNKNOWN if blocked_by is None else Status.SKIP
            reason = redact(str(error))
        except CouldNotTellError as error:
            status, reason = Status.UNKNOWN, bounded(redact(str(error)), REASON_LIMIT)
        except TimeoutError as error:
            own = "" if deadline.expired() else bounded(redact(f"TimeoutError: {error}"), REASON_LIMIT)
            status, reason = Status.UNKNOWN, own or f"no answer within {limit:g} s"
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a crash of one check is its result, not the run's end
            status, reason = Status.UNKNOWN, bounded(redact(f"{type(error).__name__}: {error}"), REASON_LIMIT)
        if any(isinstance(item, Finding) for item in yielded) and status is not Status.SKIP:
            status = Status.FAIL if status is Status.PASS else status
        return _result(check, status, yielded, reason=reason, blocked_by=blocked_by, duration=self.clock() - started)

    async def _failed_guard(self, check: Check, resource: str) -> str | None:
        code = self.guards.get(resource)
        if code is None or code == check.code or (await asyncio.shield(self.tasks[code])).status is Status.PASS:
            return None
        return code

    async def _blocker(self, check: Check) -> CheckResult | None:
        for code in check.after:
            if code in self.tasks and (result := await asyncio.shield(self.tasks[code])).status is not Status.PASS:
                return result
        return None

    async def _await_source(self, check: Check) -> None:
        """Let the source be read before the check's clock starts: that has a limit of its own, and grows with the tree.

        What is wrong with it is told when the check is given it.
        """
        if "source" in check.needs:
            with suppress(Exception):
                await self.provider.provide("source", opened=True)

    async def _collect(self, check: Check, into: list[Yielded]) -> None:
        arguments = {}
        for name in check.needs:
            try:
                arguments[name] = await self.provider.provide(name, opened=check.guards != name)
            except (NotApplicableError, ResourceUnreachable):
                if name not in check.optional:
                    raise
        produced: Any = check.detect(**arguments)
        if isinstance(produced, AsyncIterator):
            async for item in produced:
                into.append(clean(item))  # noqa: PERF401 - what was yielded before an error counts
        else:
            into.extend(map(clean, produced))


def _result(
    check: Check,
    status: Status,
    yielded: Sequence[Yielded] = (),
    *,
    reason: str = "",
    blocked_by: str | None = None,
    duration: float = 0.0,
) -> CheckResult:
    return CheckResult(
        code=check.code,
        name=check.name,
        area=check.area,
        status=status,
        findings=tuple(item for item in yielded if isinstance(item, Finding)),
        observations=tuple(item for item in yielded if isinstance(item, Observation)),
        reason=reason,
        blocked_by=blocked_by,
        duration=duration,
    )

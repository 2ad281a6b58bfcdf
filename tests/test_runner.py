"""Checks run side by side: each has its own deadline and its own end, and none takes another one down."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from doctor.check import Check, NotApplicableError
from doctor.model import CheckResult, Finding, Observation, Resource, Severity, Status
from doctor.resources.unreachable import Reason, ResourceUnreachable
from doctor.runner import REASON_LIMIT, run_checks
from tests.example_runs import finding

SOON = 0.05
"""Seconds: a deadline that is meant to pass."""

LONG = 30.0
"""Seconds: a wait that must be cut short for the test to end in time."""


class DatabaseGone(ResourceUnreachable):
    """What a resource raises when its server is not there."""

    resource = "database"
    title = "PostgreSQL"


class Resources:
    """Hands out what the test says, or raises it, and keeps what was asked for."""

    def __init__(self, answers: Mapping[str, Any] | None = None) -> None:
        self.answers = answers or {}
        self.asked: list[tuple[str, bool]] = []

    async def provide(self, name: str, *, opened: bool) -> Any:
        self.asked.append((name, opened))
        answer = self.answers.get(name, name)
        if isinstance(answer, Exception) and opened:
            raise answer
        return answer


def a_check(code: str, detect: Callable[..., Any], **fields: Any) -> Check:
    """Return a check without a page."""
    given = {"severity": Severity.ERROR, "tags": frozenset({"live"}), "after": (), "timeout": LONG, "page": ""}
    return Check(code=code, name=f"check-{code.lower()}", summary="", detect=detect, **{**given, **fields})


def found(code: str, number: int = 0) -> Finding:
    return finding(code, Resource("thing", str(number)))


def failing(code: str) -> Callable[[], Iterator[Finding]]:
    def detect() -> Iterator[Finding]:
        yield found(code)

    return detect


def passing() -> Iterator[Finding]:
    return iter(())


async def hanging() -> AsyncIterator[Finding]:
    await asyncio.sleep(LONG)
    yield found("HNG001")


def raising(error: BaseException) -> Callable[[], Iterator[Finding]]:
    def detect() -> Iterator[Finding]:
        raise error
        yield

    return detect


async def outcomes(*checks: Check, resources: Resources | None = None, **options: Any) -> dict[str, CheckResult]:
    results = await run_checks(checks, resources or Resources(), **options)
    assert [result.code for result in results] == [check.code for check in checks]
    return {result.code: result for result in results}


async def test_no_checks_give_no_results():
    assert await run_checks((), Resources()) == ()


async def test_results_come_in_the_order_given_whichever_check_ends_first():
    def after(seconds: float) -> Callable[[], AsyncIterator[Observation]]:
        async def detect() -> AsyncIterator[Observation]:
            await asyncio.sleep(seconds)
            yield Observation("done")

        return detect

    ended: list[str] = []
    checks = [a_check("AAA001", after(0.06)), a_check("AAA002", after(0.03)), a_check("AAA003", after(0))]
    results = await run_checks(checks, Resources(), progress=lambda result: ended.append(result.code))
    assert [result.code for result in results] == ["AAA001", "AAA002", "AAA003"]
    assert ended == ["AAA003", "AAA002", "AAA001"]


async def test_a_check_without_findings_passes_and_one_with_findings_fails():
    results = await outcomes(a_check("AAA001", passing), a_check("AAA002", failing("AAA002")))
    assert results["AAA001"].status is Status.PASS
    assert results["AAA002"].status is Status.FAIL
    assert results["AAA002"].findings == (found("AAA002"),)
    assert results["AAA002"].name == "check-aaa002"


async def test_observations_do_not_fail_a_check():
    def detect() -> Iterator[Observation]:
        yield Observation("round trip 0.2 ms", rules_out="NATS down")

    result = (await outcomes(a_check("AAA001", detect)))["AAA001"]
    assert result.status is Status.PASS
    assert result.observations == (Observation("round trip 0.2 ms", "NATS down"),)


async def test_checks_run_side_by_side():
    first, second = asyncio.Event(), asyncio.Event()

    def meet(mine: asyncio.Event, other: asyncio.Event) -> Callable[[], AsyncIterator[Observation]]:
        async def detect() -> AsyncIterator[Observation]:
            mine.set()
            await other.wait()
            yield Observation("met")

        return detect

    results = await outcomes(a_check("AAA001", meet(first, second)), a_check("AAA002", meet(second, first)))
    assert {result.status for result in results.values()} == {Status.PASS}


async def test_a_check_gets_what_its_parameters_name_and_nothing_else():
    def detect(source: str, database: str) -> Iterator[Observation]:
        yield Observation(f"{source} {database}")

    resources = Resources({"source": "files", "database": "rows"})
    result = (await outcomes(a_check("AAA001", detect, needs=("source", "database")), resources=resources))["AAA001"]
    assert result.observations[0].text == "files rows"
    assert set(resources.asked) == {("source", True), ("database", True)}


# Time.


async def test_a_check_that_is_out_of_time_is_unknown_and_the_others_finish():
    results = await outcomes(
        a_check("AAA001", hanging, timeout=SOON), a_check("AAA002", failing("AAA002")), a_check("AAA003", passing)
    )
    assert results["AAA001"].status is Status.UNKNOWN
    assert results["AAA001"].reason == "no answer within 0.05 s"
    assert results["AAA001"].duration >= SOON
    assert [results[code].status for code in ("AAA002", "AAA003")] == [Status.FAIL, Status.PASS]


async def test_the_limit_of_the_run_replaces_the_limits_of_the_checks():
    result = (await outcomes(a_check("AAA001", hanging, timeout=LONG), timeout=SOON))["AAA001"]
    assert result.reason == "no answer within 0.05 s"


async def test_a_time_out_of_the_checks_own_is_told_from_the_doctors():
    async def detect() -> AsyncIterator[Finding]:
        raise TimeoutError("the server's own limit")
        yield

    result = (await outcomes(a_check("AAA001", detect)))["AAA001"]
    assert (result.status, result.reason) == (Status.UNKNOWN, "TimeoutError: the server's own limit")


async def test_what_is_not_done_when_the_runs_time_is_over_is_unknown():
    started = time.monotonic()
    results = await outcomes(
        a_check("AAA001", hanging),
        a_check("AAA002", passing),
        a_check("AAA003", passing, after=("AAA001",)),
        total_timeout=SOON,
    )
    assert time.monotonic() - started < LONG / 2
    assert results["AAA001"].status is Status.UNKNOWN
    assert results["AAA001"].reason == "the run's 0.05 s were over"
    assert results["AAA002"].status is Status.PASS
    assert results["AAA003"].status is Status.UNKNOWN


async def test_opening_a_resource_counts_towards_the_checks_time():
    class Slow(Resources):
        async def provide(self, name: str, *, opened: bool) -> Any:
            await asyncio.sleep(LONG)

    check = a_check("AAA001", lambda database: iter(()), needs=("database",), timeout=SOON)
    assert (await outcomes(check, resources=Slow()))["AAA001"].reason == "no answer within 0.05 s"


async def test_a_check_that_catches_its_cancellation_still_ends():
    async def stubborn() -> AsyncIterator[Finding]:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            yield found("AAA001")

    results = await outcomes(a_check("AAA001", stubborn), total_timeout=SOON)
    assert results["AAA001"].status in (Status.FAIL, Status.UNKNOWN)


async def test_the_duration_is_measured_by_the_given_clock():
    ticks = iter([10.0, 10.25])
    result = (await outcomes(a_check("AAA001", passing), clock=lambda: next(ticks)))["AAA001"]
    assert result.duration == 0.25


# Crashes.


class SlowSource(Resources):
    async def provide(self, name: str, *, opened: bool) -> Any:
        if not self.asked:
            await asyncio.sleep(0.2)
        return await super().provide(name, opened=opened)


async def test_reading_the_source_is_not_counted_against_a_check():
    def detect(source: object) -> Iterator[Finding]:
        yield found("SRC001")

    results = await outcomes(a_check("SRC001", detect, timeout=0.1, needs=("source",)), resources=SlowSource())
    assert results["SRC001"].status is Status.FAIL


async def test_a_check_that_crashes_is_unknown_and_the_others_finish():
    results = await outcomes(a_check("AAA001", raising(ValueError("no such thing"))), a_check("AAA002", passing))
    assert results["AAA001"].status is Status.UNKNOWN
    assert results["AAA001"].reason == "ValueError: no such thing"
    assert results["AAA002"].status is Status.PASS


@pytest.mark.parametrize(
    "error",
    [ExceptionGroup("two", [OSError("a"), ValueError("b")]), AssertionError(), RecursionError("deep"), MemoryError()],
    ids=lambda error: type(error).__name__,
)
async def test_any_kind_of_crash_is_a_result(error: Exception):
    result = (await outcomes(a_check("AAA001", raising(error))))["AAA001"]
    assert result.status is Status.UNKNOWN
    assert result.reason.startswith(type(error).__name__)


async def test_the_reason_of_a_crash_is_redacted_and_bounded():
    text = "cannot reach postgresql://app:hunter2@db:5432/app " + "x" * 2000
    result = (await outcomes(a_check("AAA001", raising(RuntimeError(text)))))["AAA001"]
    assert "hunter2" not in result.reason
    assert "<redacted:password#" in result.reason
    assert len(result.reason) < REASON_LIMIT + 40


async def test_a_check_that_does_not_apply_cannot_leak_a_secret_either():
    error = NotApplicableError("no table in postgresql://app:hunter2@db:5432/app")
    assert "hunter2" not in (await outcomes(a_check("AAA001", raising(error))))["AAA001"].reason


async def test_a_check_that_does_not_yield_is_unknown():
    results = await outcomes(a_check("AAA001", lambda: None), a_check("AAA002", lambda: 5))
    assert {result.status for result in results.values()} == {Status.UNKNOWN}


@pytest.mark.parametrize("is_async", [False, True])
async def test_findings_that_were_yielded_before_a_crash_are_kept(is_async: bool):
    def plain() -> Iterator[Finding]:
        yield found("AAA001", 1)
        yield found("AAA001", 2)
        raise RuntimeError("too late")

    async def waiting() -> AsyncIterator[Finding]:
        for each in (1, 2):
            yield found("AAA001", each)
        raise RuntimeError("too late")

    result = (await outcomes(a_check("AAA001", waiting if is_async else plain)))["AAA001"]
    assert result.status is Status.UNKNOWN
    assert result.findings == (found("AAA001", 1), found("AAA001", 2))


async def test_findings_that_were_yielded_before_the_deadline_are_kept():
    async def detect() -> AsyncIterator[Finding]:
        yield found("AAA001")
        await asyncio.sleep(LONG)

    result = (await outcomes(a_check("AAA001", detect, timeout=SOON)))["AAA001"]
    assert result.status is Status.UNKNOWN
    assert result.findings == (found("AAA001"),)


async def test_findings_that_were_yielded_before_the_runs_time_was_over_are_kept():
    async def detect() -> AsyncIterator[Finding]:
        yield found("AAA001")
        await asyncio.sleep(LONG)

    result = (await outcomes(a_check("AAA001", detect), total_timeout=SOON))["AAA001"]
    assert result.status is Status.UNKNOWN
    assert result.findings == (found("AAA001"),)


# What cannot be asked.


async def test_a_check_that_does_not_apply_is_skipped_with_its_reason():
    result = (await outcomes(a_check("AAA001", raising(NotApplicableError("no [chain] in doctor.toml")))))["AAA001"]
    assert (result.status, result.reason, result.blocked_by) == (Status.SKIP, "no [chain] in doctor.toml", None)


async def test_a_resource_that_is_not_configured_skips_the_check():
    check = a_check("AAA001", lambda database: iter(()), needs=("database",))
    resources = Resources({"database": NotApplicableError("no DATABASE_URL")})
    assert (await outcomes(check, resources=resources))["AAA001"].reason == "no DATABASE_URL"


async def test_a_check_after_a_failed_one_is_skipped_and_names_it():
    results = await outcomes(
        a_check("BBB001", failing("BBB001"), after=("AAA001",)), a_check("AAA001", failing("AAA001"))
    )
    assert results["BBB001"].status is Status.SKIP
    assert results["BBB001"].blocked_by == "AAA001"
    assert results["BBB001"].reason == "AAA001 did not pass"
    assert results["BBB001"].findings == ()


async def test_a_check_after_one_that_could_not_tell_is_skipped_and_names_it():
    results = await outcomes(
        a_check("AAA001", raising(RuntimeError("x"))), a_check("BBB001", passing, after=("AAA001",))
    )
    assert (results["BBB001"].status, results["BBB001"].blocked_by) == (Status.SKIP, "AAA001")


async def test_a_check_after_a_skipped_one_is_skipped_for_the_same_reason():
    results = await outcomes(
        a_check("CCC001", passing, after=("BBB001",)),
        a_check("BBB001", passing, after=("AAA001",)),
        a_check("AAA001", raising(NotApplicableError("no NATS_URL"))),
        a_check("EEE001", passing, after=("DDD002",)),
        a_check("DDD002", passing, after=("DDD001",)),
        a_check("DDD001", failing("DDD001")),
    )
    for code in ("BBB001", "CCC001"):
        assert (results[code].status, results[code].reason) == (Status.SKIP, "no NATS_URL")
        assert results[code].blocked_by is None
    for code in ("DDD002", "EEE001"):
        assert (results[code].status, results[code].blocked_by) == (Status.SKIP, "DDD001")


async def test_a_check_after_one_that_passes_or_was_not_selected_runs():
    results = await outcomes(
        a_check("AAA001", passing), a_check("BBB001", failing("BBB001"), after=("AAA001", "ZZZ001"))
    )
    assert results["BBB001"].status is Status.FAIL


def guard(code: str = "PGS001") -> Check:
    """Return a check that reports an unreachable database, as the built-in one does."""

    async def detect(database: object) -> AsyncIterator[Finding]:
        if isinstance(database, Exception):
            yield found(code)

    return a_check(code, detect, needs=("database",), guards="database")


GONE = DatabaseGone(Reason.REFUSED, "127.0.0.1:5432", "connection refused")


async def test_a_dead_resource_is_one_finding_and_its_dependents_are_skipped_as_blocked():
    resources = Resources({"database": GONE})
    dependents = [a_check(code, lambda database: iter(()), needs=("database",)) for code in ("AAA001", "ZZZ001")]
    results = await outcomes(dependents[0], guard(), dependents[1], resources=resources)
    assert results["PGS001"].status is Status.FAIL
    assert len(results["PGS001"].findings) == 1
    for code in ("AAA001", "ZZZ001"):
        assert (results[code].status, results[code].blocked_by) == (Status.SKIP, "PGS001")
        assert "nothing listens at this address" in results[code].reason
    assert ("database", False) in resources.asked


async def test_a_check_that_needs_no_dead_resource_is_not_touched():
    results = await outcomes(guard(), a_check("AAA001", passing), resources=Resources({"database": GONE}))
    assert results["AAA001"].status is Status.PASS


async def test_without_its_guard_a_dead_resource_leaves_the_check_unknown():
    check = a_check("AAA001", lambda database: iter(()), needs=("database",))
    result = (await outcomes(check, resources=Resources({"database": GONE})))["AAA001"]
    assert (result.status, result.blocked_by) == (Status.UNKNOWN, None)
    assert "nothing listens at this address" in result.reason


@pytest.mark.parametrize("why", [NotApplicableError("no DATABASE_URL"), GONE], ids=["absent", "unreachable"])
async def test_a_check_runs_without_an_optional_resource_that_is_missing(why: Exception):
    def detect(source: str, database: str | None = None) -> Iterator[Observation]:
        yield Observation(f"{source} and {database}")

    needs = ("source", "database")
    optional = a_check("AAA001", detect, needs=needs, optional=frozenset({"database"}))
    required = a_check("BBB001", detect, needs=needs)
    results = await outcomes(optional, required, resources=Resources({"database": why}))
    assert results["AAA001"].status is Status.PASS
    assert [each.text for each in results["AAA001"].observations] == ["source and None"]
    assert results["BBB001"].status is not Status.PASS


async def test_a_resource_that_is_lost_after_its_guard_has_passed_leaves_the_check_unknown():
    results = await outcomes(guard(), a_check("AAA001", raising(GONE)))
    assert results["PGS001"].status is Status.PASS
    assert (results["AAA001"].status, results["AAA001"].blocked_by) == (Status.UNKNOWN, None)


async def test_findings_stay_findings_when_a_resource_is_lost_afterwards():
    def detect() -> Iterator[Finding]:
        yield found("AAA001")
        raise GONE

    result = (await outcomes(a_check("AAA001", detect)))["AAA001"]
    assert result.findings == (found("AAA001"),)
    assert result.status is Status.UNKNOWN


WAITS_IN_A_CIRCLE = """
import asyncio
from tests.test_runner import Resources, a_check, passing, run_checks

checks = [
    a_check("AAA001", passing, after={after}),
    a_check("BBB001", passing, after=("AAA001",)),
    a_check("CCC001", passing),
]
for result in asyncio.run(run_checks(checks, Resources(), total_timeout=0.05)):
    print(result.code, result.status)
"""


@pytest.mark.parametrize("after", [("AAA001",), ("BBB001",)], ids=["itself", "one another"])
def test_checks_that_wait_for_themselves_or_one_another_do_not_stop_the_run(after: tuple[str, ...]):
    root = Path(__file__).parents[1]
    program = [sys.executable, "-c", WAITS_IN_A_CIRCLE.format(after=after)]
    done = subprocess.run(program, cwd=root, capture_output=True, text=True, check=False, timeout=LONG)
    statuses = dict(line.split() for line in done.stdout.splitlines())
    assert statuses.get("CCC001") == "pass", done.stderr[-500:]
    assert statuses["AAA001"] != "pass"

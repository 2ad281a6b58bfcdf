"""One examination: choose the checks, run them, diagnose, and put it all into a run."""

from __future__ import annotations

import asyncio
import platform
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

import click

from doctor import __version__
from doctor.check import OPT_IN, Check
from doctor.commands.output import FormatChoice, Output, registry
from doctor.diagnosis import diagnose, with_logs
from doctor.file_names import visible
from doctor.ignored import Ignored
from doctor.log_summary import LogSummary
from doctor.model import CheckResult, Mechanism, Run, Status
from doctor.model_trial import PROBE
from doctor.narrowing import narrowed
from doctor.record import new_run_id
from doctor.resources.environment import Environment
from doctor.runner import Progress, run_checks
from doctor.severities import with_severities
from doctor.silencing import Silencer, silence
from doctor.source.collectors.ignore_comments import COLLECTOR as IGNORE_COMMENTS
from doctor.source.collectors.ignore_comments import IgnoreComment
from doctor.source.index import Source, SourceError
from doctor.suppression import COMMENTS, suppress
from doctor.target import NotConfiguredError, Target


@dataclass(frozen=True, slots=True)
class Selection:
    """Which checks: codes or prefixes to take and to leave, tags, and whether anything beyond the source may be
    opened."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    offline: bool = False
    probe: bool = False
    """Also checks that make models work: they cost money, or memory in which another model lies."""


def choose(checks: Sequence[Check], selection: Selection, target: Target) -> list[Check]:
    """Return the selected checks in the order of their codes.

    Raises:
        click.UsageError: when a code or tag matches no check.
    """
    configuration = target.configuration
    select = _codes(selection.select) or configuration.select
    ignore = (*_codes(selection.ignore), *(configuration.ignore if not selection.select else ()))
    offline = selection.offline or configuration.offline
    for prefix in (*select, *ignore):
        if prefix != "ALL" and not any(check.code.startswith(prefix) for check in checks):
            near = get_close_matches(prefix, [check.code for check in checks], n=1)
            hint = f"did you mean {near[0]!r}?" if near else "`doctor list` shows them all"
            raise click.UsageError(f"no check has a code that starts with {prefix!r}; {hint}")
    tags = frozenset(selection.tags or configuration.tags)
    if unknown := tags - frozenset[str]().union(*(check.tags for check in checks)):
        raise click.UsageError(f"no check has the tag {min(unknown)!r}")
    return [
        check
        for check in checks
        if ("ALL" in select or check.code.startswith(select))
        and (
            OPT_IN not in check.tags
            or OPT_IN in tags
            or check.code in select
            or (selection.probe and PROBE in check.tags)
            or _is_given(check, target)
        )
        and not ("ALL" in ignore or check.code.startswith(ignore))
        and (not tags or tags & check.tags)
        and (not offline or "static" in check.tags)
    ]


def _is_given(check: Check, target: Target) -> bool:
    """Whether a check that asks for a token has one."""
    return "token" in check.needs and target.token_env is not None


def _codes(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(code.upper() for value in values for code in value.replace(",", " ").split())


def examine(
    target: Target,
    selection: Selection,
    output: Output,
    *,
    fail_on: str | None = None,
    timeout: float | None = None,
    total_timeout: float | None = None,
    formats: tuple[FormatChoice, ...] = (),
    paths: tuple[Path, ...] = (),
    logs: tuple[str, ...] = (),
    silencers: Sequence[Silencer] = (),
    afterwards: Callable[[Target, Run], Awaitable[None]] | None = None,
) -> Run:
    """Run the selected checks on ``target`` and return the diagnosed run; the target is closed afterwards.

    ``afterwards`` is called before it is closed.

    ``silencers`` leave out findings beside what the configuration ignores. ``paths`` limit the run to what is found in
    these files and folders, and to what is found in no file. ``logs`` are read when the checks are done.
    """
    chosen = choose(list(registry().checks.values()), selection, target)

    async def work() -> Run:
        async with target:
            with output.progress(len(chosen), formats) as progress:
                run = await examine_open(
                    target,
                    chosen,
                    fail_on=fail_on,
                    timeout=timeout,
                    total_timeout=total_timeout,
                    progress=progress,
                    paths=paths,
                    silencers=silencers,
                )
            if afterwards is not None:
                await afterwards(target, run)
            return run

    run = asyncio.run(work())
    return joined_with_logs(run, logs, target.source_folder, lambda problem: output.tell(problem, formats))


def joined_with_logs(run: Run, logs: Sequence[str], source: Path, tell: Callable[[str], None]) -> Run:
    """Return a run with what these logs tell, if any; ``tell`` is told of what could not be read.

    A log below the target's folder is named from there, as its source is.
    """
    if not logs:
        return run
    summary = read_logs(logs, source)
    for problem in summary.problems:
        tell(problem)
    diagnosis = with_logs(run.diagnosis, run.before, summary.issues, summary.progress)
    above = f"{visible(str(source.resolve()))}/"
    witnesses = (replace(one, place=one.place.removeprefix(above)) for one in diagnosis.witnesses)
    return replace(run, diagnosis=replace(diagnosis, witnesses=tuple(witnesses)))


def read_logs(logs: Sequence[str], source: Path) -> LogSummary:
    """Return what these logs tell; lines are looked for in the source."""
    from doctor.triage.catalogue import Catalogue
    from doctor.triage.inputs import sources
    from doctor.triage.problems import Problems
    from doctor.triage.triage import Triage

    problems = Problems()
    catalogue = Catalogue(registry().signatures.values())
    triage = Triage(catalogue, problems, source=source)
    triage.read(sources(logs, problems))
    return triage.summary("never")


async def examine_open(
    target: Target,
    checks: Sequence[Check],
    *,
    fail_on: str | None = None,
    timeout: float | None = None,
    total_timeout: float | None = None,
    progress: Progress | None = None,
    paths: tuple[Path, ...] = (),
    silencers: Sequence[Silencer] = (),
) -> Run:
    """Run these checks on an open target and diagnose. Times are in seconds."""
    target.prepare(name for check in checks for name in check.needs)
    started_at, started = datetime.now(UTC), time.perf_counter()
    configuration = target.configuration
    results = await run_checks(
        checks,
        target,
        timeout=timeout or configuration.timeout,
        total_timeout=total_timeout or configuration.total_timeout,
        progress=progress,
    )
    results = with_severities(results, configuration.severity)
    results, by_comments = suppress(results, await _ignore_comments(target, results), started_at.date())
    results, others = silence(results, (Ignored(target.loaded, started_at.date()), *silencers))
    if paths:
        results = narrowed(results, target.source_folder.resolve(), paths)
    results += plugin_problems()
    if any("live" in check.tags for check in checks):
        results += unread_files(target.environment)
    return Run(
        id=new_run_id(started_at, secrets.token_hex(2)),
        version=__version__,
        started_at=started_at,
        duration=time.perf_counter() - started,
        target=target.record(),
        before=results,
        diagnosis=diagnose(results, mechanisms(), target.chain_or_none()),
        versions={"doctor": __version__, "python": platform.python_version(), **target.versions()},
        configuration_fingerprint=target.loaded.fingerprint,
        fail_on=fail_on or configuration.fail_on,
        suppressions=(*by_comments, *others),
        narrowed=bool(paths),
    )


async def _ignore_comments(target: Target, results: Sequence[CheckResult]) -> tuple[IgnoreComment, ...]:
    """Return the comments that silence findings; none where no check has read the source."""
    asked = any(result.code == COMMENTS and result.status in (Status.PASS, Status.FAIL) for result in results)
    located = any(finding.resource.path for result in results for finding in result.findings)
    if not asked and not located:
        return ()
    try:
        source: Source = await target.provide("source")
    except (NotConfiguredError, SourceError):
        return ()
    return source.collected(IGNORE_COMMENTS)


def mechanisms() -> list[Mechanism]:
    """Return every declared mechanism."""
    return [mechanism for check in registry().checks.values() for mechanism in check.mechanisms]


def unread_files(environment: Environment) -> tuple[CheckResult, ...]:
    """Return one *unknown* result when a ``.env`` file could not be read: what it would have configured is not known,
    so that what was skipped may not be called absent."""
    if not environment.unread:
        return ()
    reason = "; ".join(environment.unread)
    return (CheckResult("DOC002", "environment-file-not-readable", "doctor", Status.UNKNOWN, reason=reason),)


def plugin_problems() -> tuple[CheckResult, ...]:
    """Return one *unknown* result when a plugin could not be used: what it would have checked is not known."""
    problems = registry().problems
    if not problems:
        return ()
    return (CheckResult("DOC001", "plugin-not-usable", "doctor", Status.UNKNOWN, reason="; ".join(problems)),)

"""``doctor probe``: one question about a running pipeline, for ``HEALTHCHECK`` and liveness probes.

Imports little: a health check runs every few seconds, beside the application and on its CPU.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from pathlib import Path

import click

from doctor.configuration import ConfigurationError
from doctor.late import without_extras
from doctor.probe import PROBES, TIMEOUT, Answer, monitoring_pages, probe, subject_of
from doctor.queue_canary import CRITICAL, WARN, CanaryTimes, send_canary, send_plain_canary
from doctor.queue_state import queue_state
from doctor.redaction import bounded, printable, redact
from doctor.target import NotConfiguredError, Target
from doctor.verdict import ExitCode

LINE_LIMIT = 400
"""Characters of the line; Docker keeps 4096 bytes of the last five."""

seconds = click.FloatRange(min=0, min_open=True, max=3600)


@click.command("probe")
@click.argument("name", type=click.Choice(list(PROBES)), metavar="[worker|db|nats|model|pipeline]")
@click.option("--path", type=click.Path(exists=True, path_type=Path), default=Path(), help="The pipeline's folder.")
@click.option("--config", "configuration", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--timeout", type=seconds, default=TIMEOUT, metavar="SECONDS", help=f"Limit of the probe ({TIMEOUT:g}).")
@click.option("--canary", is_flag=True, help="worker: also send a task that nobody knows, and time its way.")
@click.option("--warn", type=seconds, default=WARN, metavar="SECONDS", help=f"Canary: say that it is slow ({WARN:g}).")
@click.option(
    "--critical", type=seconds, default=CRITICAL, metavar="SECONDS", help=f"Canary: unhealthy ({CRITICAL:g})."
)
@click.option("--target", "target_name", metavar="NAME", help="Needed for a canary beyond this machine.")
def probe_command(
    name: str,
    path: Path,
    configuration: Path | None,
    timeout: float,
    canary: bool,
    warn: float,
    critical: float,
    target_name: str | None,
) -> int:
    """Ask one question and answer it in one line and by the exit code.

    \b
    worker    a worker asks for tasks     db     the database answers
    nats      NATS runs with JetStream    model  the model server has the embedding model
    pipeline  all of them at once
    Exit codes: 0 healthy   1 not   2 usage   3 not configured, or nobody can tell
    """
    if canary and name != "worker":
        raise click.UsageError("--canary is a question for the worker")
    try:
        target = Target.at(path, configuration, keeps_facts=False)
        if canary:
            from doctor.commands.options import require_permission

            require_permission(target, target_name)
        answer = asyncio.run(_answer(target, name, timeout, (warn, critical) if canary else None))
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    sys.stdout.write(f"{bounded(printable(redact(answer.line)), LINE_LIMIT)}\n")
    codes = {True: ExitCode.OK, False: ExitCode.FINDINGS, None: ExitCode.INCOMPLETE}
    return int(codes[answer.healthy])


async def _answer(target: Target, name: str, timeout: float, thresholds: tuple[float, float] | None) -> Answer:
    with without_extras():
        async with target:
            answer = await probe(target, name, timeout=timeout)
            if thresholds is None or not answer.healthy:
                return answer
            return await _canary(target, answer, *thresholds)


async def _canary(target: Target, answer: Answer, warn: float, critical: float) -> Answer:
    from doctor.resources.nats import NatsError
    from doctor.resources.nats_monitoring import MonitoringUnavailableError

    subject, canary_id = subject_of(target), uuid.uuid4().hex
    try:
        nats = await target.provide("nats")
        if not (await queue_state(nats, subject)).streams:
            taken = await send_plain_canary(nats, subject, canary_id, critical, monitoring_pages(target, nats))
            return Answer(answer.name, taken is not None, f"{answer.words}; {_delivered(taken, warn, critical)}")
        times = await send_canary(nats, subject, canary_id, critical)
    except (NatsError, NotConfiguredError, MonitoringUnavailableError) as error:
        return Answer(answer.name, False, " ".join(str(error).split()))
    return Answer(answer.name, times.done is not None, f"{answer.words}; {_spoken(times, warn, critical)}")


def _spoken(times: CanaryTimes, warn: float, critical: float) -> str:
    if times.done is None:
        where = "nobody took it" if times.taken is None else f"taken after {times.taken * 1000:.1f} ms and not finished"
        return f"canary: {where} within {critical:g} s, withdrawn"
    return f"canary done in {_slow(times.done, warn)}"


def _delivered(taken: float | None, warn: float, critical: float) -> str:
    if taken is None:
        return f"canary: delivered to nobody within {critical:g} s, and plain NATS keeps nothing"
    return f"canary delivered in {_slow(taken, warn)}; when it is done plain NATS cannot tell"


def _slow(took: float, warn: float) -> str:
    return f"{took * 1000:.1f} ms" + (f", slower than {warn * 1000:g} ms" if took > warn else "")

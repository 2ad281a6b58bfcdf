"""What one system costs that is dead, frozen or behind a firewall: the time of a check, and what the others find."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from doctor.check import Check
from doctor.commands.examination import Selection, choose, examine_open
from doctor.commands.output import registry
from doctor.model import CheckResult, Run
from doctor.pipeline.sandbox.ports import free_port
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.target import Target
from tests.black_hole import black_hole

SYSTEMS = {
    "postgres": ("database", "DATABASE_URL", "postgresql://sandbox@127.0.0.1:{port}/sandbox"),
    "nats": ("nats", "NATS_URL", "nats://127.0.0.1:{port}"),
    "models": ("models", "OLLAMA_HOST", "http://127.0.0.1:{port}"),
}
"""Service of the sandbox → what checks ask for, the variable of its address, an address elsewhere."""

GRACE = 0.5
"""Seconds beyond the slowest deadline that a whole check may take."""

Line = Callable[[str, float, str, str], None]


def measure_outages(sandbox: Sandbox, line: Line) -> None:
    """Take each system away in each way, and compare with the run before."""
    healthy = live_checks(sandbox)
    line("live checks, all systems there", healthy.duration, "s", f"{len(healthy.before)} checks")
    for service, (resource, _, _) in SYSTEMS.items():
        for way in (dead, frozen, black_holed):
            with way(sandbox, service):
                run = live_checks(sandbox)
            own = max((one.duration for one in run.before if needs(one, resource)), default=0.0)
            same = "unchanged" if others(run, resource) == others(healthy, resource) else "CHANGED"
            note = f"its slowest check {own:.2f} s; budget that + {GRACE:g} s; the others' results are {same}"
            line(f"  {service} {way.__name__.replace('_', '-')}", run.duration, "s", note)


def live_checks(sandbox: Sandbox) -> Run:
    """Run the live checks once in this process."""

    async def work() -> Run:
        async with Target.at(sandbox.directory) as target:
            checks = choose(list(registry().checks.values()), Selection(tags=("live",)), target)
            return await examine_open(target, checks)

    return asyncio.run(work())


def needs(result: CheckResult, resource: str) -> bool:
    """Tell whether a check asks for the system, or cannot be asked without it."""
    checks = registry().checks
    check = checks.get(result.code)
    before = () if check is None else (checks[code] for code in check.after if code in checks)
    return check is not None and any(resource in _asked(each) for each in (check, *before))


def _asked(check: Check) -> set[str]:
    """Return the systems that a check asks; a look at all models asks for their rows as well."""
    return {*check.needs, *(("models", "database") if "examination" in check.needs else ())}


def others(run: Run, resource: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return status and findings of the checks that do without the system."""
    return {
        result.code: (str(result.status), tuple(finding.fingerprint for finding in result.findings))
        for result in run.before
        if not needs(result, resource)
    }


@contextmanager
def dead(_: Sandbox, service: str) -> Iterator[None]:
    """Nothing listens."""
    with _address(service, free_port()):
        yield


@contextmanager
def frozen(sandbox: Sandbox, service: str) -> Iterator[None]:
    """Its processes are stopped (SIGSTOP): the kernel takes connections, and nobody answers."""
    sandbox.pause(service)
    try:
        yield
    finally:
        sandbox.start(service)


@contextmanager
def black_holed(_: Sandbox, service: str) -> Iterator[None]:
    """Packets are dropped."""
    with black_hole() as port, _address(service, port):
        yield


@contextmanager
def _address(service: str, port: int) -> Iterator[None]:
    _, variable, address = SYSTEMS[service]
    before = os.environ.get(variable)
    os.environ[variable] = address.format(port=port)
    try:
        yield
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before

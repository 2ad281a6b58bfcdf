"""``make bench``: each budget of the project, measured now, on this machine.

``python -m tests.bench database`` measures one part; with ``--ten-million``, on a table of so many rows, which takes
7 GB of disk and some minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from doctor.commands.examination import Selection, choose, examine_open
from doctor.commands.output import registry
from doctor.model import Run
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.target import Target
from tests.bench.backfill import measure_backfill
from tests.bench.database_checks import measure_database_checks
from tests.bench.outages import measure_outages
from tests.bench.probes import measure_probes
from tests.bench.rendering import measure_rendering
from tests.bench.search import measure_search
from tests.bench.soak import measure_load
from tests.bench.source import measure_source
from tests.bench.triage import measure_triage

STARTS = 15
CHECKS = 7
DELAY = 1.0
"""Seconds by which the model server's answers are delayed, to show what one slow system costs."""


WITHOUT_SANDBOX = {"source": measure_source, "triage": measure_triage, "rendering": measure_rendering}
"""The parts that need no running pipeline."""

PARTS = (*WITHOUT_SANDBOX, "live", "backfill", "database")
"""What can be measured alone."""


def main() -> None:
    """Measure and print one line each."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("part", nargs="?", choices=PARTS, help="measure this part alone")
    parser.add_argument("--ten-million", action="store_true", help="with `database`: a table of ten million rows")
    asked = parser.parse_args()
    part = asked.part
    if part is None:
        version_start()
    with tempfile.TemporaryDirectory(prefix="doctor-bench-") as folder:
        for name, measure in WITHOUT_SANDBOX.items():
            if part in (None, name):
                measure(Path(folder), line)
        if part not in WITHOUT_SANDBOX:
            with_sandbox(Path(folder) / "sandbox", part, largest=asked.ten_million)


def with_sandbox(directory: Path, part: str | None, *, largest: bool) -> None:
    """Bring a sandbox up and measure what needs one."""
    sandbox = Sandbox.create(directory, name="bench")
    line("sandbox up", seconds(lambda: sandbox.up(with_parent=True)), "s", "the servers, the API and the worker")
    try:
        if part in (None, "live"):
            healthy_check(sandbox)
            measure_probes(sandbox, line)
            measure_outages(sandbox, line)
            one_slow_system(sandbox)
        if part in (None, "backfill"):
            measure_backfill(sandbox, line)
        if part in (None, "database"):
            measure_database_checks(sandbox, line, largest=largest)
        if part is None:
            measure_search(sandbox, line)
            measure_load(sandbox, line)
    finally:
        sandbox.down(keep_data=False)


def line(what: str, value: float, unit: str, note: str) -> None:
    """Print one measurement."""
    sys.stdout.write(f"{what:<44} {value:8.2f} {unit:<2}  {note}\n")
    sys.stdout.flush()


def seconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def version_start() -> None:
    """Compare ``doctor --version`` with the bare interpreter, in alternating pairs."""
    doctor = [str(Path(sys.executable).with_name("doctor")), "--version"]
    bare = [sys.executable, "-c", "pass"]
    pairs = [(seconds(lambda: run(bare)), seconds(lambda: run(doctor))) for _ in range(STARTS)]
    interpreter, version = (statistics.median(column) for column in zip(*pairs, strict=True))
    line("python -c pass", interpreter * 1000, "ms", f"median of {STARTS}")
    line("doctor --version", version * 1000, "ms", f"{version / interpreter:.1f} x the interpreter; budget 5 x")


def run(command: list[str]) -> None:
    """Run a command to its end."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def healthy_check(sandbox: Sandbox) -> None:
    """Measure the whole command on a healthy sandbox, and what of it is the run itself."""
    command = [str(Path(sys.executable).with_name("doctor")), "check", str(sandbox.directory)]
    whole = statistics.median(seconds(lambda: run(command)) for _ in range(CHECKS))
    line("doctor check, healthy sandbox", whole, "s", f"whole command, median of {CHECKS}; budget 2 s")
    line("  of it the checks", examine(sandbox).duration, "s", "connections and source included")


def one_slow_system(sandbox: Sandbox) -> None:
    """Delay one system and compare the run with its slowest single check."""
    control = f"{sandbox.environment()['OLLAMA_HOST']}/_stand_in/behaviour"
    httpx.put(control, json={"rules": [{"delay_seconds": DELAY}]}).raise_for_status()
    slow = examine(sandbox)
    httpx.put(control, json={"rules": []}).raise_for_status()
    slowest = max(slow.before, key=lambda result: result.duration)
    note = f"{slow.duration / slowest.duration:.2f} x its slowest check, {slowest.code}; budget 1.3 x"
    line(f"checks with a model server {DELAY:g} s late", slow.duration, "s", note)


def examine(sandbox: Sandbox) -> Run:
    """Run all checks once in this process."""
    checks = list(registry().checks.values())

    async def work() -> Run:
        async with Target.at(sandbox.directory) as target:
            return await examine_open(target, choose(checks, Selection(), target))

    return asyncio.run(work())


if __name__ == "__main__":
    main()

"""What it costs to show ten thousand findings, in each format: seconds of computing, whatever else this machine does,
and the memory of a process that does nothing else."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from doctor.commands.output import registry
from doctor.model import Run
from doctor.report import Presentation
from tests.example_runs import result, run_of, task_hidden

FINDINGS = 10_000
BUDGET_SECONDS, BUDGET_MEGABYTES = 2.0, 300.0

Line = Callable[[str, float, str, str], None]


def run_of_many() -> Run:
    """Return a run in which as many tasks cannot be enqueued, each with evidence and a repair."""
    found = (
        task_hidden(f"app.tasks.module_{number}.run", f"app/tasks/module_{number}.py") for number in range(FINDINGS)
    )
    many = tuple(replace(each, group=each.resource.id if place % 2 else "") for place, each in enumerate(found))
    return run_of((result("TSK001", *many),), mechanisms=())


def measure_rendering(folder: Path, line: Line) -> None:
    """Render the run once in each format, each in a process of its own."""
    for name in sorted(registry().reports):
        receiver, sender = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("spawn").Process(target=render_in_process, args=(name, sender))
        process.start()
        seconds, megabytes, size = receiver.recv()
        process.join()
        note = f"{size / 1e6:.1f} MB of text, {megabytes:.0f} MB of memory; budget {BUDGET_SECONDS:g} s, "
        line(f"10,000 findings as {name}", seconds, "s", f"{note}{BUDGET_MEGABYTES:g} MB")


def render_in_process(name: str, sender: Connection) -> None:
    """Render and send seconds of computing, the largest memory in megabytes, and the characters of the text."""
    run = run_of_many()
    started = time.process_time()
    text = registry().reports[name].render(run, Presentation())
    seconds = time.process_time() - started
    sender.send((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, len(text)))

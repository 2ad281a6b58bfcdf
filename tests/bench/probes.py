"""What a health check costs: the whole command, beside the bare interpreter."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.probe import PROBES

ROUNDS = 7
BUDGET = 0.6
"""Seconds of a whole command."""

Line = Callable[[str, float, str, str], None]


def measure_probes(sandbox: Sandbox, line: Line) -> None:
    """Run each probe in turn with the bare interpreter, so that both meet the same load."""
    doctor = str(Path(sys.executable).with_name("doctor"))
    for name in PROBES:
        command = [doctor, "probe", name, "--path", str(sandbox.directory)]
        pairs = [(_seconds([sys.executable, "-c", "pass"]), _seconds(command)) for _ in range(ROUNDS)]
        bare, probe = (statistics.median(column) for column in zip(*pairs, strict=True))
        line(f"doctor probe {name}", probe, "s", f"{probe / bare:.0f} x the interpreter; budget {BUDGET:g} s")


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started

"""How fast and in how much memory `doctor triage` reads lines of which none comes twice."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from doctor.source.log_calls import read_log_calls
from doctor.triage.masking import Masker
from tests.bench.corpora import CORPORA, grouping_accuracy
from tests.bench.source import BIN, peak_memory

Line = Callable[[str, float, str, str], None]

LINES = 80_000
LARGE = 400_000
ROOT = Path(__file__).parents[2]
WORDS = ("scoring", "nats", "timeout", "connection", "llama", "atoms", "telegram", "retry")


def measure_triage(folder: Path, line: Line) -> None:
    """Measure masking alone, then the whole command, by the processor time of one process."""
    messages = list(rendered(LINES))
    masker = Masker()
    started = time.process_time()
    for message in messages:
        masker.mask(message)
    rate = len(messages) / (time.process_time() - started)
    line("triage: masking alone", rate / 1000, "k/s", f"{LINES:,} lines, none twice; budget 40 k/s")
    accuracy = {name: grouping_accuracy(name) for name in CORPORA}
    worst = min(accuracy, key=accuracy.__getitem__)
    note = f"mean of {len(accuracy)} made-up corpora, masking alone; {accuracy[worst]:.2f} for {worst}; target 0.93"
    line("  grouping accuracy", statistics.mean(accuracy.values()), "", note)
    small, large = folder / "small.log", folder / "large.log"
    write_log(small, LINES)
    write_log(large, LARGE)
    words = [str(BIN / "doctor"), "triage", "--fail-on", "never", "--source", str(ROOT / "pipeline")]
    empty = folder / "empty.log"
    empty.write_text("started\n")
    start = processor_seconds([*words, str(empty)])
    rate = LARGE / (processor_seconds([*words, str(large)]) - start)
    size = large.stat().st_size / 1e6
    note = f"{LARGE:,} lines, {size:.0f} MB, redaction and source matching; budget 20 k/s"
    line("  the whole command, its start taken off", rate / 1000, "k/s", note)
    line("  its start", start, "s", "catalogue, checks, call sites of the source")
    less, more = (peak_memory([*words, str(path)]) for path in (small, large))
    line("  peak memory", more, "MB", f"{more / less:.2f} x that of a fifth of the lines; budget 300 MB")


def rendered(count: int) -> Iterator[str]:
    """Yield messages of the example's own log calls, with values of which no two are alike."""
    chance = random.Random(7)
    templates = [site.parts for site in read_log_calls(ROOT / "pipeline") if len(site.parts) > 1]
    for number in range(count):
        parts = chance.choice(templates)
        values = (value(chance, number) for _ in parts[1:])
        yield parts[0] + "".join(one + part for one, part in zip(values, parts[1:], strict=True))


def value(chance: random.Random, number: int) -> str:
    """Return something that a log line is filled in with."""
    kinds = (
        str(number),
        f"{chance.getrandbits(128):032x}",
        f"{chance.random() * 100:.3f}",
        f"10.0.{number % 256}.{number % 251}:{number % 60_000}",
        f"{chance.choice(WORDS)} {chance.choice(WORDS)} {number}",
        f"http://127.0.0.1:11434/api/chat?n={number}",
    )
    return chance.choice(kinds)


def write_log(path: Path, count: int) -> None:
    """Write these messages as loguru does."""
    with path.open("w", encoding="utf-8") as file:
        for number, message in enumerate(rendered(count)):
            seconds, milliseconds = divmod(number, 1000)
            clock = f"19:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{milliseconds:03d}"
            level = "WARNING " if number % 9 == 0 else "INFO    "
            file.write(f"2026-11-20 {clock} | {level} | app.tasks.scoring:run:{number % 90 + 1} - {message}\n")


def processor_seconds(command: list[str]) -> float:
    """Return the processor time that a command takes, whatever else the machine does."""
    program = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=-3, check=True);"
    program += "used = resource.getrusage(resource.RUSAGE_CHILDREN); print(used.ru_utime + used.ru_stime)"
    done = subprocess.run([sys.executable, "-c", program, *command], capture_output=True, check=True, text=True)
    return float(done.stdout)

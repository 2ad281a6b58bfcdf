"""How long the static checks take over a large tree, beside ``ruff`` on the same files, and where the time goes."""

from __future__ import annotations

import gc
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from doctor.source.build import Build
from doctor.source.collectors import collectors
from doctor.source.discover import stamped_files
from doctor.source.parse import GRANULARITY
from doctor.source.reading import Reading

Line = Callable[[str, float, str, str], None]

FILES = 4_000
BYTES = 25_000_000
SMALL = 1_000
"""Files of the tree in which one is changed."""

RUNS = 5
FOREIGN = frozenset({"__pycache__", "site-packages", "_vendor", "_vendored", "third_party", "node_modules", "vendored"})
"""Folders that the doctor would leave out and ruff would not."""

RUFF = ("check", "--no-cache", "--quiet", "--isolated", "--select", "E9")
BIN = Path(sys.executable).parent


def measure_source(folder: Path, line: Line) -> None:
    """Compare whole commands, then look inside."""
    tree = folder / "tree"
    count, size = copy_sources(tree, FILES, BYTES)
    line("source: the tree", size / 1e6, "MB", f"{count} Python files of installed packages and the standard library")
    ruff = [str(BIN / "ruff"), *RUFF, str(tree)]
    doctor = [str(BIN / "doctor"), "check", str(tree), "--tag", "static"]
    same_files(ruff, tree)
    settle()
    compare(ruff, [*doctor, "--no-cache"], line, "no fact cache", 1.5)
    run([*doctor])
    compare(ruff, doctor, line, "warm fact cache", 0.7)
    line("  peak memory, no fact cache", peak_memory([*doctor, "--no-cache"]), "MB", "all processes; budget 300 MB")
    one_changed_file(folder / "small", line)
    phases(tree, line)
    candidates(tree, line)


def copy_sources(tree: Path, files: int, size: int) -> tuple[int, int]:
    """Copy installed sources until there are enough, and return their number and bytes."""
    found = total = 0
    for source, place in installed_sources():
        if found >= files and total >= size:
            break
        target = tree / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        found, total = found + 1, total + source.stat().st_size
    return found, total


def installed_sources() -> Iterator[tuple[Path, Path]]:
    """Yield the Python files of the installed packages, then those of the standard library, each with its new place."""
    paths = sysconfig.get_paths()
    for name, base in (("installed", paths["purelib"]), ("standard", paths["stdlib"])):
        for folder, names, files in os.walk(base):
            names[:] = sorted(one for one in names if one not in FOREIGN and not one.startswith("."))
            for file in sorted(file for file in files if file.endswith(".py")):
                source = Path(folder, file)
                yield source, name / source.relative_to(base)


def same_files(ruff: list[str], tree: Path) -> None:
    """Make sure that both read the same files.

    Raises:
        SystemExit: they do not, so that a ratio would say nothing.
    """
    listed = subprocess.run([*ruff, "--show-files"], capture_output=True, check=True, text=True).stdout.split("\n")
    theirs = {str(Path(file).relative_to(tree)) for file in listed if file.endswith(".py")}
    if different := theirs.symmetric_difference(stamped_files(tree)) or not theirs:
        raise SystemExit(f"ruff and the doctor read different files: {different}")


def settle() -> None:
    """Wait until the files are older than the granularity of their times, as those of a real project are."""
    time.sleep(GRANULARITY / 1e9 + 0.1)


def run(command: list[str]) -> float:
    """Run a command to its end, whatever it finds; return the seconds."""
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - started


def compare(ruff: list[str], doctor: list[str], line: Line, what: str, budget: float) -> None:
    """Run both in alternation and print the ratio of the medians."""
    pairs = [(run(ruff), run(doctor)) for _ in range(RUNS)]
    theirs, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    least, most = (pick(mine / other for other, mine in pairs) for pick in (min, max))
    line("ruff check --select E9", theirs, "s", f"median of {RUNS}")
    note = f"{ours / theirs:.2f} x ruff ({least:.2f} to {most:.2f}); budget {budget:g} x"
    line(f"doctor check --tag static, {what}", ours, "s", note)


def peak_memory(command: list[str]) -> float:
    """Return the megabytes that a command and all its processes hold at most, shared pages counted in each."""
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        held = 0
        for one in (process, *children_of(process)):
            try:
                held += one.memory_info().rss
            except psutil.Error:
                continue
        peak = max(peak, held)
        time.sleep(0.005)
    return peak / 1e6


def children_of(process: psutil.Process) -> list[psutil.Process]:
    """Return the processes below one, none when it has ended."""
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def one_changed_file(tree: Path, line: Line) -> None:
    """Change one file of a tree that is known."""
    count, size = copy_sources(tree, SMALL, 0)
    changed = tree / next(iter(stamped_files(tree)))
    doctor = [str(BIN / "doctor"), "check", str(tree), "--tag", "static"]
    settle()
    run(doctor)
    seconds = []
    for number in range(RUNS):
        with changed.open("a") as file:
            file.write(f"\nchanged = {number}\n")
        seconds.append(run(doctor))
    note = f"of {count} files, {size / 1e6:.1f} MB; median of {RUNS}; budget 0.3 s"
    line("doctor check, one file changed", statistics.median(seconds), "s", note)


def phases(tree: Path, line: Line) -> None:
    """Show where the time goes, in this process and on one core."""
    line("where it goes: python -c pass", run([sys.executable, "-c", "pass"]), "s", "the interpreter's start")
    empty = tree.with_name("empty")
    empty.mkdir()
    line("  doctor check of an empty folder", run([str(BIN / "doctor"), "check", str(empty)]), "s", "start and output")
    gc.disable()
    one = Reading(tree)
    one.facts()
    for phase, seconds in one.phases.seconds.items():
        line(f"  {phase}", seconds, "s", "no fact cache, one process")
    gc.enable()


def candidates(tree: Path, line: Line) -> None:
    """Show how many files each collector has parsed."""
    build = Build(tree, stamped_files(tree))
    try:
        build.look()
    finally:
        build.close()
    for one in collectors():
        wanted = [file.glance.size for file in build.files.values() if one.name in file.glance.wanted]
        if not one.for_graph:
            note = f"{len(wanted)} files" + (f", if {one.asked_by[0]} found something" if one.asked_by else "")
            line(f"  parsed for {one.name}", sum(wanted) / 1e6, "MB", note)
    tasks = [file.glance.size for file in build.files.values() if file.glance.has_task]
    line("  parsed for tasks", sum(tasks) / 1e6, "MB", f"{len(tasks)} files")

"""The source as a resource: another process, a deadline, nothing imported from the target."""

from __future__ import annotations

import ast
import asyncio
import gc
import os
import pickle
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest

from doctor.source import process
from doctor.source.collect import collect
from doctor.source.facts import Facts
from doctor.source.index import Source, SourceError, open_source

JOB = "from celery import shared_task\n@shared_task\ndef job(): ...\n\ndef later():\n    job.delay()\n"


async def test_the_other_process_finds_what_this_one_finds(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(JOB)
    assert (await open_source(tmp_path, 10)).facts == Source.read(tmp_path).facts


async def test_nothing_of_the_target_is_ever_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ast", "pickle", "re", "sitecustomize", "doctor"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    source = await open_source(Path(), 10)
    assert len(source.files) == 5
    assert not (tmp_path / "ran").exists()


async def test_a_missing_or_empty_folder_has_no_files(tmp_path: Path) -> None:
    assert (await open_source(tmp_path, 10)).files == ()
    assert (await open_source(tmp_path / "missing", 10)).files == ()


async def test_a_reader_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid_file = tmp_path / "pid"
    monkeypatch.setattr(
        process, "_START", f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    )
    started = time.monotonic()
    with pytest.raises(SourceError, match=r"longer than 0\.5 s"):
        await open_source(tmp_path, 0.5)
    assert time.monotonic() - started < 10
    if pid_file.exists():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid_file.read_text()), 0)


async def test_a_reader_that_is_no_longer_wanted_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid_file = tmp_path / "pid"
    monkeypatch.setattr(
        process,
        "_START",
        f"import os, time; open({str(tmp_path / 'new')!r}, 'w').write(str(os.getpid()));"
        f" os.rename({str(tmp_path / 'new')!r}, {str(pid_file)!r}); time.sleep(60)",
    )
    task = asyncio.create_task(open_source(tmp_path, 60))
    async with asyncio.timeout(10):
        while not pid_file.exists():
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


async def test_a_reader_that_dies_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_START", "raise SystemExit('no space left')")
    with pytest.raises(SourceError, match="no space left"):
        await open_source(tmp_path, 10)


def test_the_worker_prints_pickled_facts(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(JOB)
    finished = subprocess.run(
        [sys.executable, "-m", "doctor.source.worker", str(tmp_path)], capture_output=True, check=True
    )
    facts = pickle.loads(finished.stdout)
    assert isinstance(facts, Facts)
    assert (facts.files, facts.searched, finished.stderr) == (("jobs.py",), 1, b"")


def test_the_worker_without_a_folder_explains_itself() -> None:
    finished = subprocess.run([sys.executable, "-m", "doctor.source.worker"], capture_output=True)
    assert (finished.returncode, finished.stderr) == (2, b"usage: python -m doctor.source.worker ROOT [CACHE]\n")


def test_the_same_tree_gives_the_same_facts_every_time(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"jobs{number}.py").write_text(JOB)
    seen = {
        subprocess.run(
            [sys.executable, "-m", "doctor.source.worker", str(tmp_path)],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in range(3)
    }
    assert len(seen) == 1


def test_no_tree_outlives_its_file_although_the_worker_collects_no_garbage(tmp_path: Path) -> None:
    tree = ast.parse(JOB)
    alive = weakref.ref(tree)
    gc.disable()
    try:
        collect(tree, "jobs.py", JOB.splitlines())
        del tree
        assert alive() is None
    finally:
        gc.enable()

"""A test that hangs fails in time, and says where it hung."""

import subprocess
import sys
from pathlib import Path

from tests.command_line import PACKAGE_FOLDER

HANGING = """\
import asyncio

async def wait_for_nothing():
    await asyncio.Event().wait()

async def test_that_hangs():
    async with asyncio.TaskGroup() as group:
        group.create_task(wait_for_nothing())

def test_after_it():
    pass
"""


def test_a_test_that_hangs_fails_and_shows_where_its_coroutines_wait(tmp_path: Path) -> None:
    (tmp_path / "test_hangs.py").write_text(HANGING)
    settings = ("-c", str(PACKAGE_FOLDER / "pyproject.toml"), "--rootdir", str(tmp_path), "--timeout", "0.1")
    command = [sys.executable, "-m", "pytest", *settings, "-p", "tests.conftest", "-p", "no:cacheprovider", "."]
    answer = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(PACKAGE_FOLDER)}, capture_output=True, text=True, timeout=60
    )
    assert "1 failed, 1 passed" in answer.stdout, answer.stdout + answer.stderr
    assert "Timeout (>0.1s)" in answer.stdout
    assert "line 4, in wait_for_nothing" in answer.stdout

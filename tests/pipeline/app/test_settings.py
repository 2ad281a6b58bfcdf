"""Settings that cannot work are refused when a process starts, in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

import doctor.pipeline.app
from doctor.pipeline.app.settings import Settings

PROGRAMS = {
    "the API": ("uvicorn", "app.main:app", "--port", "0"),
    "the worker": ("taskiq", "worker", "app.broker:broker", "app.tasks", "--workers", "1", "--max-fails", "1"),
    "the schema": ("app.schema",),
}


def start(program: tuple[str, ...], **variables: str) -> subprocess.CompletedProcess[str]:
    """Start a program of the application where it is, under the name that a copy has."""
    return subprocess.run(
        [sys.executable, "-m", *program],
        cwd=Path(doctor.pipeline.app.__file__).parent.parent,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_a_process_with_settings_that_do_not_fit_together_does_not_start(program: tuple[str, ...]) -> None:
    ended = start(program, MODEL_TIMEOUT_SECONDS="600", TASK_TIMEOUT_SECONDS="600")
    assert ended.returncode != 0
    assert (
        "settings: MODEL_TIMEOUT_SECONDS (600) must be less than TASK_TIMEOUT_SECONDS (600): a task would end before "
        "the model it waits for" in ended.stderr.splitlines()
    )
    assert "Traceback" not in ended.stderr


def test_each_mistake_is_named_without_its_value() -> None:
    ended = start(PROGRAMS["the schema"], TASK_ACK_WAIT_SECONDS="0.1", WEBHOOK_MAX_BYTES="many")
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "settings: WEBHOOK_MAX_BYTES: Input should be a valid integer, unable to parse string as an integer",
        "settings: TASK_ACK_WAIT_SECONDS: Input should be greater than or equal to 1",
    ]


def test_a_batch_that_is_smaller_than_the_threshold_is_refused() -> None:
    with pytest.raises(
        ValidationError, match=r"BATCH_SIZE \(5\) must not be less than .*THRESHOLD \(10\): no extraction"
    ):
        Settings(_env_file=None, ai_knowledge_extraction_batch_size=5)


def test_the_default_settings_fit_together() -> None:
    assert Settings(_env_file=None).claim_lease_seconds > 0

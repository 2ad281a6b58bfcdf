"""`pytest --doctor`, and the fixture `doctor_run`, in a project's own tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import environment

BROKEN = "from celery import shared_task\nfrom functools import lru_cache\n\n@lru_cache\n@shared_task\ndef job(): ...\n"
CALLER = "from jobs import job\n\ndef later():\n    job.delay()\n"
TEST = """
def test_all_tasks_can_be_enqueued(doctor_run):
    assert [finding.code for finding in doctor_run.findings] == ["TSK001"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "jobs.py").write_text(BROKEN)
    (tmp_path / "caller.py").write_text(CALLER)
    (tmp_path / "test_health.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\ndoctor_profile = ci\ndoctor_select = TSK001 AGT001 DOC010\n")
    return tmp_path


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Call pytest with this plugin and no other of this machine."""
    given = environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", PYTHONWARNINGS="default")
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "doctor.pytest_plugin", *words]
    return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)


def test_each_check_is_a_test_and_a_run_can_be_asserted(project: Path):
    done = run(project, "--doctor", "-rs")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "jobs.py:4: error: `job` cannot be enqueued" in done.stdout
    assert "doctor explain TSK001" in done.stdout
    assert "1 failed, 2 passed" in done.stdout


def test_a_wrong_configuration_is_told(project: Path):
    (project / "doctor.toml").write_text("fail_onn = 1\n")
    done = run(project, "--doctor")
    assert (done.returncode, "did you mean 'fail_on'?" in done.stderr) == (4, True)

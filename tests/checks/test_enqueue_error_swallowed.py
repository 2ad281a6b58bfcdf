"""TSK002 on the incident itself: the amplifier that turned a broken task into silence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import doctor.pipeline
from doctor.api import Applicability, Finding, Role, Severity, Source
from doctor.checks.enqueue_error_swallowed import enqueue_error_swallowed

APPLICATION = Path(doctor.pipeline.__file__).parent / "app"

INGESTION = """
from loguru import logger
from .tasks.scoring import score_message_task

async def queue_scoring(message_id: int) -> None:
    try:
        await score_message_task.kiq(message_id)
    except Exception as error:
        logger.warning(f"Failed to queue scoring task: {error}")
"""


@pytest.fixture
def application(tmp_path: Path) -> Path:
    shutil.copytree(APPLICATION, tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def found(root: Path) -> list[Finding]:
    return list(enqueue_error_swallowed.detect(Source.read(root)))


def test_the_healthy_pipeline_raises_or_records_every_failed_enqueue(application: Path) -> None:
    assert found(application) == []


def test_the_handler_of_the_incident_is_an_amplifier_of_its_task(application: Path) -> None:
    (application / "app/swallowing.py").write_text(INGESTION)
    (finding,) = found(application)
    assert (finding.severity, finding.role, finding.stage) == (Severity.WARNING, Role.AMPLIFIER, None)
    assert finding.resource.key == "code:app.swallowing.queue_scoring"
    assert [resource.key for resource in finding.related] == ["task:app.tasks.scoring.score_message_task"]
    assert [(evidence.source, evidence.text) for evidence in finding.evidence] == [
        ("app/swallowing.py:7", "await score_message_task.kiq(message_id)"),
        ("app/swallowing.py:8", "except Exception"),
        ("app/swallowing.py:9", "warning: Failed to queue scoring task: {error}"),
    ]


def test_a_route_that_answers_success_makes_it_an_error(application: Path) -> None:
    (application / "app/swallowing.py").write_text(INGESTION)
    (application / "app/hook.py").write_text(
        "from fastapi import APIRouter\nfrom .swallowing import queue_scoring\nrouter = APIRouter()\n\n"
        '@router.post("/hook")\nasync def receive(update: dict):\n    await queue_scoring(1)\n    return {"ok": True}\n'
    )
    (finding,) = found(application)
    assert finding.severity is Severity.ERROR
    assert "`POST /hook` answers with success all the same" in finding.impacts


def test_the_fix_is_by_hand_with_a_snippet(application: Path) -> None:
    (application / "app/swallowing.py").write_text(INGESTION)
    (finding,) = found(application)
    (option,) = finding.fixes
    assert option.applicability is Applicability.MANUAL
    assert option.arguments["line"] == 8
    assert "raise" in str(option.arguments["snippet"])


def test_each_task_of_a_function_is_a_finding_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(
        "from celery import shared_task\n@shared_task\ndef one(): ...\n@shared_task\ndef two(): ...\n\n"
        "def later():\n    try:\n        one.delay()\n        one.delay()\n        two.delay()\n"
        "    except Exception:\n        pass\n"
    )
    findings = found(tmp_path)
    assert [finding.subject for finding in findings] == ["jobs.one", "jobs.two"]
    assert len({finding.fingerprint for finding in findings}) == 2


def test_a_task_that_cannot_be_resolved_is_reported_without_a_relation(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(
        "async def later(task):\n    try:\n        await task.kiq(1)\n    except Exception:\n        pass\n"
    )
    (finding,) = found(tmp_path)
    assert finding.related == ()

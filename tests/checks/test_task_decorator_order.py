"""TSK001 on the incident itself: the project's own pipeline with two registrars moved down."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import doctor.pipeline
from doctor.api import Applicability, Finding, Role, Severity, Source
from doctor.checks.task_decorator_order import task_decorator_order

APPLICATION = Path(doctor.pipeline.__file__).parent / "app"
RIGHT = "@broker.task\n@task_retry_with_dlq(max_attempts=3)\n"
WRONG = "@task_retry_with_dlq(max_attempts=3)\n@broker.task\n"


@pytest.fixture
def application(tmp_path: Path) -> Path:
    shutil.copytree(APPLICATION, tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def break_order(root: Path, module: str) -> None:
    file = root / "app" / "tasks" / f"{module}.py"
    assert RIGHT in file.read_text()
    file.write_text(file.read_text().replace(RIGHT, WRONG))


def found(root: Path) -> list[Finding]:
    return [item for item in task_decorator_order.detect(Source.read(root)) if isinstance(item, Finding)]


def write(root: Path, text: str, name: str = "jobs.py") -> Path:
    (root / name).write_text(text)
    return root


def test_the_healthy_pipeline_has_no_finding(application: Path) -> None:
    assert found(application) == []


def test_both_sites_of_the_incident_are_found_and_named_as_the_queue_names_them(application: Path) -> None:
    break_order(application, "scoring")
    break_order(application, "extraction")
    extraction, scoring = found(application)
    assert scoring.resource.key == "task:app.tasks.scoring.score_message_task"
    assert extraction.resource.key == "task:app.tasks.extraction.extract_knowledge_from_messages_task"
    for finding in (extraction, scoring):
        assert (finding.severity, finding.role, finding.stage) == (Severity.ERROR, Role.CAUSE, None)
        assert "functools.wraps does not carry .kiq" in finding.rule


def test_the_evidence_shows_both_lines_the_wrapper_and_the_enqueue(application: Path) -> None:
    break_order(application, "scoring")
    (finding,) = found(application)
    texts = [evidence.text for evidence in finding.evidence]
    sources = [evidence.source for evidence in finding.evidence]
    line = (application / "app/tasks/scoring.py").read_text().splitlines().index(WRONG.splitlines()[0]) + 1
    assert texts[:2] == WRONG.splitlines()
    assert sources[:2] == [f"app/tasks/scoring.py:{line}", f"app/tasks/scoring.py:{line + 1}"]
    assert "score_message_task.kiq(" in texts[2]
    assert sources[2].startswith("app/tasks/ingestion.py:")
    assert sources[3].startswith("app/retry.py:")
    assert finding.resource.location == f"app/tasks/scoring.py:{line}"


def test_the_enqueuing_function_is_related_but_not_as_a_task(application: Path) -> None:
    break_order(application, "scoring")
    (finding,) = found(application)
    assert [resource.key for resource in finding.related] == ["code:app.tasks.ingestion.queue_scoring"]


def test_the_fingerprint_survives_moved_lines(application: Path) -> None:
    break_order(application, "scoring")
    (before,) = found(application)
    file = application / "app/tasks/scoring.py"
    file.write_text("# a new first line\n\n" + file.read_text())
    (after,) = found(application)
    assert before.fingerprint == after.fingerprint
    assert before.resource.line != after.resource.line


def test_the_fix_is_safe_because_the_wrapper_keeps_the_name(application: Path) -> None:
    break_order(application, "scoring")
    (finding,) = found(application)
    option = finding.recommended_fix
    assert option is not None
    assert (option.fix, option.applicability) == ("swap-decorators", Applicability.SAFE)
    assert option.arguments["path"] == "app/tasks/scoring.py"
    assert option.arguments["function"] == "score_message_task"


WRAPPER_WITHOUT_WRAPS = (
    "from celery import shared_task\n\n"
    "def timed(function):\n    def run(*args):\n        return function(*args)\n    return run\n\n"
)


def test_the_fix_is_unsafe_when_the_task_would_change_its_name(tmp_path: Path) -> None:
    (finding,) = found(write(tmp_path, WRAPPER_WITHOUT_WRAPS + "@timed\n@shared_task\ndef job(): ...\n"))
    assert finding.fixes[0].applicability is Applicability.UNSAFE


def test_the_fix_is_safe_when_the_registrar_names_the_task(tmp_path: Path) -> None:
    (finding,) = found(write(tmp_path, WRAPPER_WITHOUT_WRAPS + "@timed\n@shared_task(name='job')\ndef job(): ...\n"))
    assert finding.fixes[0].applicability is Applicability.SAFE


def test_a_task_that_nobody_enqueues_is_a_warning(tmp_path: Path) -> None:
    (finding,) = found(write(tmp_path, WRAPPER_WITHOUT_WRAPS + "@timed\n@shared_task\ndef job(): ...\n"))
    assert finding.severity is Severity.WARNING


def test_one_finding_however_many_decorators_and_sites(tmp_path: Path) -> None:
    text = (
        "from functools import lru_cache\nfrom tenacity import retry\nfrom celery import shared_task\n"
        "@retry\n@lru_cache\n@shared_task\ndef job(): ...\n"
        "def one(): job.delay()\ndef two(): job.apply_async()\n"
    )
    (finding,) = found(write(tmp_path, text))
    assert [resource.id for resource in finding.related] == ["jobs.one", "jobs.two"]


def test_an_unknown_decorator_alone_is_not_reported(tmp_path: Path) -> None:
    text = "from celery import shared_task\nfrom elsewhere import traced\n@traced\n@shared_task\ndef job(): ...\n"
    assert found(write(tmp_path, text)) == []


def test_a_second_registrar_on_top_keeps_the_name_a_task(tmp_path: Path) -> None:
    text = (
        "from celery import Celery, shared_task\nfrom tenacity import retry\napp = Celery()\n"
        "@app.task\n@retry\n@shared_task\ndef job(): ...\n"
    )
    assert found(write(tmp_path, text)) == []


@pytest.mark.parametrize(
    "decorator",
    [
        "@tenacity.retry(stop=1)",
        "@backoff.on_exception(backoff.expo, Exception)",
        "@functools.lru_cache(maxsize=None)",
        "@functools.cache",
        "@asgiref.sync.async_to_sync",
        "@transaction.atomic",
    ],
)
def test_opaque_decorators_of_libraries_are_known(tmp_path: Path, decorator: str) -> None:
    text = (
        "import asgiref.sync\nimport backoff\nimport functools\nimport tenacity\nfrom celery import shared_task\n"
        f"from django.db import transaction\n\n{decorator}\n@shared_task\ndef job(): ...\n"
    )
    assert len(found(write(tmp_path, text))) == 1


def test_with_huey_it_is_an_info_because_a_call_still_enqueues(tmp_path: Path) -> None:
    text = (
        "from huey import RedisHuey\nfrom tenacity import retry\nq = RedisHuey()\n"
        "@retry\n@q.task()\ndef job(): ...\ndef send():\n    job()\n"
    )
    (finding,) = found(write(tmp_path, text))
    assert (finding.severity, finding.role) == (Severity.INFO, Role.ADVICE)
    assert finding.fixes[0].applicability is Applicability.UNSAFE


LOOKS = ("NAT001", "NAT002", "NAT004", "TSK001", "TSK003", "TSK012")
SENDS = "import asyncio\n\nfrom app.ingestion import save\n\nasyncio.run(save(1))\n"
STARTS = {"app/main.py": "from .broker import broker\n\n\nasync def start():\n    await broker.startup()\n"}


def runs(root: Path) -> str:
    """Run the code that sends, and return how it fails."""
    return subprocess.run([sys.executable, "-c", SENDS], cwd=root, capture_output=True, text=True, check=False).stderr


def sending(files: dict[str, str]) -> dict[str, str]:
    """Give an example what it needs to run: an address, which nobody connects to, and a start."""
    broker = files["app/broker.py"].replace("Broker()", 'Broker("nats://127.0.0.1:1")')
    return {**files, **STARTS, "app/broker.py": broker}


@pytest.mark.symptom("14")
async def test_no_attribute_kiq_is_the_order_of_the_decorators(tmp_path: Path, published, ask_all, told) -> None:
    results = await ask_all(sending(task_decorator_order.bad[0].files), LOOKS)
    assert "'function' object has no attribute 'kiq'" in runs(tmp_path)
    told(results)


@pytest.mark.variation("14", "TSK003")
async def test_no_attribute_kiq_of_a_function_without_a_decorator_is_no_task(tmp_path: Path, ask_all, told) -> None:
    files = sending(task_decorator_order.good[0].files)
    results = await ask_all({**files, "app/tasks.py": "async def score(message_id: int) -> None: ...\n"}, LOOKS)
    assert "'function' object has no attribute 'kiq'" in runs(tmp_path)
    told(results)

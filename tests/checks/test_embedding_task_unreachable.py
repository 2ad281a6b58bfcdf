"""TSK005 on the project's own pipeline, and the code that it offers: pasted, it mends the chain and never fails it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

import doctor.pipeline
from doctor.api import Applicability, Finding, Source
from doctor.checks.embedding_task_unreachable import embedding_task_unreachable
from doctor.checks.enqueue_error_swallowed import enqueue_error_swallowed

APPLICATION = Path(doctor.pipeline.__file__).parent / "app"
EXTRACTION = "app/tasks/extraction.py"
CALL = "    await queue_embeddings(extraction)\n"


@pytest.fixture
def application(tmp_path: Path) -> Path:
    shutil.copytree(APPLICATION, tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def found(root: Path) -> list[Finding]:
    return list(embedding_task_unreachable.detect(Source.read(root)))


def edit(root: Path, old: str, new: str) -> None:
    file = root / EXTRACTION
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def paste(root: Path, finding: Finding) -> None:
    """Do by hand what the option says: put its code behind the line that it names."""
    option = finding.fixes[-1]
    path, _, line = option.title.rpartition(" ")[2].partition(":")
    lines = (root / path).read_text().splitlines(keepends=True)
    lines.insert(int(line), option.code)
    (root / path).write_text("".join(lines))


def test_the_healthy_pipeline_has_no_finding(application: Path) -> None:
    assert found(application) == []


def test_each_task_is_mended_by_pasting_its_code(application: Path) -> None:
    edit(application, CALL, "")
    atoms, messages = found(application)
    option = atoms.fixes[-1]
    assert option.applicability is Applicability.MANUAL
    assert option.title.startswith("enqueue `embed_atoms_batch_task` at the end of `extract_knowledge")
    assert "from app.tasks.embedding import embed_atoms_batch_task" in option.code
    assert "embed_atoms_batch_task.kiq(ids_of_the_new_atoms)" in option.code
    assert ", as app/" in option.code
    paste(application, atoms)
    paste(application, messages)
    assert found(application) == []
    assert list(enqueue_error_swallowed.detect(Source.read(application))) == []


def test_the_function_that_enqueues_and_that_nothing_calls_is_named(application: Path) -> None:
    edit(application, CALL, "")
    for finding in found(application):
        assert finding.symptom.endswith("; `queue_embeddings` does, and nothing calls it")
        assert finding.recommended_fix is finding.fixes[0]
        assert finding.fixes[0].title.startswith("call `queue_embeddings` (app/tasks/extraction.py) at")
        assert "at the end of `extract_knowledge_from_messages_task`" in finding.fixes[0].title


QUEUE = """\
from {library}


class broker:
    pass


{registrar}
def embed(ids): ...


{registrar}
{kind} end(text):
    {body}


{registrar}
{kind} begin(text):
    {send}
"""
LIBRARIES = {
    "taskiq": ("taskiq import InMemoryBroker\n\nbroker = InMemoryBroker()", "@broker.task", "async def", "kiq"),
    "taskiq, not async": ("taskiq import InMemoryBroker\n\nbroker = InMemoryBroker()", "@broker.task", "def", "kiq"),
    "celery": ("celery import shared_task", "@shared_task", "def", "delay"),
    "dramatiq": ("dramatiq import actor", "@actor", "def", "send"),
}
BODIES = {"pass": "pass", "a return": "x = text\n    return x", "a block": "if text:\n        print(text)"}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize(("imports", "registrar", "kind", "verb"), LIBRARIES.values(), ids=LIBRARIES)
def test_the_code_fits_the_queue_and_never_fails_the_task(
    tmp_path: Path, imports: str, registrar: str, kind: str, verb: str, body: str
) -> None:
    send = f"await end.{verb}(text)" if kind == "async def" else f"end.{verb}(text)"
    text = QUEUE.replace("class broker:\n    pass\n\n\n", "").format(
        library=imports, registrar=registrar, kind=kind, body=body, send=send
    )
    (tmp_path / "jobs.py").write_text(text)
    (finding,) = found(tmp_path)
    paste(tmp_path, finding)
    assert found(tmp_path) == []
    pasted = (tmp_path / "jobs.py").read_text()
    functions = pasted.partition("\n\n\n")[2].replace(registrar, "")  # the plain functions, without any queue
    recorded: list[str] = []

    async def record_later(task: str, error: Exception) -> None:
        recorded.append(task)

    namespace: dict = {
        "ids_of_the_new_rows": [1],
        "record_the_failed_enqueue": record_later if kind == "async def" else lambda task, error: recorded.append(task),
    }
    exec(compile(functions, "jobs.py", "exec"), namespace)
    outcome = namespace["end"]("x")
    if kind == "async def":
        outcome = asyncio.run(outcome)
    assert recorded == ["embed"]
    assert outcome == ("x" if "return" in body else None)

"""A copy of the application runs as the top-level package ``app``: its own API and worker processes, end to end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

import doctor.pipeline.app

from .servers import free_port, wait_until

SOURCE = Path(doctor.pipeline.app.__file__).parent


@dataclass
class Copy:
    """A folder with a copy of the application, and the processes that run from it."""

    folder: Path
    environment: dict[str, str]
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def run(self, name: str, *arguments: str) -> None:
        """Start ``python -m …`` in the folder; its output goes to a log file."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *arguments], cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )

    def run_worker(self) -> None:
        self.run("worker", "taskiq", "worker", "app.broker:broker", "app.tasks", "--workers", "1")

    def stop(self, name: str) -> None:
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        process.wait(60)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def value(self, statement: str) -> Any:
        with psycopg.connect(self.environment["DATABASE_URL"]) as database:
            row = database.execute(statement).fetchone()  # type: ignore[call-overload]
        assert row is not None
        return row[0]

    def replace(self, path: str, old: str, new: str) -> None:
        file = self.folder / "app" / path
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1
        file.write_text(text.replace(old, new), encoding="utf-8")

    def send(self, http: httpx.Client, number: int, chat_id: int, text: str) -> None:
        message = {"message_id": number, "chat": {"id": chat_id}, "date": 1_760_000_000, "text": text}
        answer = http.post("/webhook/telegram", json={"update_id": number, "message": message})
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def copy(
    environment: dict[str, str], second_nats: Any, model_server: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Copy]:
    model_server.reset()
    address, _, _ = environment["DATABASE_URL"].rpartition("/")
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as database:
        database.execute("CREATE DATABASE copy")
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(SOURCE, folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
    own = {"DATABASE_URL": f"{address}/copy", "NATS_URL": f"nats://127.0.0.1:{second_nats.port}"}
    # As it would be deployed: nothing of the surroundings but the path.
    variables = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"} | environment | own
    port = free_port()
    running = Copy(folder, variables, port)
    for _ in range(2):  # applying the schema again changes nothing
        subprocess.run([sys.executable, "-m", "app.schema"], cwd=folder, env=variables, check=True, capture_output=True)
    running.run("api", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", str(port))
    running.run_worker()
    yield running
    for name in list(running.processes):
        running.stop(name)


@pytest.fixture
def http(copy: Copy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{copy.port}", timeout=10) as client:

        def healthy() -> bool:
            try:
                return client.get("/health").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(healthy, copy.log("api"))
        yield client


def configure(http: httpx.Client, model_url: str) -> None:
    """Configure the extraction agent through the API."""
    provider = http.post("/api/v1/providers", json={"name": "local", "type": "ollama", "base_url": model_url})
    body = {
        "name": "knowledge_extractor",
        "provider_id": provider.json()["id"],
        "model_name": "chat",
        "system_prompt": "Extract knowledge.",
    }
    assert http.post("/api/v1/agent_configs", json=body).status_code == 201


def test_fifteen_messages_become_topics_vectors_and_search_results(
    copy: Copy, http: httpx.Client, model_server: Any
) -> None:
    configure(http, model_server.url)
    for number in range(15):
        copy.send(http, number, 7, f"The index {number} of the search is broken, because nobody rebuilt it")
    wait_until(lambda: copy.value("SELECT count(*) FROM messages WHERE topic_id IS NOT NULL") >= 9, "topics")
    wait_until(
        lambda: (
            copy.value(
                "SELECT count(*) FROM messages m JOIN extractions e ON e.id = m.extraction_id WHERE m.embedding IS NULL"
            )
            == 0
            and copy.value("SELECT count(embedding) FROM atoms") == 3
        ),
        "vectors",
    )
    body = {"query": "The index 3 of the search is broken, because nobody rebuilt it", "threshold": 0.9}
    (first, *_) = http.post("/api/v1/semantic_search/messages", json=body).json()["results"]
    assert first["content"] == body["query"]
    assert copy.value("SELECT count(*) FROM failed_tasks") == 0
    assert copy.value("SELECT min(task) FROM task_executions").startswith("app.tasks.")
    assert "Threshold reached (1" in copy.log("worker")


def test_what_was_accepted_survives_a_worker_that_dies_and_a_queue_that_restarts(
    copy: Copy, http: httpx.Client, second_nats: Any
) -> None:
    copy.stop("worker")
    for number in range(3):
        copy.send(http, number, 8, f"Waiting {number}")
    second_nats.stop()
    second_nats.start()
    copy.run_worker()
    wait_until(lambda: copy.value("SELECT count(importance_score) FROM messages WHERE chat_id = 8") == 3, "scores")
    second_nats.stop()
    second_nats.start()
    wait_until(lambda: http.get("/health").status_code == 200, "health")
    copy.send(http, 9, 8, "After the restart")
    wait_until(
        lambda: copy.value("SELECT count(importance_score) FROM messages WHERE chat_id = 8") == 4, "the last score"
    )


def test_with_the_decorators_swapped_the_failure_is_logged_and_left_as_a_failed_task(
    copy: Copy, http: httpx.Client
) -> None:
    right = "@broker.task\n@task_retry_with_dlq(max_attempts=3)\nasync def score_message_task"
    wrong = "@task_retry_with_dlq(max_attempts=3)\n@broker.task\nasync def score_message_task"
    copy.replace("tasks/scoring.py", right, wrong)
    copy.stop("worker")
    copy.run_worker()
    copy.send(http, 1, 9, "Nothing will score this")
    failed = "SELECT count(*) FROM failed_tasks WHERE task = 'app.tasks.scoring:score_message_task'"
    wait_until(lambda: copy.value(failed) == 1, "failed task")
    assert "Failed to queue scoring task: 'function' object has no attribute 'kiq'" in copy.log("worker")
    assert copy.value("SELECT count(*) FROM failed_tasks") == 1
    copy.replace("tasks/scoring.py", wrong, right)
    copy.stop("worker")
    copy.run_worker()
    copy.send(http, 1, 9, "Nothing will score this")  # Telegram's redelivery
    wait_until(lambda: copy.value("SELECT count(*) FROM failed_tasks") == 0, "the dead letter of work that is done")
    assert copy.value("SELECT count(importance_score) FROM messages WHERE chat_id = 9") == 1


def test_a_worker_that_finds_no_queue_still_stops_when_it_is_told_to(copy: Copy) -> None:
    alone = Copy(copy.folder, copy.environment | {"NATS_URL": f"nats://127.0.0.1:{free_port()}"}, copy.port)
    alone.run("lonely", "taskiq", "worker", "app.broker:broker", "app.tasks", "--workers", "1")
    wait_until(lambda: "NATS connection: " in alone.log("lonely"), "the complaint")
    process = alone.processes["lonely"]
    alone.stop("lonely")
    assert process.returncode == 0


def test_every_import_of_the_application_is_relative() -> None:
    for file in SOURCE.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert "import doctor" not in text, file
        assert "from doctor" not in text, file

"""Real servers for the application: PostgreSQL and NATS from the wheels, and an HTTP stand-in for the model server.

The application runs inside the test process, on its own loopback port, with its own pool and its own connection to
JetStream; ``Pipeline.work`` runs what is queued, as a worker would.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import pytest_asyncio

from .model_stand_in import DIMENSIONS, Models, serving
from .servers import Server, dsn, free_port, nats_server, postgres_server

SYSTEM_PROMPT = "You extract knowledge from messages."
TABLES = "llm_providers, agent_configs, extractions, topics, messages, atoms, atom_links, task_executions, failed_tasks"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all tests of this folder: the application's pool and its connections live on it."""
    here = Path(__file__).parent
    for item in items:
        if (
            here in item.path.parents
            and isinstance(item, pytest.Function)
            and inspect.iscoroutinefunction(item.function)
        ):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = postgres_server(tmp_path_factory.mktemp("postgres") / "data")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = nats_server(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def second_nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A queue of its own for a copy of the application with a worker."""
    server = nats_server(tmp_path_factory.mktemp("second-nats"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def model_server() -> Iterator[Models]:
    with serving() as models:
        yield models


@pytest.fixture(scope="session")
def environment(postgres: Server, nats: Server, model_server: Models) -> dict[str, str]:
    """The variables that a copy of the application needs; short times, so that failures end soon."""
    return {
        "DATABASE_URL": dsn(postgres.port),
        "NATS_URL": f"nats://127.0.0.1:{nats.port}",
        "OLLAMA_HOST": model_server.url,
        "OLLAMA_EMBEDDING_MODEL": "nomic-embed-text",
        "EMBEDDING_DIMENSIONS": str(DIMENSIONS),
        "TASK_RETRY_DELAY_SECONDS": "0.01",
        "MODEL_TIMEOUT_SECONDS": "5",
        "DATABASE_TIMEOUT_SECONDS": "1",
        "WEBHOOK_DEADLINE_SECONDS": "2",
    }


async def eventually(fact: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Poll for a fact without blocking the application, which runs on the same loop."""
    async with asyncio.timeout(seconds):
        while not fact():
            await asyncio.sleep(0.02)
    assert fact(), what


@dataclass
class Pipeline:
    """The running application: HTTP, its database, its queue, and the models behind it."""

    http: httpx.AsyncClient
    database: psycopg.AsyncConnection[dict[str, Any]]
    models: Models
    next_message: int = 1

    async def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        return await (await self.database.execute(statement, values)).fetchall()

    async def value(self, statement: str, *values: object) -> Any:
        (row,) = await self.rows(statement, *values)
        (value,) = row.values()
        return value

    async def agent(self, *, model: str = "chat", fallback: str | None = None, **provider: object) -> None:
        """Configure the extraction agent, through the API."""
        body = {"name": "local", "type": "ollama", "base_url": self.models.url, **provider}
        created = await self.http.post("/api/v1/providers", json=body)
        config = {
            "name": "knowledge_extractor",
            "provider_id": created.json()["id"],
            "model_name": model,
            "fallback_model": fallback,
            "system_prompt": SYSTEM_PROMPT,
        }
        answer = await self.http.post("/api/v1/agent_configs", json=config)
        assert answer.status_code == 201, answer.text

    async def add_messages(
        self, count: int, chat_id: int = 7, *, scored: bool = True, age_hours: float = 0
    ) -> list[int]:
        """Put messages into the table, as if they had come in."""
        ids = []
        for _ in range(count):
            self.next_message += 1
            ids.append(
                await self.value(
                    "INSERT INTO messages (external_id, chat_id, content, importance_score, noise_class, created_at)"
                    " VALUES (%s, %s, %s, %s, %s, now() - %s * interval '1 hour') RETURNING id",
                    f"{chat_id}:{self.next_message}",
                    chat_id,
                    f"Message {self.next_message} about the index of the search",
                    0.5 if scored else None,
                    "signal" if scored else None,
                    age_hours,
                )
            )
        return ids

    async def queued(self) -> int:
        """Count the tasks in the stream: waiting or running."""
        from doctor.pipeline.app.broker import broker

        return (await broker.js.stream_info(broker.stream_name)).state.messages

    @contextlib.asynccontextmanager
    async def refusing_tasks(self) -> AsyncIterator[None]:
        """Have the queue take no tasks for the length of a block, as when its stream is gone."""
        from doctor.pipeline.app.broker import broker

        stream = (await broker.js.stream_info(broker.stream_name)).config
        await broker.js.update_stream(replace(stream, subjects=["elsewhere"]))
        try:
            yield
        finally:
            await broker.js.update_stream(stream)

    async def work(self, limit: int = 1_000) -> list[str]:
        """Run queued tasks one after another until none is left; return their names."""
        from nats.errors import TimeoutError as NothingWaiting
        from taskiq import AckableMessage
        from taskiq.receiver import Receiver

        from doctor.pipeline.app.broker import broker

        receiver = Receiver(broker, max_async_tasks=1, run_startup=False)
        done: list[str] = []
        while len(done) < limit and await self.queued():
            try:
                (message,) = await broker.consumer.fetch(1, timeout=0.5)
            except NothingWaiting:
                break  # what is left waits for its redelivery
            done.append(json.loads(message.data)["task_name"].rpartition(":")[2])
            await receiver.callback(AckableMessage(data=message.data, ack=message.ack_sync))
        return done


def use_settings(environment: dict[str, str]) -> None:
    """Have the application read its settings from these variables, which nobody else gets to see."""
    from doctor.pipeline.app.settings import get_settings

    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        get_settings.cache_clear()
        get_settings()  # they are read once, and kept


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_application(environment: dict[str, str]) -> AsyncIterator[str]:
    """Serve the application on a port of its own; yield its address."""
    import uvicorn

    use_settings(environment)
    from doctor.pipeline.app.broker import broker
    from doctor.pipeline.app.main import app
    from doctor.pipeline.app.schema import apply_schema
    from doctor.pipeline.app.settings import get_settings

    class Embedded(uvicorn.Server):
        def capture_signals(self) -> contextlib.AbstractContextManager[None]:
            return contextlib.nullcontext()  # signals belong to the test runner

    with pytest.MonkeyPatch.context() as patch:
        # The modules may have been imported before the servers had their ports.
        patch.setattr(broker, "servers", environment["NATS_URL"])
        await apply_schema(get_settings())
        port = free_port()
        server = Embedded(uvicorn.Config(app, "127.0.0.1", port, ws="none", log_level="warning"))
        serve = asyncio.create_task(server.serve())
        await eventually(lambda: server.started, "the application")
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        await serve
    get_settings.cache_clear()


@pytest_asyncio.fixture(loop_scope="session")
async def pipeline(
    running_application: str, environment: dict[str, str], model_server: Models
) -> AsyncIterator[Pipeline]:
    """A clean application: empty tables, an empty queue, the models as they come."""
    from psycopg.rows import dict_row

    from doctor.pipeline.app.broker import broker

    model_server.reset()
    await broker.js.purge_stream(broker.stream_name)
    async with (
        await psycopg.AsyncConnection.connect(
            environment["DATABASE_URL"], autocommit=True, row_factory=dict_row
        ) as database,
        httpx.AsyncClient(base_url=running_application, timeout=15) as http,
    ):
        await database.execute(f"TRUNCATE {TABLES} RESTART IDENTITY CASCADE")
        yield Pipeline(http, database, model_server)


@pytest.fixture
def settings(environment: dict[str, str]) -> Iterator[Callable[..., None]]:
    """Change settings for one test: ``settings(api_token="x")``; a second call starts from the usual ones again."""

    def change(**values: object) -> None:
        use_settings(environment | {name.upper(): str(value) for name, value in values.items()})

    yield change
    use_settings(environment)


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    """The application's log lines of this test, without time and place."""
    from loguru import logger

    lines: list[str] = []
    handler = logger.add(lambda message: lines.append(message.record["message"]), level="DEBUG")
    yield lines
    logger.remove(handler)

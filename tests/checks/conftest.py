"""One real pipeline for the checks that look at a running one; each test gets it healthy and without rows."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import nats
import pytest
from taskiq import AsyncBroker
from taskiq_nats import PullBasedJetStreamBroker

from doctor.commands.output import registry
from doctor.model import CheckResult, Finding
from doctor.pipeline.sandbox.binaries import nats_server
from doctor.pipeline.sandbox.ports import free_port
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.runner import run_checks
from doctor.target import Target
from tests.checks.model_target import Look, Seen

RESET = (
    "TRUNCATE messages, topics, atoms, atom_links, extractions, failed_tasks, agent_configs CASCADE",
    "UPDATE llm_providers SET is_active = true, validation_status = 'connected', api_key_env = NULL",
    """
    INSERT INTO agent_configs (name, provider_id, model_name, system_prompt)
    SELECT 'knowledge_extractor', id, 'qwen2:7b-instruct-q4_K_M', 'Invent nothing.' FROM llm_providers
    """,
)

Examine = Callable[..., CheckResult]

QUEUES = ("NAT", "WRK", "TSK")
"""Families of checks that look at tasks and the queue they go through."""


@pytest.fixture(scope="session")
def examined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    made = Sandbox.create(tmp_path_factory.mktemp("examined") / "sandbox", name="examined")
    made.up(with_parent=True)
    yield made
    made.down(keep_data=False)


@pytest.fixture
def pipeline(examined: Sandbox) -> Sandbox:
    """The sandbox with one provider, one active agent, and no messages."""
    with examined.connect() as connection:
        for statement in RESET:
            connection.execute(statement)
    return examined


@pytest.fixture
def execute(pipeline: Sandbox) -> Callable[..., None]:
    """Run statements on the pipeline's database."""

    def run(*statements: str) -> None:
        with pipeline.connect() as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]

    return run


@pytest.fixture
def examine_all(pipeline: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[CheckResult, ...]]:
    """Run these checks, and what must pass before them; keywords are variables of the environment."""

    def run(*codes: str, **variables: str) -> tuple[CheckResult, ...]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        checks = registry().checks.values()
        wanted = [check for check in checks if check.code in (*codes, "NAT002") or check.guards]

        async def work() -> tuple[CheckResult, ...]:
            async with Target.at(pipeline.directory) as target:
                return await run_checks(wanted, target)

        return asyncio.run(work())

    return run


@pytest.fixture
def examine(examine_all: Callable[..., tuple[CheckResult, ...]]) -> Examine:
    """Run one check, and what must pass before it; keywords are variables of the environment."""

    def run(code: str, **variables: str) -> CheckResult:
        return next(result for result in examine_all(code, **variables) if result.code == code)

    return run


@dataclass(frozen=True)
class QueueServer:
    """A real NATS server with JetStream and its monitoring pages, without anything of a pipeline."""

    url: str
    monitoring: str


@pytest.fixture(scope="session")
def queue_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QueueServer]:
    folder, port, pages = tmp_path_factory.mktemp("queue"), free_port(), free_port()
    log = folder / "nats.log"
    command = [str(nats_server()), "--addr", "127.0.0.1", "--port", str(port), "--http_port", str(pages)]
    command += ["--jetstream", "--store_dir", str(folder), "--log", str(log)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while "Server is ready" not in (log.read_text() if log.exists() else ""):
            assert process.poll() is None, "nats-server has ended"
        yield QueueServer(f"nats://127.0.0.1:{port}", f"http://127.0.0.1:{pages}")
        process.terminate()


@pytest.fixture
async def jetstream(queue_server: QueueServer) -> AsyncIterator[nats.js.JetStreamContext]:
    """The library's own view of the server, to make streams with; all of them are gone afterwards."""
    client = await nats.connect(queue_server.url)
    context = client.jetstream()
    yield context
    for stream in await context.streams_info():
        assert stream.config.name is not None
        await context.delete_stream(stream.config.name)
    await client.close()


@pytest.fixture
async def published(queue_server: QueueServer, jetstream: nats.js.JetStreamContext) -> PullBasedJetStreamBroker:
    """Three tasks in the stream of taskiq-nats, and its consumer, for which nobody asks."""
    broker = PullBasedJetStreamBroker(queue_server.url)
    await broker.startup()
    await publish(broker)
    await broker.shutdown()
    return broker


async def publish(broker: AsyncBroker, count: int = 3) -> None:
    task = broker.register_task(_task, task_name="app.jobs:job")
    for _ in range(count):
        await task.kiq()


async def _task() -> None: ...


@pytest.fixture
async def listening(
    queue_server: QueueServer, jetstream: nats.js.JetStreamContext
) -> AsyncIterator[Callable[..., object]]:
    """Let a broker listen as a worker does, and never acknowledge."""
    brokers, tasks = [], []

    async def start(**settings: object) -> PullBasedJetStreamBroker:
        broker = PullBasedJetStreamBroker(queue_server.url, **settings)

        async def take() -> None:
            async for _ in broker.listen():
                pass

        await broker.startup()
        brokers.append(broker)
        tasks.append(asyncio.create_task(take()))
        return broker

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for broker in brokers:
        await broker.shutdown()


AskAll = Callable[..., Awaitable[tuple[CheckResult, ...]]]
Ask = Callable[..., Awaitable[CheckResult]]


@pytest.fixture
def ask_all(queue_server: QueueServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AskAll:
    """Run all checks of queues and tasks, or those that are named, on source files that use the bare server."""
    monkeypatch.setenv("NATS_URL", queue_server.url)
    monkeypatch.setenv("NATS_MONITORING_URL", queue_server.monitoring)

    async def run(
        files: dict[str, str] | None = None, codes: Collection[str] = (), **variables: str
    ) -> tuple[CheckResult, ...]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        for path, text in (files or {}).items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        checks = registry().checks.values()
        wanted = [each for each in checks if (each.code in codes if codes else each.code.startswith(QUEUES))]
        async with Target.at(tmp_path, keeps_facts=False) as target:
            return await run_checks(wanted, target)

    return run


@pytest.fixture
def ask(ask_all: AskAll) -> Ask:
    """Run one check, and what must pass before it, on a target of source files that uses the bare server."""

    async def run(code: str, files: dict[str, str] | None = None, **variables: str) -> CheckResult:
        wanted = {code, "NAT001", *registry().checks[code].after}
        results = await ask_all(files, wanted, **variables)
        return next(result for result in results if result.code == code)

    return run


@pytest.fixture
def models_url(pipeline) -> str:
    return str(pipeline.environment()["OLLAMA_HOST"])


@pytest.fixture
def look(pipeline, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Run all checks of models, with ``probing`` those too that let one answer."""

    def run(probing: bool = False, **variables: str) -> Seen:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        live = [check for check in registry().checks.values() if check.code.startswith("MOD") and "live" in check.tags]
        wanted = [check for check in live if probing or "probe" not in check.tags]

        async def work() -> tuple[CheckResult, ...]:
            async with Target.at(pipeline.directory) as target:
                return await run_checks(wanted, target)

        return Seen(asyncio.run(work()))

    return run


@pytest.fixture
def provider(execute, models_url: str) -> Iterator[Callable[..., None]]:
    """Point the one provider at a path of the stand-ins, as OpenAI-compatible, and the agent at a model."""

    def point(path: str, model: str, key_env: str | None = None, fallback: str | None = None) -> None:
        url = path if "://" in path else f"{models_url}{path}"
        key = "NULL" if key_env is None else f"'{key_env}'"
        spare = "NULL" if fallback is None else f"'{fallback}'"
        execute(
            f"UPDATE llm_providers SET type = 'openai', base_url = '{url}', api_key_env = {key}",
            f"UPDATE agent_configs SET model_name = '{model}', fallback_model = {spare}",
        )

    yield point
    execute("UPDATE llm_providers SET type = 'ollama', base_url = NULL, api_key_env = NULL")


@pytest.fixture
def behave(models_url: str) -> Iterator[Callable[..., None]]:
    """Let the stand-ins of models misbehave until the test is over."""
    with httpx.Client(base_url=models_url, trust_env=False) as client:

        def put(**behaviour: Any) -> None:
            client.put("/_stand_in/behaviour", json=behaviour).raise_for_status()

        yield put
        client.delete("/_stand_in/behaviour").raise_for_status()


@pytest.fixture
def misbehave(behave: Callable[..., None]) -> Callable[..., None]:
    """Let them misbehave by one rule."""
    return lambda **rule: behave(rules=[rule])


def the_finding(result: CheckResult) -> Finding:
    """Return the only finding of a result."""
    assert len(result.findings) == 1, result
    return result.findings[0]


def ruled_out(result: CheckResult) -> set[str]:
    """Return the hypotheses that a result refutes."""
    return {observation.rules_out for observation in result.observations} - {""}

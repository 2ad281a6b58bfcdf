"""One real pipeline for the checks that look at a running one; each test gets it healthy and without rows."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nats
import pytest

from doctor.commands.output import registry
from doctor.model import CheckResult, Finding
from doctor.pipeline.sandbox.binaries import nats_server
from doctor.pipeline.sandbox.ports import free_port
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.runner import run_checks
from doctor.target import Target

RESET = (
    "TRUNCATE messages, topics, atoms, atom_links, extractions, failed_tasks, agent_configs CASCADE",
    "UPDATE llm_providers SET is_active = true, validation_status = 'connected', api_key_env = NULL",
    """
    INSERT INTO agent_configs (name, provider_id, model_name, system_prompt)
    SELECT 'knowledge_extractor', id, 'qwen2:7b-instruct-q4_K_M', 'Invent nothing.' FROM llm_providers
    """,
)

Examine = Callable[..., CheckResult]


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
def examine(pipeline: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Run one check, and what must pass before it; keywords are variables of the environment."""

    def run(code: str, **variables: str) -> CheckResult:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        checks = registry().checks
        wanted = [check for check in checks.values() if check.code == code or check.guards or check.code == "NAT002"]

        async def work() -> CheckResult:
            async with Target.at(pipeline.directory) as target:
                results = await run_checks(wanted, target)
            return next(result for result in results if result.code == code)

        return asyncio.run(work())

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


Ask = Callable[..., Awaitable[CheckResult]]


@pytest.fixture
def ask(queue_server: QueueServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Run one check, and what must pass before it, on a target of source files that uses the bare server."""
    monkeypatch.setenv("NATS_URL", queue_server.url)
    monkeypatch.setenv("NATS_MONITORING_URL", queue_server.monitoring)

    async def run(code: str, files: dict[str, str] | None = None, **variables: str) -> CheckResult:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        for path, text in (files or {}).items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        checks = registry().checks
        wanted = {code, "NAT001", *checks[code].after}
        async with Target.at(tmp_path, keeps_facts=False) as target:
            results = await run_checks([check for check in checks.values() if check.code in wanted], target)
        return next(result for result in results if result.code == code)

    return run


def the_finding(result: CheckResult) -> Finding:
    """Return the only finding of a result."""
    assert len(result.findings) == 1, result
    return result.findings[0]


def ruled_out(result: CheckResult) -> set[str]:
    """Return the hypotheses that a result refutes."""
    return {observation.rules_out for observation in result.observations} - {""}

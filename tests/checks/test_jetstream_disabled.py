"""A NATS server without JetStream answers, and holds no task."""

from __future__ import annotations

import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import nats
import pytest

from doctor.commands.probe import _canary
from doctor.model import Severity, Status
from doctor.pipeline.sandbox.binaries import nats_server
from doctor.pipeline.sandbox.ports import free_port
from doctor.probe import Answer, probe
from doctor.target import Target
from tests.checks.conftest import Ask, the_finding

PLAIN = "from taskiq_nats import NatsBroker\n\nbroker = NatsBroker(queue='workers')\n"
PULL = "from taskiq_nats import PullBasedJetStreamBroker\n\nbroker = PullBasedJetStreamBroker()\n"


@pytest.fixture
def plain_nats(tmp_path: Path):
    port, log = free_port(), tmp_path / "nats.log"
    command = [str(nats_server()), "--addr", "127.0.0.1", "--port", str(port), "--log", str(log)]
    command += ["--http_port", str(free_port())]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while "Server is ready" not in (log.read_text() if log.exists() else ""):
            assert process.poll() is None, "nats-server has ended"
        yield f"nats://127.0.0.1:{port}"
        process.terminate()


@pytest.mark.symptom("22")
def test_a_server_without_jetstream_is_named_though_its_health_page_is_green(plain_nats, examine_all, tmp_path, told):
    answer = httpx.get(f"{pages(tmp_path)}/healthz?js-enabled-only=true", trust_env=False)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    results = examine_all("NAT002", NATS_URL=plain_nats)
    told(results)
    (finding,) = next(result for result in results if result.code == "NAT002").findings
    assert finding.severity is Severity.CRITICAL


def test_what_needs_a_stream_is_blocked_by_it(plain_nats, examine):
    for code in ("WRK001", "CHN001"):
        result = examine(code, NATS_URL=plain_nats)
        assert (result.status, result.blocked_by) == (Status.SKIP, "NAT002")


@pytest.mark.variation("22", None)
def test_a_server_with_jetstream_passes(examine, told):
    result = examine("NAT002")
    told([result])
    assert result.status is Status.PASS


def pages(folder: Path) -> str:
    """Return where the monitoring pages of the server are."""
    port = re.search(r"Starting http monitor on 127\.0\.0\.1:(\d+)", (folder / "nats.log").read_text())
    assert port is not None
    return f"http://127.0.0.1:{port[1]}"


@asynccontextmanager
async def listener(url: str) -> AsyncIterator[None]:
    """Listen as the worker of a broker of plain NATS does."""
    client = await nats.connect(url)
    await client.subscribe("taskiq_tasks", queue="workers")
    await client.flush()
    yield
    await client.close()


async def probed(folder: Path, name: str) -> Answer:
    async with Target.at(folder, keeps_facts=False) as target:
        return await probe(target, name)


async def test_plain_nats_on_purpose_needs_no_jetstream(plain_nats, ask: Ask):
    result = await ask("NAT002", {"app/broker.py": PLAIN}, NATS_URL=plain_nats)
    assert (result.status, result.findings) == (Status.PASS, ())


@pytest.mark.parametrize("code", ["WRK001", "NAT004", "NAT005", "WRK002"])
async def test_on_plain_nats_the_questions_for_a_stream_do_not_arise(plain_nats, ask: Ask, code: str):
    result = await ask(code, {"app/broker.py": PLAIN}, NATS_URL=plain_nats)
    assert (result.status, result.blocked_by) == (Status.SKIP, None)


async def test_a_broker_over_jetstream_needs_it(plain_nats, ask: Ask):
    result = await ask("NAT002", {"app/broker.py": PULL}, NATS_URL=plain_nats)
    assert "runs without JetStream" in the_finding(result).symptom


@pytest.mark.parametrize(("name", "prefix"), [("worker", ""), ("nats", "JetStream; "), ("pipeline", "worker ")])
async def test_a_probe_of_plain_nats_asks_who_listens(plain_nats, ask: Ask, tmp_path, monkeypatch, name, prefix):
    monkeypatch.setenv("NATS_URL", plain_nats)
    monkeypatch.setenv("NATS_MONITORING_URL", pages(tmp_path))
    gone = await probed(tmp_path, name)
    assert (gone.healthy, f"{prefix}nobody listens to `taskiq_tasks`" in gone.words) == (False, True)
    async with listener(plain_nats):
        there = await probed(tmp_path, name)
    assert (there.healthy, f"{prefix}1 listener to `taskiq_tasks`, on plain NATS" in there.words) == (True, True)


@pytest.mark.parametrize("name", ["worker", "nats", "pipeline"])
async def test_a_probe_of_plain_nats_without_the_pages_cannot_tell(plain_nats, tmp_path, monkeypatch, name):
    monkeypatch.setenv("NATS_URL", plain_nats)
    monkeypatch.setenv("NATS_MONITORING_URL", "http://127.0.0.1:1")
    answer = await probed(tmp_path, name)
    assert answer.healthy is None
    assert answer.line.startswith(f"cannot tell {name}: ")


async def canary(folder: Path, seconds: float = 5.0) -> Answer:
    async with Target.at(folder, keeps_facts=False) as target:
        return await _canary(target, await probe(target, "worker"), seconds, seconds)


@pytest.mark.parametrize("server", ["plain_nats", "queue_server"])
async def test_a_canary_over_plain_nats_is_delivered(request, server, tmp_path, monkeypatch):
    """Without JetStream, and with one that holds only results."""
    given = request.getfixturevalue(server)
    url, there = (given, pages(tmp_path)) if server == "plain_nats" else (given.url, given.monitoring)
    monkeypatch.setenv("NATS_URL", url)
    monkeypatch.setenv("NATS_MONITORING_URL", there)
    async with listener(url):
        answer = await canary(tmp_path)
        assert (answer.healthy, "; canary delivered in " in answer.words) == (True, True), answer.words
    gone = await canary(tmp_path, 0.1)
    assert (gone.healthy, "delivered to nobody within 0.1 s" in gone.words) == (False, True), gone.words
    monkeypatch.setenv("NATS_MONITORING_URL", "http://127.0.0.1:1")
    assert (await canary(tmp_path)).healthy is False


async def test_with_jetstream_for_results_only_a_worker_of_plain_nats_is_seen(
    queue_server, ask: Ask, jetstream, tmp_path
):
    assert (await probed(tmp_path, "worker")).words == "no stream carries `taskiq_tasks`"
    async with listener(queue_server.url):
        assert (await probed(tmp_path, "worker")).healthy

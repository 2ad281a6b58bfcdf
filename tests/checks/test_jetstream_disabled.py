"""A NATS server without JetStream answers, and holds no task."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import httpx
import pytest

from doctor.model import Severity, Status
from doctor.pipeline.sandbox.binaries import nats_server
from doctor.pipeline.sandbox.ports import free_port


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


def test_a_server_without_jetstream_is_named(plain_nats, examine):
    result = examine("NAT002", NATS_URL=plain_nats)
    assert result.status is Status.FAIL
    assert "runs without JetStream" in result.findings[0].symptom
    assert result.findings[0].severity is Severity.CRITICAL


def test_its_own_health_page_is_green_all_the_same(plain_nats, tmp_path):
    pages = re.search(r"Starting http monitor on 127\.0\.0\.1:(\d+)", (tmp_path / "nats.log").read_text())
    assert pages is not None
    answer = httpx.get(f"http://127.0.0.1:{pages[1]}/healthz?js-enabled-only=true", trust_env=False)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_what_needs_a_stream_is_blocked_by_it(plain_nats, examine):
    for code in ("WRK001", "CHN001"):
        result = examine(code, NATS_URL=plain_nats)
        assert (result.status, result.blocked_by) == (Status.SKIP, "NAT002")


def test_a_server_with_jetstream_passes(examine):
    assert examine("NAT002").status is Status.PASS

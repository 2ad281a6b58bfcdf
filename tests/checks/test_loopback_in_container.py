"""`localhost` in the variables of a service: what it means there, and when it is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from doctor.check import NotApplicableError
from doctor.commands.output import registry
from doctor.model import Finding
from doctor.resources.environment import Environment
from doctor.source.index import Source

SERVICES = """\
services:
  ollama:
    image: ollama/ollama
    ports: ["11434:11434"]
  api:
    build: .
    ports: ["8000:8000"]
    environment: {variables}
"""


def found(root: Path, variables: str, more: str = "", source: Source | None = None) -> list[Finding]:
    (root / "docker-compose.yml").write_text(SERVICES.format(variables=variables) + more)
    environment = Environment(root, files=(), process_environment={})
    return [item for item in registry().checks["MOD012"].detect(environment, source) if isinstance(item, Finding)]


def test_a_model_server_at_localhost_is_the_container_itself(tmp_path: Path):
    (finding,) = found(tmp_path, '{OLLAMA_HOST: "http://localhost:11434"}')
    assert "service `api` is told by `OLLAMA_HOST` to ask itself" in finding.symptom
    assert "name `ollama`" in finding.fixes[0].title


@pytest.mark.parametrize(
    "name",
    [
        "FRONTEND_URL", "CORS_ORIGINS", "OAUTH_REDIRECT_URI", "NEXT_PUBLIC_API_URL", "VITE_OLLAMA_HOST", "WEB_ORIGIN",
        "AUTH_CALLBACK_URL", "PUBLIC_URL", "SITE_URL", "APP_URL", "ALLOWED_HOSTS", "NEXTAUTH_URL",
        "REACT_APP_OPENAI_BASE_URL", "OPENAI_REDIRECT_BASE_URL",
    ],
)  # fmt: skip
def test_an_address_for_browsers_is_silent(tmp_path: Path, name: str):
    assert found(tmp_path, f'{{{name}: "http://localhost:3000"}}') == []


@pytest.mark.parametrize(
    "name",
    [
        "OLLAMA_BASE_URL", "OPENAI_API_BASE", "POSTGRES_DSN", "NATS_URL", "TASKIQ_BROKER_URL", "REDIS_URL",
        "HF_ENDPOINT", "APP_DATABASE_URL", "LLM_BASE_URL", "QDRANT_URL", "EMBEDDING_ENDPOINT",
    ],
)  # fmt: skip
def test_an_address_that_a_client_connects_to_is_found(tmp_path: Path, name: str):
    assert len(found(tmp_path, f'{{{name}: "http://localhost:3000"}}')) == 1


def test_what_no_service_opens_is_on_the_machine_and_no_password_is_shown(tmp_path: Path):
    (finding,) = found(tmp_path, '["DATABASE_URL=postgresql://app:hunter2@127.0.0.1:5432/app"]')
    assert "name `host.docker.internal`" in finding.fixes[0].title
    assert "hunter2" not in repr(finding)


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ('client = httpx.Client(base_url=os.environ["SCORER_URL"])', 1),
        ("link = f\"<a href={os.environ['SCORER_URL']}>\"", 0),
        ("link = None", 0),
    ],
)
def test_a_name_that_says_nothing_is_judged_by_the_line_that_reads_it(tmp_path: Path, line: str, count: int):
    (tmp_path / "app.py").write_text(f"import os\n\nimport httpx\n\n{line}\n")
    findings = found(tmp_path, '{SCORER_URL: "http://localhost:9000"}', source=Source.read(tmp_path))
    assert [finding.evidence[1].source for finding in findings] == ["app.py:5"] * count


@pytest.mark.parametrize(
    "variables, more",
    [
        ('{OLLAMA_HOST: "http://ollama:11434"}', ""),
        ('{API_URL: "http://localhost:8000"}', ""),
        ('{OLLAMA_HOST: "http://localhost:11434"}', "    network_mode: host\n"),
        ('{NAME: localhost, PORT: 7, BIND: "0.0.0.0:8000", ODD: "http://[::1"}', ""),
        ("{}", ""),
    ],
    ids=["a service's name", "its own port", "the network of the host", "no address", "nothing"],
)
def test_other_addresses_are_silent(tmp_path: Path, variables: str, more: str):
    assert found(tmp_path, variables, more) == []


def test_without_a_compose_file_there_is_no_question(tmp_path: Path):
    (tmp_path / ".git").mkdir()
    with pytest.raises(NotApplicableError):
        list(registry().checks["MOD012"].detect(Environment(tmp_path, files=(), process_environment={})))

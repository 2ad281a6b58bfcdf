"""What is at the address of a model server: the path, the retired one, the vantage point, the port, the guard."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from doctor.model import Status
from doctor.pipeline.sandbox.models.application import HUGGING_FACE, VLLM
from doctor.pipeline.sandbox.ports import free_port
from tests.checks.model_target import CHAT, PLANTED, Look, hugging_face


@pytest.mark.symptom("1")
@pytest.mark.variation("2", "MOD005")
def test_every_model_not_found_under_a_stale_path_is_the_base_url(look: Look, provider, models_url: str, told):
    """Casebook C15: the primary model and the fallback are 404, and so is one that cannot exist."""
    provider(f"{HUGGING_FACE}/hf/v1", f"{CHAT}:groq", fallback="Qwen/Qwen2.5-7B-Instruct")
    seen = look(**hugging_face(models_url))
    told(seen.results.values())
    assert seen.codes == {"MOD005"}
    (finding,) = seen.results["MOD005"].findings
    assert f"{HUGGING_FACE}/hf/v1 knows no path" in finding.symptom
    assert f"{models_url}{HUGGING_FACE}/v1 answers" in finding.symptom
    assert finding.stage == "extracted"
    assert finding.fixes[0].arguments["after"] == {"base_url": f"{models_url}{HUGGING_FACE}/v1"}


@pytest.mark.variation("1", "MOD001")
def test_one_model_not_found_beside_others_that_are_is_the_model(look: Look, provider, models_url: str, told):
    provider(f"{HUGGING_FACE}/v1", "nosuch/model", fallback=CHAT)
    seen = look(**hugging_face(models_url))
    told(seen.results.values())
    assert seen.codes == {"MOD001", "MOD009"}
    assert "base URL wrong" in seen.ruled_out
    assert "key refused" in seen.ruled_out
    assert "hides that `nosuch/model` is missing" in seen.symptom("MOD009")


@pytest.mark.parametrize("stale, right", [("/v1/v1", "/v1"), ("", "/v1"), ("/api/v1", "/v1")])
def test_a_version_that_is_missing_or_doubled_is_the_base_url(look: Look, provider, models_url, stale, right):
    provider(f"{VLLM}{stale}", "qwen2.5-7b")
    seen = look()
    assert seen.codes == {"MOD005"}
    assert f"{VLLM}{right} answers" in seen.symptom("MOD005")


def test_v1_given_to_ollamas_own_client_is_the_base_url(look: Look, models_url: str):
    seen = look(OLLAMA_HOST=f"{models_url}/v1")
    assert "MOD005" in seen.codes
    assert "MOD002" not in seen.codes
    assert f"{models_url} answers" in seen.symptom("MOD005")


@pytest.mark.symptom("2")
def test_a_service_that_is_retired_says_so(look: Look, provider, misbehave, models_url: str, told):
    provider(f"{HUGGING_FACE}/v1", CHAT)
    misbehave(paths=[f"{HUGGING_FACE}/v1/models"], status=410)
    seen = look(**hugging_face(models_url))
    told(seen.results.values())
    assert seen.codes == {"MOD005"}
    assert "no longer served" in seen.symptom("MOD005")
    assert "router.huggingface.co/v1" in seen.results["MOD005"].findings[0].fixes[0].title


@pytest.mark.symptom("3a")
def test_a_name_of_the_compose_network_cannot_be_judged_from_here(look: Look, pipeline, models_url: str, told):
    """Casebook C10."""
    port = models_url.rpartition(":")[2]
    compose = pipeline.directory / "docker-compose.yml"
    compose.write_text(
        f"services:\n  ollama:\n    image: ollama/ollama\n    ports: ['{port}:11434']\n  api:\n    build: .\n"
        "    depends_on: [ollama]\n"
    )
    try:
        seen = look(OLLAMA_HOST="http://ollama:11434")
        told(seen.results.values())
        assert seen.codes == set()
        result = seen.results["MOD002"]
        assert result.status is Status.UNKNOWN
        assert "cannot tell from here: `ollama` is a service of docker-compose.yml" in result.reason
        assert f"OLLAMA_HOST={models_url} doctor check" in result.reason
        assert f"model server down (http://ollama:11434): it answers at {models_url}" in seen.ruled_out
        assert seen.results["MOD001"].blocked_by == "MOD002"
        compose.write_text("services:\n  ollama: {image: ollama/ollama}\n  api: {build: .}\n")
        reason = look().results["MOD002"].reason
        assert "port 11434 is not published" in reason
        assert 'docker compose exec api python -c "import urllib' in reason
    finally:
        compose.unlink()


@pytest.mark.variation("3a", "MOD002")
def test_a_host_with_a_domain_that_does_not_resolve_is_a_finding(look: Look, told):
    seen = look(OLLAMA_HOST="http://models.invalid:11434")
    told(seen.results.values())
    assert "MOD002" in seen.codes
    assert "does not resolve" in seen.symptom("MOD002")


@pytest.fixture
def leads_here(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let a name that no resolver knows mean this machine."""
    real = socket.getaddrinfo

    def lead(name: str) -> None:
        def resolve(host: Any, *rest: Any, **more: Any) -> Any:
            return real("127.0.0.1" if host in (name, name.encode()) else host, *rest, **more)

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        monkeypatch.setenv("NO_PROXY", "*")

    return lead


@pytest.mark.symptom("3b")
def test_localhost_in_a_container_is_the_container(look: Look, leads_here, monkeypatch, models_url: str, told):
    """The stand-in listens at 127.0.0.1 only: another address of the loopback refuses, as a container's own does."""
    monkeypatch.setattr("doctor.vantage.inside_container", lambda: True)
    leads_here("host.docker.internal")
    seen = look(OLLAMA_HOST=models_url.replace("127.0.0.1", "127.0.0.2"))
    told(seen.results.values())
    assert f"host.docker.internal:{models_url.rpartition(':')[2]} answers" in seen.symptom("MOD002")


@pytest.mark.variation("3b", "MOD002")
def test_localhost_outside_of_containers_is_the_machine(look: Look, leads_here, monkeypatch, models_url: str, told):
    monkeypatch.setattr("doctor.vantage.inside_container", lambda: False)
    leads_here("host.docker.internal")
    seen = look(OLLAMA_HOST=models_url.replace("127.0.0.1", "127.0.0.2"))
    told(seen.results.values())
    assert "nothing listens" in seen.symptom("MOD002")


@pytest.mark.symptom("4a")
def test_a_plain_name_means_port_80_and_ollamas_own_port_is_tried(look: Look, monkeypatch, models_url: str, told):
    """Here Ollama's own port is the stand-in's."""
    monkeypatch.setattr("doctor.endpoint_probe.DEFAULT_PORT", int(models_url.rpartition(":")[2]))
    seen = look(OLLAMA_HOST="http://127.0.0.1")
    told(seen.results.values())
    assert "MOD002" in seen.codes
    assert f"it answers at {models_url}" in seen.symptom("MOD002")
    assert "means port 80" in seen.results["MOD002"].findings[0].cause


def test_https_towards_a_server_without_it_is_named(look: Look, models_url: str):
    seen = look(OLLAMA_HOST=models_url.replace("http:", "https:"))
    assert f"the TLS handshake failed; it answers at {models_url}" in seen.symptom("MOD002")
    assert "no TLS" in seen.results["MOD002"].findings[0].cause


@pytest.mark.variation("4a", "MOD002")
def test_a_port_at_which_nobody_listens_is_not_corrected(look: Look, told):
    seen = look(OLLAMA_HOST=f"http://127.0.0.1:{free_port()}")
    told(seen.results.values())
    assert "it answers at" not in seen.symptom("MOD002")


@pytest.mark.symptom("4b")
def test_the_address_of_a_listener_is_no_address_of_a_client(look: Look, models_url: str, told):
    seen = look(OLLAMA_HOST=models_url.replace("127.0.0.1", "0.0.0.0"))
    told(seen.results.values())
    (finding,) = seen.results["MOD002"].findings
    assert finding.role == "advice"
    assert "listen" in finding.symptom


@pytest.mark.symptom("5")
def test_ollama_that_refuses_a_host_name_is_not_down(look: Look, leads_here, models_url: str, told):
    """A real guard of the Host header, reached by a name that leads here."""
    leads_here("models.example.com")
    seen = look(OLLAMA_HOST=models_url.replace("127.0.0.1", "models.example.com"))
    told(seen.results.values())
    assert "it refuses the host name models.example.com" in seen.symptom("MOD002")


@pytest.mark.variation("5", "MOD002")
def test_ollama_that_is_in_trouble_refuses_no_name(look: Look, misbehave, models_url: str, told):
    misbehave(paths=["/api/tags"], status=500)
    seen = look(OLLAMA_HOST=models_url)
    told(seen.results.values())
    assert "it answers with 500" in seen.symptom("MOD002")


@pytest.mark.variation("4b", None)
def test_an_empty_memory_is_cold_and_not_down(look: Look, told):
    seen = look()
    told(seen.results.values())
    texts = [observation.text for observation in seen.results["MOD002"].observations]
    assert any("answers in" in text for text in texts)


@pytest.mark.parametrize(
    "garbage", ["html", "truncated-json", "huge", "redirects", "header-bomb", "wrong-type", "echo"]
)
def test_garbage_is_one_finding_and_shows_no_key(look, provider, misbehave, pipeline, garbage: str):
    provider(f"{VLLM}/v1", "qwen2.5-7b", key_env="STAND_IN_KEY")
    misbehave(garbage=garbage)
    seen = look(STAND_IN_KEY=PLANTED)
    assert "MOD002" in seen.codes
    assert "MOD001" not in seen.codes
    assert PLANTED not in seen.text
    if garbage == "html":
        assert "page for people" in seen.symptom("MOD002")

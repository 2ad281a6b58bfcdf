"""Which model a name means on its server, what that can do, and how much it holds."""

from __future__ import annotations

import httpx
import pytest

from doctor.pipeline.sandbox.models.application import OPENAI, VLLM, build_application
from doctor.pipeline.sandbox.openai_compatible.application import KEY, Offered
from doctor.pipeline.sandbox.openai_compatible.application import build_application as build_openai
from doctor.source.collector import Collector
from tests.checks.model_target import Look
from tests.serving import serving


def test_a_dead_fallback_is_found_before_it_is_needed(look, execute):
    execute("UPDATE agent_configs SET fallback_model = 'llama3.2:3b'")
    seen = look()
    assert seen.codes == {"MOD001", "MOD009"}
    (finding,) = seen.results["MOD001"].findings
    assert (finding.severity, finding.stage) == ("warning", None)
    assert finding.fixes[0].arguments["before"] == {"fallback_model": "llama3.2:3b"}


@pytest.mark.symptom("6a")
def test_a_model_that_is_there_with_another_tag_is_named_with_it(look: Look, execute, told):
    execute("UPDATE agent_configs SET model_name = 'qwen3'")
    seen = look()
    told(seen.results.values())
    assert "only with another tag: qwen3:8b" in seen.symptom("MOD001")


@pytest.mark.variation("6a", "MOD001")
def test_a_model_that_was_never_pulled_has_no_other_tag(look: Look, execute, told):
    execute("UPDATE agent_configs SET model_name = 'llama3.2:3b'")
    told(look().results.values())


@pytest.mark.symptom("6b")
def test_a_server_without_any_model_is_another_one_or_fresh(look: Look, told):
    with serving(build_application([])) as url:
        told(look(OLLAMA_HOST=url).results.values())


def test_an_embedder_cannot_chat_and_a_list_of_openais_is_no_ollama(look, provider, models_url: str):
    provider(f"{OPENAI}/v1", "text-embedding-3-small", key_env="STAND_IN_KEY")
    seen = look(STAND_IN_KEY=KEY)
    assert "cannot do `completion`" in seen.symptom("MOD001")
    with serving(build_openai("vllm")) as url:
        seen = look(OLLAMA_HOST=url)
    assert "it is an OpenAI-compatible server" in seen.symptom("MOD002")


def test_ollamas_names_hold_behind_v1_and_a_pattern_of_a_proxy_is_no_missing_model(look, provider, models_url: str):
    provider("/v1", "qwen3:8b", fallback="nomic-embed-text")
    seen = look()
    assert "cannot do `completion`" in seen.symptom("MOD001")
    with serving(build_openai("openai", (Offered("mistral/*"), Offered("gpt-4o")))) as url:
        provider(f"{url}/v1", "mistral/large", fallback="gpt-4")
        seen = look()
    assert "`gpt-4` is not on" in seen.symptom("MOD001")
    assert "mistral" not in seen.symptom("MOD001")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a moment for an answer, not half a minute."""
    monkeypatch.setattr("doctor.model_trial.GENERATION_SECONDS", 0.3)
    monkeypatch.setattr("doctor.model_trial.EMBEDDING_SECONDS", 0.3)


def chat(models_url: str, model: str, **more: object) -> None:
    """Have a model answer, so that it is in memory for as long as ``keep_alive`` says."""
    asked = {"model": model, "messages": [{"role": "user", "content": "x"}], "stream": False, **more}
    httpx.post(f"{models_url}/api/chat", json=asked, trust_env=False).raise_for_status()


@pytest.mark.symptom("7")
def test_a_model_that_loads_longer_than_is_waited_for_is_cold(look: Look, behave, impatient, models_url: str, told):
    chat(models_url, "deepseek-r1:7b", keep_alive=0)  # whatever was in memory before
    behave(load_seconds=30)
    told(look(probing=True, OLLAMA_MODEL="deepseek-r1:7b").results.values())


@pytest.mark.variation("7", "MOD011")
def test_a_model_in_memory_that_does_not_answer_is_not_cold(look: Look, behave, impatient, models_url: str, told):
    for model in ("deepseek-r1:7b", "qwen2:7b-instruct-q4_K_M"):
        chat(models_url, model)
    behave(rules=[{"paths": ["/api/chat"], "delay_seconds": 5}])
    seen = look(probing=True, OLLAMA_MODEL="deepseek-r1:7b")
    told(seen.results.values())
    assert seen.results["MOD011"].findings[0].cause.endswith("no answer in time")


@pytest.mark.symptom("8")
def test_a_context_that_is_loaded_too_short_is_not_the_models_fault(look, execute, models_url: str, monkeypatch, told):
    """Ollama loads 4,096 tokens unless it is told; the sandbox's own code tells it."""
    chat(models_url, "qwen3:8b")
    execute("UPDATE agent_configs SET model_name = 'qwen3:8b', max_tokens = 30000")
    assert look().codes == set()
    monkeypatch.setattr("doctor.checks.model_context_too_short.COLLECTOR", Collector("none", 1, (), lambda _: ()))
    seen = look()
    told(seen.results.values())
    assert seen.codes == {"MOD013"}
    assert "loaded with 4,096 tokens, and the code sets no `num_ctx`" in seen.symptom("MOD013")


@pytest.mark.variation("8", "MOD013")
def test_more_than_a_model_has_is_an_error_of_the_row(look, execute, provider, told):
    execute("UPDATE agent_configs SET model_name = 'qwen3:8b', max_tokens = 50000")
    seen = look()
    told(seen.results.values())
    assert "the model has 40,960 tokens" in seen.symptom("MOD013")
    provider(f"{VLLM}/v1", "qwen2.5-7b")
    assert "the model has 8,192 tokens" in look().symptom("MOD013")
    execute("UPDATE agent_configs SET max_tokens = 4000")
    seen = look()
    assert seen.codes == set()
    assert "context too short (qwen2.5-7b): qwen2.5-7b holds 8,192 tokens" in seen.ruled_out

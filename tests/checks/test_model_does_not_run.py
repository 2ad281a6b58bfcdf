"""One real answer by each model in use: what it proves, what a cold start looks like, and every refusal."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from doctor.check import OPT_IN
from doctor.commands.examination import Selection, choose
from doctor.commands.output import registry
from doctor.model import Resource, Secret
from doctor.model_trial import PROBE, Trial, TrialState, client_timeout, try_model
from doctor.model_uses import COMPLETION, EMBEDDING, ModelUse
from doctor.pipeline.sandbox.hugging_face import world
from doctor.pipeline.sandbox.models.application import HUGGING_FACE, OPENAI, VLLM, build_application
from doctor.pipeline.sandbox.openai_compatible.application import KEY
from doctor.resources.environment import Environment
from doctor.resources.model_server import ModelServer
from doctor.resources.models import Models
from doctor.target import Target
from tests.serving import serving

CHAT, EMBEDDER = "qwen3:8b", "nomic-embed-text"


@pytest.fixture(scope="module")
def url():
    with serving(build_application([CHAT, EMBEDDER])) as served:
        yield served


@pytest.fixture
async def models():
    opened = Models(None)
    yield opened
    await opened.close()


@pytest.fixture
def behave(url: str):
    """Let the stand-in misbehave until the test is over."""

    def put(**rules: object) -> None:
        httpx.put(f"{url}/_stand_in/behaviour", json=rules, trust_env=False).raise_for_status()

    yield put
    httpx.delete(f"{url}/_stand_in/behaviour", trust_env=False)


async def tried(server: ModelServer, model: str, capability: str = COMPLETION, timeout: float = 5.0) -> Trial:
    return await try_model(ModelUse(model, capability, server, Resource("variable", "X"), ".env:1"), timeout=timeout)


async def test_the_first_answer_loads_and_the_second_does_not(models: Models, url: str, behave):
    behave(load_seconds=0.3)
    first, second = await tried(models.ollama(url), CHAT), await tried(models.ollama(url), CHAT)
    assert first.state is second.state is TrialState.RUNS
    assert (first.was_cold, second.was_cold) == (True, False)
    assert (first.load_seconds or 0) > 0.25 > (second.load_seconds or 0)
    assert "from cold" in first.said


async def test_a_model_that_loads_longer_than_is_waited_is_cold_and_not_down(models: Models, url: str, behave):
    """Signature 7: a client that gives up stops the loading, so that it never gets warm."""
    behave(load_seconds=30)
    for _ in range(2):
        trial = await tried(models.ollama(url), EMBEDDER, EMBEDDING, timeout=0.3)
        assert trial.state is TrialState.COLD
        assert "not in memory" in trial.said


async def test_a_server_that_is_slow_with_a_warm_model_is_silent(models: Models, url: str, behave):
    """The variation of signature 7."""
    await tried(models.ollama(url), CHAT)
    behave(rules=[{"paths": ["/api/chat"], "delay_seconds": 5}])
    assert (await tried(models.ollama(url), CHAT, timeout=0.3)).state is TrialState.SILENT


@pytest.mark.parametrize(
    "token, model, state",
    [
        (world.GOOD_TOKEN, "openai/gpt-oss-120b", TrialState.RUNS),
        (world.GROQ_ONLY_TOKEN, "openai/gpt-oss-120b:together", TrialState.NOT_SERVED),
        (world.READ_ONLY_TOKEN, "openai/gpt-oss-120b", TrialState.NOT_ALLOWED),
        ("hf_nobodysToken000000000000000000", "openai/gpt-oss-120b", TrialState.REFUSED_KEY),
    ],
)
async def test_a_router_says_whose_fault_it_is(models: Models, url: str, token: str, model: str, state: TrialState):
    """Signature 12, the half that no list shows: the account's settings, the token's permission."""
    base = f"{url}{HUGGING_FACE}"
    trial = await tried(
        models.hugging_face(f"{base}/v1", hub=base, token=Secret(token), hub_token=Secret(token)), model
    )
    assert trial.state is state
    assert token not in trial.said


async def test_embedding_and_failing_are_seen(models: Models, url: str):
    trial = await tried(models.ollama(url), EMBEDDER, EMBEDDING)
    assert "embeds into 768 dimensions" in trial.said
    assert (await tried(models.openai(f"{url}{VLLM}/v1"), "qwen2.5-7b", EMBEDDING)).state is TrialState.FAILED


def test_how_long_the_target_waits_is_read_from_its_variables(tmp_path: Path):
    def waits(**variables: str) -> float | None:
        found = client_timeout(Environment(tmp_path, files=(), process_environment=variables))
        return None if found is None else found.seconds

    assert waits(LLM_TIMEOUT="2.5") == 2.5
    assert waits(MODEL_TIMEOUT_SECONDS="soon", OLLAMA_TIMEOUT="30") == 30
    assert waits(OLLAMA_TIMEOUT="-1") is None
    assert waits(LLM_TIMEOUT="nan") is None


def test_it_runs_on_request_only(tmp_path: Path):
    checks, target = list(registry().checks.values()), Target.at(tmp_path)
    probing = {check.code for check in checks if PROBE in check.tags}
    assert "MOD011" in probing
    assert all(OPT_IN in check.tags for check in checks if check.code in probing)
    assert not probing & {check.code for check in choose(checks, Selection(), target)}
    assert probing <= {check.code for check in choose(checks, Selection(probe=True), target)}
    assert [check.code for check in choose(checks, Selection(select=("MOD011",)), target)] == ["MOD011"]


def test_in_the_pipeline_each_model_answers_once(examine):
    result = examine("MOD011")
    assert result.findings == ()
    texts = " ".join(observation.text for observation in result.observations)
    assert "qwen2:7b-instruct-q4_K_M answers" in texts
    assert "nomic-embed-text embeds into 768 dimensions" in texts


def test_vectors_of_another_length_than_the_column_takes_are_found_where_only_a_real_one_tells(pipeline, examine):
    """Signature 10, for a server that says nothing of its models."""
    base = f"{pipeline.environment()['OLLAMA_HOST']}{OPENAI}/v1"
    variables = {"OPENAI_BASE_URL": base, "OPENAI_API_KEY": KEY, "OPENAI_EMBEDDING_MODEL": "text-embedding-3-small"}
    (finding,) = examine("MOD011", **variables).findings
    assert "`text-embedding-3-small` embeds into 1536 dimensions" in finding.symptom
    assert "public.messages.embedding takes 768" in finding.symptom


def test_a_target_that_waits_less_than_a_cold_start_is_told_so(pipeline, examine):
    url = pipeline.environment()["OLLAMA_HOST"]
    out = {"model": "deepseek-r1:7b", "messages": [{"role": "user", "content": "x"}], "keep_alive": 0}
    httpx.post(f"{url}/api/chat", json=out, trust_env=False).raise_for_status()
    httpx.put(f"{url}/_stand_in/behaviour", json={"load_seconds": 0.4}, trust_env=False).raise_for_status()
    try:
        (finding,) = examine("MOD011", OLLAMA_MODEL="deepseek-r1:7b", MODEL_TIMEOUT_SECONDS="0.2").findings
    finally:
        httpx.delete(f"{url}/_stand_in/behaviour", trust_env=False)
    assert "the target gives up before (MODEL_TIMEOUT_SECONDS=0.2)" in finding.symptom
    assert finding.severity == "warning"

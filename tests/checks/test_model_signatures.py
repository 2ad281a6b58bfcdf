"""Symptoms of models on the wire: the cause is named, the look-alikes are ruled out, a variation differs."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from doctor.commands.output import registry
from doctor.diagnosis import diagnose
from doctor.model import CheckResult, Status
from doctor.pipeline.sandbox.hugging_face import world
from doctor.pipeline.sandbox.hugging_face.application import build_application as build_hub
from doctor.pipeline.sandbox.models.application import HUGGING_FACE, OPENAI, VLLM, build_application
from doctor.pipeline.sandbox.openai_compatible.application import KEY, Offered
from doctor.pipeline.sandbox.openai_compatible.application import build_application as build_openai
from doctor.pipeline.sandbox.ports import free_port
from doctor.record import plain
from doctor.runner import run_checks
from doctor.source.collector import Collector
from doctor.target import Target
from tests.forked_doctor import run
from tests.serving import serving

CHAT = "openai/gpt-oss-120b"
NOBODYS = "hf_nobodysToken000000000000000000"
PLANTED = "sk-planted0000000000000000000001"


class Seen:
    """What the checks of models said, all run together as in ``doctor check``."""

    def __init__(self, results: tuple[CheckResult, ...]) -> None:
        self.results = {result.code: result for result in results}
        self.text = json.dumps([plain(result) for result in results])

    @property
    def codes(self) -> set[str]:
        return {code for code, result in self.results.items() if result.findings}

    @property
    def ruled_out(self) -> str:
        found = diagnose(tuple(self.results.values()), (), None).ruled_out
        return "\n".join(f"{each.hypothesis}: {each.evidence}" for each in found)

    def symptom(self, code: str) -> str:
        return " | ".join(finding.symptom for finding in self.results[code].findings)


Look = Callable[..., Seen]


@pytest.fixture
def models_url(pipeline) -> str:
    return str(pipeline.environment()["OLLAMA_HOST"])


@pytest.fixture
def look(pipeline, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Run all checks of models; keywords are variables of the environment."""

    def run(**variables: str) -> Seen:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        wanted = [
            check for check in registry().checks.values() if check.code.startswith("MOD") and "live" in check.tags
        ]
        wanted = [check for check in wanted if "probe" not in check.tags]

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
def misbehave(models_url: str) -> Iterator[Callable[..., None]]:
    with httpx.Client(base_url=models_url, trust_env=False) as client:

        def put(**rule: Any) -> None:
            client.put("/_stand_in/behaviour", json={"rules": [rule]}).raise_for_status()

        yield put
        client.delete("/_stand_in/behaviour").raise_for_status()


def hugging_face(models_url: str, token: str | None = world.GOOD_TOKEN) -> dict[str, str]:
    return {"HF_ENDPOINT": f"{models_url}{HUGGING_FACE}", **({} if token is None else {"HF_TOKEN": token})}


def test_every_model_not_found_under_a_stale_path_is_the_base_url(look: Look, provider, models_url: str):
    """Signature 1, casebook C15: the primary model and the fallback are 404, and so is one that cannot exist."""
    provider(f"{HUGGING_FACE}/hf/v1", f"{CHAT}:groq", fallback="Qwen/Qwen2.5-7B-Instruct")
    seen = look(**hugging_face(models_url))
    assert seen.codes == {"MOD005"}
    (finding,) = seen.results["MOD005"].findings
    assert f"{HUGGING_FACE}/hf/v1 knows no path" in finding.symptom
    assert f"{models_url}{HUGGING_FACE}/v1 answers" in finding.symptom
    assert finding.stage == "extracted"
    assert finding.fixes[0].arguments["after"] == {"base_url": f"{models_url}{HUGGING_FACE}/v1"}
    for hypothesis in ("down: something answers", "model missing", "key refused"):
        assert hypothesis in seen.ruled_out


def test_one_model_not_found_beside_others_that_are_is_the_model(look: Look, provider, models_url: str):
    """The variation of signature 1: the list answers."""
    provider(f"{HUGGING_FACE}/v1", "nosuch/model", fallback=CHAT)
    seen = look(**hugging_face(models_url))
    assert seen.codes == {"MOD001", "MOD009"}
    assert "base URL wrong" in seen.ruled_out
    assert "token bad" in seen.ruled_out
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


def test_a_service_that_is_retired_says_so(look: Look, provider, misbehave, models_url: str):
    """Signature 2."""
    provider(f"{HUGGING_FACE}/v1", CHAT)
    misbehave(paths=[f"{HUGGING_FACE}/v1/models"], status=410)
    seen = look(**hugging_face(models_url))
    assert seen.codes == {"MOD005"}
    assert "no longer served" in seen.symptom("MOD005")
    assert "router.huggingface.co/v1" in seen.results["MOD005"].findings[0].fixes[0].title


def test_a_name_of_the_compose_network_cannot_be_judged_from_here(look: Look, pipeline, models_url: str):
    """Signature 3, casebook C10."""
    port = models_url.rpartition(":")[2]
    compose = pipeline.directory / "docker-compose.yml"
    compose.write_text(
        f"services:\n  ollama:\n    image: ollama/ollama\n    ports: ['{port}:11434']\n  api:\n    build: .\n"
        "    depends_on: [ollama]\n"
    )
    try:
        seen = look(OLLAMA_HOST="http://ollama:11434")
        assert seen.codes == set()
        result = seen.results["MOD002"]
        assert result.status is Status.UNKNOWN
        assert "cannot tell from here: `ollama` is a service of docker-compose.yml" in result.reason
        assert f"OLLAMA_HOST={models_url} doctor check" in result.reason
        assert f"http://ollama:11434 down: it answers at {models_url}" in seen.ruled_out
        assert seen.results["MOD001"].blocked_by == "MOD002"
        compose.write_text("services:\n  ollama: {image: ollama/ollama}\n  api: {build: .}\n")
        reason = look().results["MOD002"].reason
        assert "port 11434 is not published" in reason
        assert 'docker compose exec api python -c "import urllib' in reason
    finally:
        compose.unlink()


def test_a_host_with_a_domain_that_does_not_resolve_is_a_finding(look: Look):
    """The variation of signature 3."""
    seen = look(OLLAMA_HOST="http://models.invalid:11434")
    assert "MOD002" in seen.codes
    assert "does not resolve" in seen.symptom("MOD002")


def test_a_plain_name_means_port_80_and_ollamas_own_port_is_tried(look: Look, monkeypatch, models_url: str):
    """Signature 4. Here Ollama's own port is the stand-in's."""
    monkeypatch.setattr("doctor.endpoint_probe.DEFAULT_PORT", int(models_url.rpartition(":")[2]))
    seen = look(OLLAMA_HOST="http://127.0.0.1")
    assert "MOD002" in seen.codes
    assert f"it answers at {models_url}" in seen.symptom("MOD002")
    assert "means port 80" in seen.results["MOD002"].findings[0].cause


def test_https_towards_a_server_without_it_is_named(look: Look, models_url: str):
    seen = look(OLLAMA_HOST=models_url.replace("http:", "https:"))
    assert f"the TLS handshake failed; it answers at {models_url}" in seen.symptom("MOD002")
    assert "no TLS" in seen.results["MOD002"].findings[0].cause


def test_a_port_at_which_nobody_listens_is_not_corrected(look: Look):
    """The variation of signature 4."""
    seen = look(OLLAMA_HOST=f"http://127.0.0.1:{free_port()}")
    assert "it answers at" not in seen.symptom("MOD002")


def test_the_address_of_a_listener_is_no_address_of_a_client(look: Look, models_url: str):
    seen = look(OLLAMA_HOST=models_url.replace("127.0.0.1", "0.0.0.0"))
    (finding,) = seen.results["MOD002"].findings
    assert finding.role == "advice"
    assert "listen" in finding.symptom


def test_ollama_that_refuses_a_host_name_is_told_from_one_in_trouble(look, misbehave, monkeypatch, models_url):
    """Signature 5: a real guard of the Host header, reached by a name that leads here."""
    real = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host in ("models.example.com", b"models.example.com") else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setenv("NO_PROXY", "*")
    seen = look(OLLAMA_HOST=models_url.replace("127.0.0.1", "models.example.com"))
    assert "it refuses the host name models.example.com" in seen.symptom("MOD002")
    misbehave(paths=["/api/tags"], status=500)
    assert "it answers with 500" in look(OLLAMA_HOST=models_url).symptom("MOD002")


def test_another_tag_is_named_and_an_empty_server_has_none(look: Look, execute, models_url: str):
    """Signature 6."""
    execute("UPDATE agent_configs SET model_name = 'qwen3'")
    seen = look()
    assert "only with another tag: qwen3:8b" in seen.symptom("MOD001")
    assert "base URL wrong" in seen.ruled_out
    execute("UPDATE agent_configs SET model_name = 'llama3.2:3b'")
    assert "another tag" not in look().symptom("MOD001")


def test_an_empty_memory_is_cold_and_not_down(look: Look):
    """Signature 7, without a generation."""
    texts = [observation.text for observation in look().results["MOD002"].observations]
    assert any("answers in" in text for text in texts)


@pytest.mark.parametrize(
    "token, model, code, words, excluded",
    [
        (NOBODYS, CHAT, "MOD006", "key is refused", "base URL wrong"),
        (world.GOOD_TOKEN, "meta-llama/Meta-Gated", "MOD001", "is not on", "token bad"),
        (world.GOOD_TOKEN, "stand-in/withdrawn", "MOD006", "disabled", "token bad"),
        (world.GOOD_TOKEN, f"{CHAT}:fireworks", "MOD001", "is not run by `fireworks`", "model missing"),
        (world.GOOD_TOKEN, f"{CHAT}:nscale", "MOD001", "nscale not live", "model missing"),
        (world.GOOD_TOKEN, "a/b/c", "MOD001", "no name of a model", "token bad"),
        (None, "stand-in/private-model", "MOD006", "there is no token", "base URL wrong"),
        (world.GOOD_TOKEN, "stand-in/private-model", "MOD001", "is not on", "token bad"),
        (world.GOOD_TOKEN, "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "MOD007", "no live provider", "model missing"),
        (world.GOOD_TOKEN, "mistralai/Mistral-7B-Instruct-v0.3", "MOD007", "only novita not live", "token bad"),
    ],
)
def test_repository_not_found_has_seven_causes(look, provider, models_url, token, model, code, words, excluded):
    """Signatures 11 and 12: one exception of the client, told apart by token, access, name and provider."""
    provider(f"{HUGGING_FACE}/v1", model)
    seen = look(**hugging_face(models_url, token))
    assert seen.codes == {code}
    assert words in seen.symptom(code)
    assert excluded in seen.ruled_out
    assert NOBODYS not in seen.text


def test_a_licence_that_was_not_accepted_is_told_from_one_that_was(look, provider):
    """Signature 11: GatedRepo for the one account; for the other the same model is there, and nobody runs it."""
    name = "stand-in/gated"
    repositories = (*world.DEFAULT_REPOSITORIES, world.Repository(name, gated="manual"))
    accounts = {
        world.GOOD_TOKEN: world.Account("without"),
        world.LICENSED_TOKEN: world.Account("with", frozenset({name})),
    }
    with serving(build_hub(world.World.of(repositories, accounts))) as url:
        provider(f"{url}/v1", name)
        seen = look(HF_ENDPOINT=url, HF_TOKEN=world.GOOD_TOKEN)
        assert seen.codes == {"MOD006"}
        assert "its licence has not been accepted" in seen.symptom("MOD006")
        assert "token bad" in seen.ruled_out
        seen = look(HF_ENDPOINT=url, HF_TOKEN=world.LICENSED_TOKEN)
    assert seen.codes == {"MOD007"}


def test_a_gated_model_that_the_router_runs_is_no_matter_of_its_files(look, provider, models_url: str):
    provider(f"{HUGGING_FACE}/v1", "meta-llama/Llama-3.1-8B-Instruct")
    assert look(**hugging_face(models_url)).codes == set()  # the router runs it; its files are another matter


def test_openai_refuses_a_key_and_vllm_names_what_it_serves(look, provider, models_url: str):
    provider(f"{OPENAI}/v1", "gpt-4o-mini", key_env="STAND_IN_KEY")
    seen = look(STAND_IN_KEY=PLANTED)
    assert seen.codes == {"MOD006"}
    assert "base URL wrong" in seen.ruled_out
    assert PLANTED not in seen.text
    assert look(STAND_IN_KEY=KEY).codes == set()
    provider(f"{VLLM}/v1", "Qwen/Qwen2.5-7B-Instruct")
    seen = look()
    assert seen.codes == {"MOD001"}
    assert "qwen2.5-7b" in seen.results["MOD001"].findings[0].fixes[0].title


def test_what_is_refused_without_a_key_is_not_judged(look, provider, monkeypatch: pytest.MonkeyPatch):
    """The application may have its key in a column, which is never read: nobody is told to correct a variable."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    provider(f"{OPENAI}/v1", "gpt-4o-mini")
    seen = look()
    assert seen.codes == set()
    assert seen.results["MOD006"].status is Status.UNKNOWN
    assert "wants a key, and no key is known" in seen.results["MOD006"].reason


def test_a_model_of_the_router_is_there_though_nobody_knows_a_token(look, provider, models_url: str):
    provider(f"{HUGGING_FACE}/v1", CHAT)
    result = look(**hugging_face(models_url, None)).results["MOD001"]
    assert result.status is Status.PASS
    assert "no token is known here" in "".join(each.text for each in result.observations)


def test_an_embedder_cannot_chat_and_a_list_of_openais_is_no_ollama(look, provider, models_url: str):
    provider(f"{OPENAI}/v1", "text-embedding-3-small", key_env="STAND_IN_KEY")
    seen = look(STAND_IN_KEY=KEY)
    assert "cannot do `completion`" in seen.symptom("MOD001")
    with serving(build_openai("vllm")) as url:
        seen = look(OLLAMA_HOST=url)
    assert "it is an OpenAI-compatible server" in seen.symptom("MOD002")


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


def test_a_dead_fallback_is_found_before_it_is_needed(look, execute):
    execute("UPDATE agent_configs SET fallback_model = 'llama3.2:3b'")
    seen = look()
    assert seen.codes == {"MOD001", "MOD009"}
    (finding,) = seen.results["MOD001"].findings
    assert (finding.severity, finding.stage) == ("warning", None)
    assert finding.fixes[0].arguments["before"] == {"fallback_model": "llama3.2:3b"}


def test_a_context_that_is_loaded_too_short_is_not_the_models_fault(look, execute, models_url: str, monkeypatch):
    """Signature 8: Ollama loads 4,096 tokens unless it is told; the sandbox's own code tells it."""
    chat = {"model": "qwen3:8b", "messages": [{"role": "user", "content": "x"}], "stream": False}
    httpx.post(f"{models_url}/api/chat", json=chat, trust_env=False).raise_for_status()
    execute("UPDATE agent_configs SET model_name = 'qwen3:8b', max_tokens = 30000")
    assert look().codes == set()
    monkeypatch.setattr("doctor.checks.model_context_too_short.COLLECTOR", Collector("none", 1, (), lambda _: ()))
    seen = look()
    assert seen.codes == {"MOD013"}
    assert "loaded with 4,096 tokens, and the code sets no `num_ctx`" in seen.symptom("MOD013")
    assert "base URL" not in seen.symptom("MOD013")


def test_more_than_a_model_has_is_an_error_of_the_row(look, execute, provider):
    """The variation of signature 8, with both kinds of servers."""
    execute("UPDATE agent_configs SET model_name = 'qwen3:8b', max_tokens = 50000")
    assert "the model has 40,960 tokens" in look().symptom("MOD013")
    provider(f"{VLLM}/v1", "qwen2.5-7b")
    assert "the model has 8,192 tokens" in look().symptom("MOD013")
    execute("UPDATE agent_configs SET max_tokens = 4000")
    seen = look()
    assert seen.codes == set()
    assert "context too short (qwen2.5-7b): qwen2.5-7b holds 8,192 tokens" in seen.ruled_out


def test_a_server_without_any_model_is_another_one_or_fresh(look):
    """Signature 6, the other half."""
    with serving(build_application([])) as url:
        finding, *_ = look(OLLAMA_HOST=url).results["MOD001"].findings
    assert "has no model at all" in finding.cause


def test_ollamas_names_hold_behind_v1_and_a_pattern_of_a_proxy_is_no_missing_model(look, provider, models_url: str):
    provider("/v1", "qwen3:8b", fallback="nomic-embed-text")
    seen = look()
    assert "cannot do `completion`" in seen.symptom("MOD001")
    with serving(build_openai("openai", (Offered("mistral/*"), Offered("gpt-4o")))) as url:
        provider(f"{url}/v1", "mistral/large", fallback="gpt-4")
        seen = look()
    assert "`gpt-4` is not on" in seen.symptom("MOD001")
    assert "mistral" not in seen.symptom("MOD001")


def test_what_the_hub_does_not_say_is_not_green(look, provider, misbehave, models_url: str):
    provider(f"{HUGGING_FACE}/v1", "nosuch/model")
    misbehave(paths=[f"{HUGGING_FACE}/api/models/nosuch/model/auth-check"], status=500)
    result = look(**hugging_face(models_url)).results["MOD001"]
    assert result.status is Status.UNKNOWN
    assert "`nosuch/model` could not be judged" in result.reason


def test_no_key_is_in_any_format_or_record(pipeline, provider, misbehave):
    provider(f"{VLLM}/v1", "qwen2.5-7b", key_env="STAND_IN_KEY")
    misbehave(garbage="echo")
    texts = []
    for name in ("text", "json", "markdown"):
        words = ("check", "--select", "MOD", "--format", name)
        ended = run(*words, cwd=pipeline.directory, extra={"STAND_IN_KEY": PLANTED, "HF_TOKEN": NOBODYS})
        assert ended.returncode == 1, ended.stderr
        texts += [ended.stdout, ended.stderr]
    files = [path for path in (pipeline.directory / ".doctor").rglob("*") if path.is_file()]
    texts += [path.read_bytes().decode("utf-8", "replace") for path in (*files, *pipeline.layout.logs.iterdir())]
    assert "upstream refused" in texts[2]
    assert not [secret for secret in (PLANTED, NOBODYS) for text in texts if secret in text]

"""Who may use a model, and who runs it: tokens, keys, licences, providers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from doctor.model import Status
from doctor.pipeline.sandbox.hugging_face import world
from doctor.pipeline.sandbox.hugging_face.application import build_application as build_hub
from doctor.pipeline.sandbox.models.application import HUGGING_FACE, OPENAI, VLLM
from doctor.pipeline.sandbox.openai_compatible.application import KEY
from tests.checks.model_target import CHAT, NOBODYS, PLANTED, Look, hugging_face
from tests.forked_doctor import run
from tests.serving import serving


@pytest.mark.parametrize(
    "token, model, code, words, excluded",
    [
        pytest.param(NOBODYS, CHAT, "MOD006", "key is refused", "base URL wrong", marks=pytest.mark.symptom("11a")),
        pytest.param(
            world.GOOD_TOKEN,
            "meta-llama/Meta-Gated",
            "MOD001",
            "is not on",
            "key refused",
            marks=pytest.mark.symptom("11c"),
        ),
        (world.GOOD_TOKEN, "stand-in/withdrawn", "MOD006", "disabled", "key refused"),
        (world.GOOD_TOKEN, f"{CHAT}:fireworks", "MOD001", "is not run by `fireworks`", "model missing"),
        (world.GOOD_TOKEN, f"{CHAT}:nscale", "MOD001", "nscale not live", "model missing"),
        (world.GOOD_TOKEN, "a/b/c", "MOD001", "no name of a model", "key refused"),
        (world.GOOD_TOKEN, "stand-in/private-model", "MOD001", "is not on", "key refused"),
        pytest.param(
            world.GOOD_TOKEN,
            "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
            "MOD007",
            "no live provider",
            "model missing",
            marks=pytest.mark.symptom("12a"),
        ),
        (world.GOOD_TOKEN, "mistralai/Mistral-7B-Instruct-v0.3", "MOD007", "only novita not live", "key refused"),
    ],
)
def test_repository_not_found_has_several_causes(look, provider, models_url, token, model, code, words, excluded, told):
    """One exception of the client, told apart by token, access, name and provider."""
    provider(f"{HUGGING_FACE}/v1", model)
    seen = look(**hugging_face(models_url, token))
    told(seen.results.values())
    assert seen.codes == {code}
    assert words in seen.symptom(code)
    assert excluded in seen.ruled_out
    assert NOBODYS not in seen.text


@pytest.mark.symptom("11d")
@pytest.mark.variation("11c", None)
def test_without_a_token_nobody_can_tell_missing_from_private(look: Look, provider, models_url: str, told):
    provider(f"{HUGGING_FACE}/v1", "stand-in/private-model")
    seen = look(**hugging_face(models_url, None))
    told(seen.results.values())
    assert seen.codes == set()
    assert seen.results["MOD001"].status is Status.UNKNOWN
    assert "set HF_TOKEN, then check again" in seen.results["MOD001"].reason


LICENSED = "stand-in/gated"


@pytest.fixture
def gated(provider) -> Iterator[str]:
    """A Hub of its own with a model whose licence one account has accepted, and another has not."""
    repositories = (*world.DEFAULT_REPOSITORIES, world.Repository(LICENSED, gated="manual"))
    accounts = {
        world.GOOD_TOKEN: world.Account("without"),
        world.LICENSED_TOKEN: world.Account("with", frozenset({LICENSED})),
    }
    with serving(build_hub(world.World.of(repositories, accounts))) as url:
        provider(f"{url}/v1", LICENSED)
        yield url


@pytest.mark.symptom("11b")
def test_a_licence_that_was_not_accepted_is_named(look: Look, gated: str, told):
    seen = look(HF_ENDPOINT=gated, HF_TOKEN=world.GOOD_TOKEN)
    told(seen.results.values())
    assert seen.codes == {"MOD006"}


@pytest.mark.variation("11b", "MOD007")
def test_with_an_accepted_licence_it_is_there_and_nobody_runs_it(look: Look, gated: str, told):
    seen = look(HF_ENDPOINT=gated, HF_TOKEN=world.LICENSED_TOKEN)
    told(seen.results.values())
    assert seen.codes == {"MOD007"}


@pytest.mark.symptom("11e")
def test_a_hub_that_knows_no_public_model_either_is_at_fault_itself(look: Look, provider, told):
    with serving(build_hub(world.World.of((), {world.GOOD_TOKEN: world.Account("any")}))) as url:
        provider(f"{url}/v1", "nosuch/model")
        told(look(HF_ENDPOINT=url, HF_TOKEN=world.GOOD_TOKEN).results.values())


@pytest.mark.symptom("12b")
@pytest.mark.variation("12a", "MOD011")
def test_a_provider_that_the_account_has_not_enabled_is_seen_by_a_real_call(look, provider, models_url: str, told):
    provider(f"{HUGGING_FACE}/v1", f"{CHAT}:together")
    told(look(probing=True, **hugging_face(models_url, world.GROQ_ONLY_TOKEN)).results.values())


@pytest.mark.symptom("12c")
@pytest.mark.variation("12b", "MOD011")
def test_a_token_without_the_permission_is_seen_by_a_real_call(look, provider, models_url: str, told):
    provider(f"{HUGGING_FACE}/v1", CHAT)
    told(look(probing=True, **hugging_face(models_url, world.READ_ONLY_TOKEN)).results.values())


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


def test_a_provider_of_another_protocol_is_said_to_be_unasked(look: Look, provider):
    provider("https://stand-in.openai.azure.com/openai", "gpt-4o-mini")
    result = look().results["MOD002"]
    assert result.status is Status.PASS
    assert any("provider `ollama` (openai) is asked nothing" in each.text for each in result.observations)

"""Hugging Face's own client raises against the stand-in what it raises against the Hub."""

from __future__ import annotations

import json
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import HfApi, InferenceClient, errors

from doctor.pipeline.sandbox.hugging_face import world
from doctor.pipeline.sandbox.models.application import HUGGING_FACE
from doctor.pipeline.sandbox.ports import free_port

GATED = "meta-llama/Llama-3.1-8B-Instruct"


@pytest.fixture
def endpoint(stand_in_url: str, stand_in: object) -> str:
    return f"{stand_in_url}{HUGGING_FACE}"


@pytest.fixture
def hub(endpoint: str) -> HfApi:
    return HfApi(endpoint, token=world.GOOD_TOKEN)


@pytest.fixture
def nobody(endpoint: str) -> HfApi:
    return HfApi(endpoint, token=False)


def test_a_public_model_is_described(hub: HfApi):
    found = hub.model_info("openai/gpt-oss-120b", expand=["inferenceProviderMapping", "gated", "inference"])
    assert found.inference == "warm"
    mapping = {each.provider: each.status for each in found.inference_provider_mapping or []}
    assert mapping == {"groq": "live", "together": "live"}
    assert hub.whoami()["name"] == "stand-in"


@pytest.mark.parametrize("name", ["nosuch/model", "stand-in/private-model"])
def test_missing_and_private_look_the_same(hub: HfApi, nobody: HfApi, name: str):
    with pytest.raises(errors.RepositoryNotFoundError) as missing:
        hub.model_info(name)
    assert missing.value.response.status_code == 404
    with pytest.raises(errors.RepositoryNotFoundError) as anonymous:
        nobody.model_info(name)
    assert anonymous.value.response.status_code == 401
    assert not isinstance(anonymous.value, errors.GatedRepoError)


def test_a_bad_token_is_no_missing_repository(endpoint: str):
    with pytest.raises(errors.HfHubHTTPError) as caught:
        HfApi(endpoint, token="hf_nobodysToken000000000000000000").model_info("openai/gpt-oss-120b")
    assert caught.value.response.status_code == 401
    assert not isinstance(caught.value, errors.RepositoryNotFoundError)
    with pytest.raises(errors.HfHubHTTPError, match="Invalid user token"):
        HfApi(endpoint, token="hf_nobodysToken000000000000000000").whoami()


def test_a_gated_model_is_described_but_not_read(hub: HfApi, endpoint: str):
    assert hub.model_info(GATED).gated == "manual"
    with pytest.raises(errors.GatedRepoError):
        hub.auth_check(GATED)
    HfApi(endpoint, token=world.LICENSED_TOKEN).auth_check(GATED)


def test_a_disabled_model_and_a_malformed_name(hub: HfApi):
    with pytest.raises(errors.DisabledRepoError):
        hub.model_info("stand-in/withdrawn")
    for name in ("a/b/c", "openai/gpt-oss-120b:groq"):
        with pytest.raises(errors.HFValidationError):
            hub.model_info(name)


def test_without_a_token_nobody_is_asked_who_it_is(endpoint: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.hf_api.get_token", lambda: None)  # whatever this machine has
    with pytest.raises(errors.LocalTokenNotFoundError):
        HfApi(endpoint).whoami()


@pytest.mark.parametrize("status", [429, 500])
def test_a_hub_in_trouble_is_no_missing_repository(hub: HfApi, stand_in, status: int):
    stand_in.put("/_stand_in/behaviour", json={"rules": [{"status": status}]}).raise_for_status()
    with pytest.raises(errors.HfHubHTTPError) as caught:
        hub.model_info("openai/gpt-oss-120b")
    assert caught.value.response.status_code == status
    assert not isinstance(caught.value, errors.RepositoryNotFoundError)


def test_whether_a_repository_exists_is_another_question_than_access(hub: HfApi):
    assert not hub.repo_exists("nosuch/model")
    assert hub.repo_exists(GATED)


def test_nobody_at_the_address_is_an_error_of_another_library():
    with pytest.raises(httpx2.ConnectError):
        HfApi(f"http://127.0.0.1:{free_port()}", token=False).model_info("openai/gpt-oss-120b")


def test_a_portal_in_between_is_no_json(hub: HfApi, stand_in):
    stand_in.put("/_stand_in/behaviour", json={"rules": [{"garbage": "html"}]}).raise_for_status()
    with pytest.raises(json.JSONDecodeError):
        hub.model_info("openai/gpt-oss-120b")


def test_a_snapshot_is_downloaded_and_the_cache_has_its_layout(endpoint: str, tmp_path: Path):
    api = HfApi(endpoint, token=False)
    folder = Path(api.snapshot_download("TinyLlama/TinyLlama-1.1B-Chat-v1.0", cache_dir=tmp_path))
    assert {path.name for path in folder.iterdir()} == {"config.json", "tokenizer.json", "model.safetensors"}
    repository = tmp_path / "models--TinyLlama--TinyLlama-1.1B-Chat-v1.0"
    assert (repository / "refs" / "main").read_text() == folder.name == world.COMMIT


@pytest.mark.parametrize(
    "token, model, status, words",
    [
        (world.GOOD_TOKEN, "TinyLlama/TinyLlama-1.1B-Chat-v1.0", 400, "not supported by any provider you have enabled"),
        (world.GROQ_ONLY_TOKEN, "openai/gpt-oss-120b:together", 400, "not supported by any provider"),
        (world.GOOD_TOKEN, "nosuch/model", 400, "does not exist"),
        (world.READ_ONLY_TOKEN, "openai/gpt-oss-120b", 403, "sufficient permissions"),
        ("hf_nobodysToken000000000000000000", "openai/gpt-oss-120b", 401, "Invalid credentials"),
    ],
)
def test_the_router_refuses_in_its_own_words(endpoint: str, token: str, model: str, status: int, words: str):
    client = InferenceClient(base_url=f"{endpoint}/v1", api_key=token)
    with client, pytest.raises(errors.HfHubHTTPError, match=words) as caught:
        client.chat_completion([{"role": "user", "content": "x"}], model=model)
    assert caught.value.response.status_code == status


@pytest.mark.parametrize("model", ["openai/gpt-oss-120b", "openai/gpt-oss-120b:groq", "openai/gpt-oss-120b:fastest"])
def test_a_provider_or_a_policy_may_stand_behind_the_name(endpoint: str, model: str):
    with InferenceClient(base_url=f"{endpoint}/v1", api_key=world.GOOD_TOKEN) as client:
        answer = client.chat_completion([{"role": "user", "content": "hello"}], model=model, max_tokens=16)
    assert answer.choices[0].message.content


def test_every_model_is_not_found_under_a_stale_path(endpoint: str):
    with InferenceClient(base_url=f"{endpoint}/hf/v1", api_key=world.GOOD_TOKEN) as client:
        for model in ("openai/gpt-oss-120b", "nosuch/model"):
            with pytest.raises(errors.HfHubHTTPError) as caught:
                client.chat_completion([{"role": "user", "content": "x"}], model=model)
            assert caught.value.response.status_code == 404
            assert caught.value.response.text == "Not Found"

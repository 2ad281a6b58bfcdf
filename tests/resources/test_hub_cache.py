"""What Hugging Face's own client leaves in its cache is whole; what was cut off, or never came, is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, try_to_load_from_cache

from doctor.pipeline.sandbox.hugging_face.application import build_application
from doctor.resources.environment import Environment
from doctor.resources.hub_cache import Downloaded, cache_folder, cached, is_offline
from tests.serving import serving

NAME = "TinyLlama/TinyLlama-1.1B-Chat-v1.0"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serving(build_application()) as url:
        yield url


@pytest.fixture
def snapshot(endpoint: str, tmp_path: Path) -> Path:
    """The snapshot that the client made in ``tmp_path``."""
    return Path(HfApi(endpoint, token=False).snapshot_download(NAME, cache_dir=tmp_path))


def test_what_the_client_downloaded_is_whole(snapshot: Path, tmp_path: Path):
    assert isinstance(try_to_load_from_cache(NAME, "config.json", cache_dir=tmp_path), str)
    assert cached(NAME, tmp_path).state is Downloaded.WHOLE


def test_what_never_came_is_absent(tmp_path: Path):
    found = cached(NAME, tmp_path)
    assert (found.state, found.missing) == (Downloaded.ABSENT, "no snapshot")
    assert found.folder == tmp_path / "models--TinyLlama--TinyLlama-1.1B-Chat-v1.0"


@pytest.mark.parametrize("name, missing", [("model.safetensors", "a file of weights"), ("config.json", "config.json")])
def test_a_file_that_leads_nowhere_is_missing(snapshot: Path, tmp_path: Path, name: str, missing: str):
    (snapshot / name).resolve().unlink()
    assert (cached(NAME, tmp_path).state, cached(NAME, tmp_path).missing) == (Downloaded.PARTIAL, missing)


def test_a_file_that_is_not_finished_makes_it_partial(snapshot: Path, tmp_path: Path):
    (snapshot.parent.parent / "blobs" / "abc.incomplete").write_bytes(b"x")
    assert "not finished" in cached(NAME, tmp_path).missing


def test_each_shard_of_the_index_must_be_there(snapshot: Path, tmp_path: Path):
    weights = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weights}))
    (snapshot / weights["a"]).write_bytes(b"x")
    assert cached(NAME, tmp_path).missing == f"shard {weights['b']}"
    (snapshot / weights["b"]).write_bytes(b"x")
    assert cached(NAME, tmp_path).state is Downloaded.WHOLE


@pytest.mark.parametrize("text", ["", "[", "[]", '{"weight_map": 7}'])
def test_an_index_that_is_none_names_no_shards(snapshot: Path, tmp_path: Path, text: str):
    (snapshot / "model.safetensors.index.json").write_text(text)
    assert cached(NAME, tmp_path).state is Downloaded.WHOLE


def test_without_a_reference_the_newest_snapshot_counts(snapshot: Path, tmp_path: Path):
    (snapshot.parent.parent / "refs" / "main").write_text("nosuch")
    assert cached(NAME, tmp_path).state is Downloaded.WHOLE


@pytest.mark.parametrize(
    "variables, folder",
    [
        ({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}, "/a"),
        ({"HF_HOME": "/b", "XDG_CACHE_HOME": "/c"}, "/b/hub"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub"),
        ({}, "/home/.cache/huggingface/hub"),
    ],
)
def test_the_cache_is_where_the_clients_variables_put_it(tmp_path: Path, variables: dict[str, str], folder: str):
    environment = Environment(tmp_path, files=(), process_environment=variables)
    assert cache_folder(environment, Path("/home")) == Path(folder)


@pytest.mark.parametrize("value, offline", [("1", True), ("TRUE", True), ("0", False), ("", False)])
def test_the_network_may_be_forbidden(tmp_path: Path, value: str, offline: bool):
    environment = Environment(tmp_path, files=(), process_environment={"HF_HUB_OFFLINE": value})
    assert is_offline(environment) is offline

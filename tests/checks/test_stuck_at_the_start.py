"""A service that is stuck at its start: for a model, for signing keys, or for NATS."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import pytest
from huggingface_hub import snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError
from jwt import PyJWKClient
from jwt.exceptions import PyJWKClientError

from doctor.checks.blocking_download import blocking_download
from doctor.pipeline.sandbox.ports import free_port
from tests.checks.conftest import AskAll
from tests.serving import serving

NAME = "Qwen/Qwen2.5-7B-Instruct"
LOOKS = ("INI004", "MOD010", "NAT001")
DOWNLOADS, IN_A_THREAD = blocking_download.bad[0].files, blocking_download.good[0].files
FETCHES_KEYS = {
    "app/__init__.py": "",
    "app/api.py": "from fastapi import FastAPI\nfrom jwt import PyJWKClient\n\n"
    "app = FastAPI()\nclient = PyJWKClient('https://clerk.example.com/keys')\nclient.get_signing_keys()\n",
}


class Held:
    """A stand-in that answers nobody before it is let go, and then that there is nothing."""

    def __init__(self) -> None:
        self.url = ""
        self.asked, self.let_go = threading.Event(), threading.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.asked.set()
        await asyncio.to_thread(self.let_go.wait)
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    def holds(self, call: Callable[[], object], refusal: type[Exception]) -> bool:
        """Tell whether a call waits for the answer, and ends with the refusal when that comes."""
        ended = []

        def make() -> None:
            try:
                call()
            except refusal:
                ended.append(True)

        thread = threading.Thread(target=make)
        thread.start()
        waits = self.asked.wait(10) and not ended
        self.let_go.set()
        thread.join(10)
        return waits and bool(ended)


@pytest.fixture
def held() -> Iterator[Held]:
    stand_in = Held()
    with serving(stand_in) as stand_in.url:
        yield stand_in
        stand_in.let_go.set()


@pytest.mark.symptom("13a")
async def test_a_download_before_the_server_is_up_is_named(ask_all: AskAll, held: Held, tmp_path: Path, told):
    def download() -> None:
        snapshot_download(NAME, endpoint=held.url, cache_dir=tmp_path / "cache", token=False)

    assert held.holds(download, LocalEntryNotFoundError)
    told(await ask_all(DOWNLOADS, LOOKS, HF_ENDPOINT=held.url, HF_HUB_CACHE=str(tmp_path / "cache")))


@pytest.mark.symptom("13b")
async def test_keys_that_are_fetched_before_the_server_is_up_are_named(ask_all: AskAll, held: Held, told):
    assert held.holds(PyJWKClient(held.url).get_signing_keys, PyJWKClientError)
    told(await ask_all(FETCHES_KEYS, LOOKS))


@pytest.mark.symptom("13c")
@pytest.mark.variation("13a", "NAT001")
async def test_a_start_that_waits_for_nats_is_seen_where_nats_is_away(ask_all: AskAll, tmp_path: Path, told):
    url, failed = f"nats://127.0.0.1:{free_port()}", asyncio.Event()

    async def count(error: Exception) -> None:
        failed.set()

    connecting = asyncio.create_task(nats.connect(url, error_cb=count))
    await failed.wait()
    assert not connecting.done()
    connecting.cancel()
    await asyncio.gather(connecting, return_exceptions=True)
    snapshot = tmp_path / "cache" / f"models--{NAME.replace('/', '--')}" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (snapshot / name).write_text("{}")
    cached = {"LOCAL_MODEL": NAME, "HF_HUB_CACHE": str(tmp_path / "cache")}
    told(await ask_all(IN_A_THREAD, LOOKS, NATS_URL=url, **cached))

"""The stand-in says that it is one, counts, keeps its key, and can be as much of a nuisance as it is told to be."""

from __future__ import annotations

import subprocess
import sys
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import jwt
import pytest
from jwt import PyJWKClient

from doctor.pipeline.sandbox.keys.identity import publishable_key
from doctor.pipeline.sandbox.keys.key_file import kept_key
from doctor.pipeline.sandbox.ports import free_port
from tests.key_stand_in import SECRET_KEY, KeyStandIn


@pytest.fixture
def http(keys: KeyStandIn):
    with httpx.Client(base_url=keys.url, timeout=5, trust_env=False) as client:
        yield client


def test_every_answer_says_what_it_is_and_has_the_time(keys: KeyStandIn, http: httpx.Client) -> None:
    for path in ("/.well-known/jwks.json", "/.well-known/openid-configuration", "/v1/jwks"):
        answer = http.get(path)
        assert answer.headers.get_list("server") == ["jwks-stand-in/0.0.0"]
        assert len(answer.headers.get_list("date")) == 1
    keys.behave(clock_offset_seconds=-3600)
    late = parsedate_to_datetime(http.get("/.well-known/jwks.json").headers["date"])
    assert 3_595 < time.time() - late.timestamp() < 3_605


def test_a_publishable_key_is_the_one_of_the_reference() -> None:
    assert publishable_key("foo-bar-13.clerk.accounts.dev") == "pk_test_Zm9vLWJhci0xMy5jbGVyay5hY2NvdW50cy5kZXYk"
    assert publishable_key("clerk.example.com", "live") == "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"


def test_the_keys_of_the_back_are_for_the_secret_key_only(keys: KeyStandIn, http: httpx.Client) -> None:
    assert http.get("/v1/jwks").status_code == 401
    answer = http.get("/v1/jwks", headers={"Authorization": f"Bearer {SECRET_KEY}"})
    assert [key["kid"] for key in answer.json()["keys"]] == [keys.instance.current.kid]


def test_requests_are_counted_and_misbehaviour_is_switched_over_http(keys: KeyStandIn, http: httpx.Client) -> None:
    assert http.put("/_stand_in/behaviour", json={"mode": "html"}).json()["mode"] == "html"
    assert http.get("/.well-known/jwks.json").headers["content-type"].startswith("text/html")
    assert http.put("/_stand_in/behaviour", json={"mode": "no such mode"}).status_code == 400
    assert http.delete("/_stand_in/behaviour").json()["mode"] == "right"
    http.get("/.well-known/jwks.json").raise_for_status()
    assert http.get("/_stand_in/requests").json()["/.well-known/jwks.json"] == 2


def test_tokens_are_minted_over_http_and_a_rotation_leaves_them_without_a_key(
    keys: KeyStandIn, http: httpx.Client
) -> None:
    token = http.post("/_stand_in/token", json={"claims": {"sub": "user_2"}}).json()["token"]
    client = PyJWKClient(keys.jwks_url, cooldown_duration=0)
    assert jwt.decode(token, client.get_signing_key_from_jwt(token))["sub"] == "user_2"
    kid = http.post("/_stand_in/rotate").json()["kid"]
    with pytest.raises(jwt.PyJWKClientError, match="Unable to find"):
        PyJWKClient(keys.jwks_url).get_signing_key_from_jwt(token)
    assert client.get_signing_key(kid).key_id == kid


def test_the_keys_of_before_a_rotation_can_be_shown_for_a_while(keys: KeyStandIn, http: httpx.Client) -> None:
    old = keys.instance.current.kid
    new = keys.instance.rotate().kid
    http.put("/_stand_in/behaviour", json={"after_hits": 1})
    shown = [http.get("/.well-known/jwks.json").json()["keys"][0]["kid"] for _ in range(2)]
    assert shown == [old, new]


def test_a_huge_body_is_huge_and_a_drip_never_ends(keys: KeyStandIn, http: httpx.Client) -> None:
    for mode, least in (("huge", 20_000_000), ("drip", 13)):
        keys.behave(mode)
        read = 0
        with http.stream("GET", "/.well-known/jwks.json") as answer:
            for piece in answer.iter_raw():
                read += len(piece)
                if read >= least:
                    break
        assert read >= least


def test_as_a_process_it_keeps_its_key_from_one_start_to_the_next(tmp_path: Path) -> None:
    file, port = tmp_path / "key.json", free_port()
    kid = kept_key(file).kid
    assert file.stat().st_mode & 0o777 == 0o600
    command = [sys.executable, "-m", "doctor.pipeline.sandbox.keys", "--port", str(port), "--key-file", str(file)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "stand-in" in process.stderr.readline()
        until = time.monotonic() + 20
        while True:
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/.well-known/jwks.json", trust_env=False)
                break
            except httpx.TransportError:
                assert time.monotonic() < until
        process.terminate()
        process.stderr.read()
    assert answer.json()["keys"][0]["kid"] == kid
    file.write_text("{}")
    assert kept_key(file).kid != kid

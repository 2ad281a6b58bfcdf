"""A token is shown to a running application: whether it takes good ones, and whether it takes forged ones."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import jwt
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doctor.checks import auth_fail_open_default
from doctor.model import Severity, Status
from doctor.pipeline.sandbox.ports import free_port
from tests.checks.auth_target import HOST_SETTINGS, Examined, examined
from tests.key_stand_in import KeyStandIn


class Application:
    """An application that verifies in the way that it is told to: rightly, not at all, or wrongly."""

    def __init__(self) -> None:
        self.port = free_port()
        self.way = ""
        self.keys_url = ""
        self.asked = 0

    def me(self, request: Request) -> Response:
        self.asked += 1
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if self.way == "public":
            return JSONResponse({})
        if scheme != "Bearer" or self.way == "locked":
            return JSONResponse({}, 401)
        if self.way == "open":
            return JSONResponse(jwt.decode(token, options={"verify_signature": False}))
        if self.way == "moved":
            return JSONResponse({}, 404)
        algorithms = ["RS256", "HS256"] if self.way == "mixed" else ["RS256"]
        try:
            key = jwt.PyJWKClient(self.keys_url).get_signing_key_from_jwt(token)
            return JSONResponse(jwt.decode(token, key.key, algorithms=algorithms))
        except jwt.PyJWTError:  # and nothing else, as applications do
            return JSONResponse({}, 401)


@contextlib.contextmanager
def running() -> Iterator[Application]:
    application = Application()
    routes = Starlette(routes=[Route("/me", application.me)])
    server = uvicorn.Server(uvicorn.Config(routes, port=application.port, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield application
    server.should_exit = server.force_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def _application() -> Iterator[Application]:
    with running() as found:
        yield found


@pytest.fixture
def application(_application: Application, keys: KeyStandIn) -> Application:
    _application.way, _application.keys_url, _application.asked = "right", keys.jwks_url, 0
    return _application


@pytest.fixture
def ask(keys: KeyStandIn, application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in (*HOST_SETTINGS, "API_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "doctor.toml").write_text('[target.auth]\nendpoint = "GET /me"\n')
    settings = {"CLERK_PUBLISHABLE_KEY": keys.publishable_key, "API_URL": f"http://127.0.0.1:{application.port}/"}

    def run(token: str, **others: str) -> Examined:
        return examined(tmp_path, settings | others, token, static=(tmp_path / "app").is_dir())

    return run


def test_an_application_that_takes_good_tokens_and_no_forged_ones_is_well(ask, keys: KeyStandIn) -> None:
    seen = ask(keys.mint())
    assert seen.roots() == []
    assert seen.ruled_out() >= {"good tokens refused", "application that lets forged tokens in"}


@pytest.mark.variation("26a", "AUT014")
def test_an_application_that_refuses_a_good_token_is_unexplained_where_nothing_else_is_wrong(
    ask, keys: KeyStandIn, application: Application, told
) -> None:
    application.way = "locked"
    seen = ask(keys.mint())
    told(seen.run.before)
    assert "answers 401 to the token in GIVEN_TOKEN, which fails no check" in seen.finding("AUT014").symptom
    assert [each.fingerprint for each in seen.run.diagnosis.unexplained] == [seen.finding("AUT014").fingerprint]


@pytest.mark.symptom("26a")
def test_500_for_every_token_is_explained_by_the_page_in_place_of_the_keys(ask, keys: KeyStandIn, told) -> None:
    keys.behave("html")
    seen = ask(keys.mint())
    told(seen.run.before)
    assert "answers 500" in seen.finding("AUT014").symptom
    assert seen.roots() == ["AUT005"]
    assert seen.effects() == {"AUT014"}
    assert "application that lets forged tokens in" not in seen.ruled_out()


VERIFIER = """\
import jwt


def verify(token: str, key: str) -> dict:
    return jwt.decode(token, key, algorithms={algorithms})
"""


def answered(application: Application, token: str) -> int:
    """Return what the application says to a token."""
    url = f"http://127.0.0.1:{application.port}/me"
    return httpx.get(url, headers={"Authorization": f"Bearer {token}"}, trust_env=False).status_code


@pytest.fixture
def shared_secret(keys: KeyStandIn) -> str:
    """A token that is signed with the public key as if it were a secret."""
    return keys.mint(signer="public-key-as-secret")


@pytest.mark.symptom("26b")
def test_500_for_a_forged_token_is_explained_by_two_kinds_of_algorithms(
    ask, application: Application, shared_secret: str, tmp_path: Path, told
) -> None:
    application.way = "mixed"
    assert answered(application, shared_secret) == 500
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "auth.py").write_text(VERIFIER.format(algorithms=["RS256", "HS256"]))
    told(ask(shared_secret).run.before)


@pytest.mark.variation("26b", "AUT011")
def test_401_for_the_same_token_is_a_verifier_of_one_kind(
    ask, application: Application, shared_secret: str, tmp_path: Path, told
) -> None:
    assert answered(application, shared_secret) == 401
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "auth.py").write_text(VERIFIER.format(algorithms=["RS256"]))
    told(ask(shared_secret).run.before)


def test_a_token_that_is_refused_rightly_is_not_held_against_the_application(ask, keys: KeyStandIn) -> None:
    seen = ask(keys.mint(age=400))
    assert seen.result("AUT014").status is Status.SKIP
    assert "application that lets forged tokens in" in seen.ruled_out()


def test_an_application_that_takes_a_forged_token_is_open_and_its_code_says_why(
    ask, keys: KeyStandIn, application: Application, tmp_path: Path
) -> None:
    application.way = "open"
    for path, text in auth_fail_open_default.auth_fail_open_default.bad[0].files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    seen = ask(keys.mint())
    assert seen.finding("AUT015").severity is Severity.CRITICAL
    assert "AUT004" in seen.roots()
    assert "AUT015" in seen.effects()


@pytest.mark.parametrize("way", ["public", "moved"])
def test_an_endpoint_that_is_for_everybody_or_gone_proves_nothing(
    ask, keys: KeyStandIn, application: Application, way: str
) -> None:
    application.way = way
    seen = ask(keys.mint())
    assert seen.findings("AUT015") == ()
    assert seen.findings("AUT014") == ()


def test_a_token_is_not_sent_beyond_this_machine_without_tls(ask, keys: KeyStandIn, application: Application) -> None:
    seen = ask(keys.mint(), API_URL="http://api.example.com")
    assert "not sent without TLS" in seen.result("AUT014").reason
    assert application.asked == 0

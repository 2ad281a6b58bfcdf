"""``doctor check --token-env``: a token is taken apart, and neither it nor any other secret is shown or recorded."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from doctor.commands.output import registry
from tests.checks.auth_target import write_settings
from tests.forked_doctor import run
from tests.key_stand_in import SECRET_KEY, KeyStandIn

NAME = "SESSION_TOKEN"


@pytest.fixture
def check(keys: KeyStandIn, tmp_path: Path):
    settings = {
        "CLERK_PUBLISHABLE_KEY": keys.publishable_key,
        "CLERK_SECRET_KEY": SECRET_KEY,
        "CLERK_API_URL": keys.url,
    }
    write_settings(tmp_path, settings)

    def call(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return run("check", "--select", "AUT", *words, cwd=tmp_path, extra=variables)

    return call


def test_no_format_and_no_record_holds_the_token_or_a_key(check, keys: KeyStandIn, tmp_path: Path) -> None:
    personal = {
        "email": "planted@example.com",
        "sub": "user_planted",
        "sid": "sess_planted",
        "azp": "https://o.invalid",
    }
    token = keys.mint(age=400, claims=personal | {"aud": "api"}, headers={"kid": "ins_other"})
    out = tmp_path / "out"
    out.mkdir()
    formats = [word for name in registry().reports for word in ("--format", f"{name}:{out / name}")]
    shown = check(*formats, "--format", "text", "--token-env", NAME, "-v", **{NAME: token})
    assert shown.returncode == 1, shown.stderr
    record = [path for path in (tmp_path / ".doctor").rglob("*") if path.is_file()]
    texts = [shown.stdout, shown.stderr, *(path.read_text() for path in [*out.iterdir(), *record])]
    assert len(texts) > 2 + len(registry().reports)
    assert sum("AUT011" in text for text in texts) >= 3
    planted = (*token.split("."), SECRET_KEY, keys.publishable_key, "planted")
    assert not [secret for secret in planted for text in texts if secret in text]


def test_without_a_token_the_check_of_tokens_does_not_run(check, keys: KeyStandIn) -> None:
    document = json.loads(check("--format", "json").stdout)
    assert "AUT011" not in document["checks"]
    assert document["checks"]["AUT005"]["status"] == "pass"
    assert keys.hits() == 1


def test_a_good_token_is_no_finding(check, keys: KeyStandIn) -> None:
    answer = check("--token-env", NAME, "--format", "json", **{NAME: keys.mint()})
    assert answer.returncode == 0, answer.stdout
    ruled_out = {each["hypothesis"] for each in json.loads(answer.stdout)["diagnosis"]["ruled_out"]}
    assert {"forged or damaged token", "expired token", "clock skew"} <= ruled_out


def test_a_token_in_place_of_a_name_is_refused_and_not_repeated(check, keys: KeyStandIn) -> None:
    token = keys.mint()
    answer = check("--token-env", token)
    assert answer.returncode == 2
    assert "has a variable of this name" in answer.stderr
    assert token.split(".")[1] not in answer.stdout + answer.stderr

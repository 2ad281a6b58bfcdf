"""The address of the keys: what is served there, who can reach it, and whether it is an address at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from doctor.model import Severity, Status
from tests.key_stand_in import KeyStandIn

PUBLISHED = "signing keys out of reach"
ISSUER = "misspelt issuer"


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("not-found", "does not exist there"),
        ("unauthorized", "is not for everybody"),
        ("error", "answers with an error"),
        ("html", "a page for people"),
        ("empty", "publishes no key"),
        ("no-keys", "publishes no key"),
        ("list", "no set of keys"),
        ("encryption-only", "for encryption only"),
        ("without-kid", "without `kid`"),
        ("unusable", "no usable kind"),
        ("truncated", "broken JSON"),
        ("invalid-utf8", "broken JSON"),
        ("huge", "answers without end"),
        ("cut-short", "the connection was closed"),
        ("header-bomb", "something else answers at this address"),
    ],
)
def test_keys_that_cannot_be_used_are_the_root_and_say_which_failure_it_is(
    ask, keys: KeyStandIn, mode: Any, words: str
) -> None:
    keys.behave(mode)
    seen = ask()
    assert seen.roots() == ["AUT005"]
    assert words in seen.finding("AUT005").symptom
    assert seen.finding("AUT005").severity is Severity.CRITICAL
    assert ISSUER in seen.ruled_out()
    assert PUBLISHED not in seen.ruled_out()


def test_html_says_why_the_application_answers_500_and_a_redirect_where_it_leads(ask, keys: KeyStandIn) -> None:
    keys.behave("html")
    assert any("JSONDecodeError" in impact for impact in ask().finding("AUT005").impacts)
    keys.behave("redirect")
    assert "/moved/jwks.json" in ask().finding("AUT005").evidence[0].text


@pytest.mark.symptom("27b")
@pytest.mark.variation("27a", "AUT005")
@pytest.mark.parametrize("mode", ["redirect", "redirect-circle"])
@pytest.mark.parametrize(
    ("required", "severity"),
    [("", Severity.WARNING), ("pyjwt==2.10.1", Severity.WARNING), ("pyjwt>=2.14", Severity.CRITICAL)],
)
def test_a_redirect_is_an_outage_only_where_the_library_is_known_to_follow_none(
    ask, keys: KeyStandIn, tmp_path: Path, mode: Any, required: str, severity: Severity, told
) -> None:
    (tmp_path / "requirements.txt").write_text(required)
    keys.behave(mode)
    seen = ask()
    told(seen.run.before)
    finding = seen.finding("AUT005")
    assert finding.severity is severity
    assert "follows no redirect from 2.14 on" in finding.symptom


def test_json_under_a_wrong_content_type_is_no_fault(ask, keys: KeyStandIn) -> None:
    keys.behave("wrong-content-type")
    assert ask(keys.mint()).roots() == []


@pytest.mark.symptom("27a")
def test_keys_out_of_reach_are_the_root_and_the_token_is_still_taken_apart(ask, keys: KeyStandIn, told) -> None:
    url = "http://127.0.0.1:1/.well-known/jwks.json"
    seen = ask(keys.mint(age=400), CLERK_PUBLISHABLE_KEY="", CLERK_ISSUER=keys.url, CLERK_JWKS_URL=url)
    told(seen.run.before)
    assert "AUT005" in seen.roots()
    assert "nothing listens" in seen.finding("AUT005").symptom
    assert seen.subjects() == ["expired"]
    assert seen.result("AUT010").status is Status.SKIP
    assert seen.result("AUT010").blocked_by == "AUT005"


@pytest.mark.parametrize(
    ("ports", "words"),
    [
        ("", "its port 8080 is not published"),
        (", ports: ['1:8080']", "nothing answers on port 1 of this machine either"),
        (", ports: ['{port}:8080']", "from here it answers at http://127.0.0.1:{port}/"),
    ],
)
def test_a_provider_whose_name_only_containers_know_is_no_outage(
    ask, keys: KeyStandIn, tmp_path: Path, ports: str, words: str
) -> None:
    port = keys.url.rpartition(":")[2]
    keycloak = f"{{image: keycloak{ports.replace('{port}', port)}}}"
    (tmp_path / "compose.yaml").write_text(f"services: {{keycloak: {keycloak}, api: {{build: .}}}}")
    settings = {"CLERK_PUBLISHABLE_KEY": "", "OIDC_ISSUER": "http://keycloak:8080"}
    result = ask(OIDC_JWKS_URL="http://keycloak:8080/.well-known/jwks.json", **settings).result("AUT005")
    assert (result.status, result.findings) == (Status.UNKNOWN, ())
    assert "cannot tell from here: `keycloak` is a service of compose.yaml" in result.reason
    assert words.replace("{port}", port) in result.reason
    assert "docker compose exec api python -c" in result.reason
    assert ask(**settings).result("AUT005").status is Status.UNKNOWN


@pytest.mark.parametrize("mode", ["slow", "drip"])
def test_a_provider_that_hangs_costs_one_deadline_and_changes_nothing_else(ask, keys: KeyStandIn, mode: Any) -> None:
    settings = {"CLERK_JWT_KEY": keys.instance.current.public_pem(), "ENVIRONMENT": "production"}
    before = ask(keys.mint(), **settings)
    keys.behave(mode, delay_seconds=600)
    seen = ask(keys.mint(), patience=0.5, **settings)
    assert "nobody answered in time" in seen.finding("AUT005").symptom
    for code in ("AUT006", "AUT007", "AUT012"):
        assert seen.findings(code) == before.findings(code)
        assert seen.result(code).status is before.result(code).status
    assert {seen.result(code).blocked_by for code in ("AUT008", "AUT010")} == {"AUT005"}


@pytest.mark.symptom("28")
@pytest.mark.parametrize("lose_capitals", [False, True])
def test_a_host_that_is_an_undecoded_key_explains_why_nothing_is_found_there(
    ask, keys: KeyStandIn, lose_capitals: bool, told
) -> None:
    label = keys.publishable_key.removeprefix("pk_test_")
    label = label.lower() if lose_capitals else label
    seen = ask(keys.mint(), CLERK_JWKS_URL=f"https://{label}.clerk.invalid/.well-known/jwks.json")
    told(seen.run.before)
    assert seen.roots() == ["AUT012"]
    assert f"decoded it is {keys.host}" in seen.finding("AUT012").symptom
    assert seen.effects() == {"AUT005"}


@pytest.mark.variation("28", "AUT005")
def test_a_host_that_merely_does_not_exist_is_no_undecoded_key(ask, told) -> None:
    url = "https://clerk.no-such-name.invalid/.well-known/jwks.json"
    seen = ask(CLERK_PUBLISHABLE_KEY="", CLERK_ISSUER="https://clerk.no-such-name.invalid", CLERK_JWKS_URL=url)
    told(seen.run.before)
    assert seen.roots() == ["AUT005"]
    assert "does not resolve" in seen.finding("AUT005").symptom
    assert "publishable key used undecoded" in seen.ruled_out()

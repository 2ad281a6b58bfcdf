"""Each symptom of a token that is refused is produced on the wire: its cause is named, its look-alikes are ruled out.

The numbers are those of the signatures: 23 unknown key, 24 issuer and wrong signature, 25 times, 26 and 27 the address
of the keys, 28 undecoded key, 29 audience and origin. A variation of each with another cause gets the other verdict.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from doctor.model import Severity, Status
from doctor.pipeline.sandbox.keys.identity import publishable_key
from tests.checks.auth_target import HOST_SETTINGS, Examined, examined
from tests.key_stand_in import SECRET_KEY, KeyStandIn, serving

PUBLISHED = "signing keys out of reach"
SKEW = "clock skew"
ISSUER = "misspelt issuer"
FORGED = "forged or damaged token"
UNKNOWN_KEY = "unknown signing key"
EXPIRED = "expired token"
EARLY = "token from the future"


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in HOST_SETTINGS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ask(keys: KeyStandIn, tmp_path: Path):
    """Examine a target that verifies tokens of the stand-in, with one of its tokens; keywords change the settings."""

    def run(token: str | None = None, **settings: str) -> Examined:
        usual = {"CLERK_PUBLISHABLE_KEY": keys.publishable_key}
        return examined(tmp_path, {name: value for name, value in (usual | settings).items() if value}, token)

    return run


def test_a_good_token_passes_every_check_and_rules_every_cause_out(ask, keys: KeyStandIn) -> None:
    seen = ask(keys.mint(), CLERK_AUTHORIZED_PARTIES="http://localhost:3000", CLERK_SECRET_KEY="")
    assert seen.roots() == []
    assert seen.ruled_out() >= {PUBLISHED, SKEW, ISSUER, FORGED, UNKNOWN_KEY, EXPIRED, EARLY}
    assert "token of an origin that is not allowed" in seen.ruled_out()


# 23: every token is refused, its key is not published.


def test_a_token_of_another_instance_is_told_by_key_and_issuer_together(ask, keys: KeyStandIn) -> None:
    seen = ask(keys.mint(headers={"kid": "ins_other"}, claims={"iss": "https://other.example.com"}))
    assert seen.subjects() == ["instance"]
    assert "issued by other.example.com" in seen.finding("AUT011").symptom
    assert seen.ruled_out() >= {PUBLISHED, SKEW, ISSUER, EXPIRED}
    assert not seen.ruled_out() & {UNKNOWN_KEY, FORGED}


def test_a_key_that_appears_when_it_is_fetched_again_is_a_rotation(ask, keys: KeyStandIn) -> None:
    keys.instance.rotate()
    keys.behave(after_hits=1)
    seen = ask(keys.mint())
    assert seen.subjects() == ["rotation"]
    assert seen.finding("AUT011").severity is Severity.WARNING
    assert keys.hits() == 2
    assert seen.ruled_out() >= {PUBLISHED, SKEW, ISSUER, EXPIRED, "token of another issuer"}


def test_a_key_that_was_withdrawn_stays_unknown_though_the_issuer_is_right(ask, keys: KeyStandIn) -> None:
    keys.instance.rotate()
    seen = ask(keys.mint(signer="previous"))
    assert seen.subjects() == ["key"]
    assert keys.hits() == 2
    assert "token of another issuer" in seen.ruled_out()


def test_keys_of_another_instance_are_found_by_the_secret_key_without_any_token(ask, keys: KeyStandIn) -> None:
    keys.behave("other-instance")
    seen = ask(keys.mint(), CLERK_SECRET_KEY=SECRET_KEY, CLERK_API_URL=keys.url)
    assert seen.roots() == ["AUT008"]
    assert "another instance" in seen.finding("AUT008").symptom
    assert seen.subjects() == ["key"]
    assert seen.effects() == {"AUT011"}


def test_another_key_under_the_same_name_is_found_by_its_number(ask, keys: KeyStandIn) -> None:
    keys.behave("other-key")
    seen = ask(keys.mint(), CLERK_SECRET_KEY=SECRET_KEY, CLERK_API_URL=keys.url)
    assert seen.roots() == ["AUT008"]
    assert "the same name and another number" in seen.finding("AUT008").evidence[0].text
    assert seen.subjects() == ["signature"]
    assert seen.effects() == {"AUT011"}


@pytest.mark.parametrize("mode", ["test", "live"])
def test_settings_of_two_instances_are_told_before_any_token_is_seen(ask, keys: KeyStandIn, mode: Any) -> None:
    other = publishable_key("clerk.example.com", mode)
    seen = ask(NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY=other)
    assert seen.roots() == ["AUT007"]
    assert "clerk.example.com" in seen.finding("AUT007").symptom


def test_a_test_key_beside_a_live_key_explains_the_unknown_key(ask, keys: KeyStandIn) -> None:
    token = keys.mint(headers={"kid": "ins_other"})
    seen = ask(token, CLERK_SECRET_KEY=SECRET_KEY.replace("test", "live"), CLERK_API_URL=keys.url)
    assert "AUT007" in seen.roots()
    assert "is a test key and CLERK_SECRET_KEY is a live key" in seen.finding("AUT007").symptom
    assert "AUT011" in seen.effects()


# 24: the issuer does not fit, or the signature does not.


@pytest.mark.parametrize(
    ("issuer", "words"),
    [
        ("{url}/", "a slash at the end is too many"),
        ("{bare}", "https:// in front is missing"),
        ("{secure}", "https for http"),
        ("{url}/v1", "another path"),
    ],
)
def test_an_issuer_that_is_written_differently_is_a_setting_not_a_token(
    ask, keys: KeyStandIn, issuer: str, words: str
) -> None:
    written = issuer.format(url=keys.url, secure=keys.url.replace("http:", "https:"), bare=keys.host)
    seen = ask(keys.mint(), CLERK_ISSUER=written, CLERK_JWKS_URL=keys.jwks_url)
    if words in ("https for http", "another path"):  # the address is wrong too, and nobody there says how it is called
        assert seen.subjects() == ["issuer"]
        assert "though the signature is right" in seen.finding("AUT011").symptom
        return
    assert seen.roots() == ["AUT009"]
    assert words in seen.finding("AUT009").symptom
    assert seen.effects() == {"AUT011"}
    assert seen.ruled_out() >= {PUBLISHED, SKEW, FORGED, UNKNOWN_KEY, EXPIRED}


def test_an_issuer_of_another_host_is_a_contradiction_of_the_settings(ask, keys: KeyStandIn) -> None:
    keys.behave(metadata_issuer="https://clerk.example.com")
    seen = ask(keys.mint())
    assert seen.roots() == ["AUT009"]
    assert "another host" in seen.finding("AUT009").symptom


def test_a_static_key_of_another_instance_explains_a_signature_that_the_published_key_finds_right(
    ask, keys: KeyStandIn
) -> None:
    seen = ask(keys.mint(), CLERK_JWT_KEY=keys.instance.stranger.public_pem().replace("\n", "\\n"))
    assert seen.roots() == ["AUT008"]
    assert seen.subjects() == ["static key"]
    assert seen.effects() == {"AUT011"}
    assert seen.ruled_out() >= {PUBLISHED, SKEW, ISSUER, FORGED, UNKNOWN_KEY}


def test_a_forged_token_is_wrong_with_the_published_key_and_the_static_key_is_ruled_out(ask, keys: KeyStandIn) -> None:
    seen = ask(keys.mint(signer="stranger"), CLERK_JWT_KEY=keys.instance.current.public_pem())
    assert set(seen.subjects()) == {"signature", "static key"}
    assert "static key of another instance" in seen.ruled_out()
    assert FORGED not in seen.ruled_out()


def test_a_static_key_that_is_none_is_said_to_be_none(ask, keys: KeyStandIn) -> None:
    assert "is no public key" in ask(CLERK_JWT_KEY="-----BEGIN PUBLIC KEY-----").finding("AUT008").symptom


# 25: the times.


def test_a_token_from_the_future_is_a_clock_that_is_behind(ask, keys: KeyStandIn) -> None:
    keys.behave(clock_offset_seconds=120)
    seen = ask(keys.mint(age=-120))
    assert seen.roots() == ["AUT010"]
    assert "s behind the identity provider's" in seen.finding("AUT010").symptom
    assert seen.subjects() == ["too early"]
    assert seen.effects() == {"AUT011"}
    assert seen.ruled_out() >= {PUBLISHED, ISSUER, FORGED, UNKNOWN_KEY, EXPIRED}


def test_an_expired_token_is_a_clock_that_is_ahead(ask, keys: KeyStandIn) -> None:
    keys.behave(clock_offset_seconds=-120)
    seen = ask(keys.mint(age=120))
    assert seen.roots() == ["AUT010"]
    assert "s ahead of the identity provider's" in seen.finding("AUT010").symptom
    assert seen.subjects() == ["expired"]
    assert seen.effects() == {"AUT011"}


def test_an_expired_token_while_the_clocks_agree_was_kept_too_long_by_its_sender(ask, keys: KeyStandIn) -> None:
    seen = ask(keys.mint(age=120))
    assert seen.roots() == ["AUT011"]
    assert seen.finding("AUT011").severity is Severity.WARNING
    wanted = r"expired 6\d s ago, it lives 60 s, and the clocks agree; everything else is right"
    assert re.search(wanted, seen.finding("AUT011").symptom)
    assert SKEW in seen.ruled_out()


def test_a_token_from_the_future_while_the_clocks_agree_was_made_with_a_wrong_clock(ask, keys: KeyStandIn) -> None:
    seen = ask(keys.mint(age=-120))
    assert seen.roots() == ["AUT011"]
    assert seen.finding("AUT011").cause == "it was made with a clock that is ahead"


@pytest.mark.parametrize(("age", "accepted"), [(-3, True), (62, True), (-30, False), (75, False)])
def test_times_have_the_leeway_of_the_clocks(ask, keys: KeyStandIn, age: int, accepted: bool) -> None:
    seen = ask(keys.mint(age=age, claims={"nbf": int(time.time()) - age}))
    assert (seen.roots() == [], seen.findings("AUT011") == ()) == (accepted, accepted)
    texts = " ".join(each.text for each in seen.result("AUT011").observations)
    assert ("within the leeway of 5 s" in texts) is accepted


# 26 and 27: the address of the keys.


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


@pytest.mark.parametrize("mode", ["redirect", "redirect-circle"])
@pytest.mark.parametrize(
    ("required", "severity"),
    [("", Severity.WARNING), ("pyjwt==2.10.1", Severity.WARNING), ("pyjwt>=2.14", Severity.CRITICAL)],
)
def test_a_redirect_is_an_outage_only_where_the_library_is_known_to_follow_none(
    ask, keys: KeyStandIn, tmp_path: Path, mode: Any, required: str, severity: Severity
) -> None:
    (tmp_path / "requirements.txt").write_text(required)
    keys.behave(mode)
    finding = ask().finding("AUT005")
    assert finding.severity is severity
    assert "follows no redirect from 2.14 on" in finding.symptom


def test_json_under_a_wrong_content_type_is_no_fault(ask, keys: KeyStandIn) -> None:
    keys.behave("wrong-content-type")
    assert ask(keys.mint()).roots() == []


def test_keys_out_of_reach_are_the_root_and_the_token_is_still_taken_apart(ask, keys: KeyStandIn) -> None:
    url = "http://127.0.0.1:1/.well-known/jwks.json"
    seen = ask(keys.mint(age=400), CLERK_PUBLISHABLE_KEY="", CLERK_ISSUER=keys.url, CLERK_JWKS_URL=url)
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
    seen = ask(keys.mint(), **settings)
    assert "nobody answered in time" in seen.finding("AUT005").symptom
    for code in ("AUT006", "AUT007", "AUT012"):
        assert seen.findings(code) == before.findings(code)
        assert seen.result(code).status is before.result(code).status
    assert {seen.result(code).blocked_by for code in ("AUT008", "AUT010")} == {"AUT005"}


# 28: a publishable key that nobody decoded.


@pytest.mark.parametrize("lose_capitals", [False, True])
def test_a_host_that_is_an_undecoded_key_explains_why_nothing_is_found_there(
    ask, keys: KeyStandIn, lose_capitals: bool
) -> None:
    label = keys.publishable_key.removeprefix("pk_test_")
    label = label.lower() if lose_capitals else label
    seen = ask(keys.mint(), CLERK_JWKS_URL=f"https://{label}.clerk.invalid/.well-known/jwks.json")
    assert seen.roots() == ["AUT012"]
    assert f"decoded it is {keys.host}" in seen.finding("AUT012").symptom
    assert seen.effects() == {"AUT005"}


def test_a_host_that_merely_does_not_exist_is_no_undecoded_key(ask) -> None:
    url = "https://clerk.no-such-name.invalid/.well-known/jwks.json"
    seen = ask(CLERK_PUBLISHABLE_KEY="", CLERK_ISSUER="https://clerk.no-such-name.invalid", CLERK_JWKS_URL=url)
    assert seen.roots() == ["AUT005"]
    assert "does not resolve" in seen.finding("AUT005").symptom
    assert "publishable key used undecoded" in seen.ruled_out()


# 29: one client only.


@pytest.mark.parametrize(
    ("claims", "settings", "subject"),
    [
        ({"azp": "https://other.example.com"}, {"CLERK_AUTHORIZED_PARTIES": "https://app.example.com"}, "party"),
        ({"azp": None}, {"CLERK_AUTHORIZED_PARTIES": "https://app.example.com"}, "party"),
        ({"aud": "convex"}, {}, "audience"),
        ({"aud": ["one", "two"]}, {"CLERK_AUDIENCE": "three"}, "audience"),
        ({}, {"CLERK_AUDIENCE": "three"}, "audience"),
        ({"sub": None}, {}, "subject"),
    ],
)
def test_an_origin_or_audience_that_is_not_expected_is_the_clients_own(
    ask, keys: KeyStandIn, claims: dict[str, Any], settings: dict[str, str], subject: str
) -> None:
    seen = ask(keys.mint(claims=claims), **settings)
    assert seen.subjects() == [subject]
    assert seen.roots() == ["AUT011"]
    assert seen.ruled_out() >= {PUBLISHED, SKEW, ISSUER, FORGED, UNKNOWN_KEY, EXPIRED}


def test_an_audience_and_an_origin_that_are_expected_are_ruled_out(ask, keys: KeyStandIn) -> None:
    seen = ask(
        keys.mint(claims={"aud": ["api", "web"]}),
        CLERK_AUDIENCE="api",
        CLERK_AUTHORIZED_PARTIES="https://app.example.com, http://localhost:3000",
    )
    assert seen.roots() == []
    assert seen.ruled_out() >= {"token for another audience", "token of an origin that is not allowed"}


# What is no session token at all.


@pytest.mark.parametrize("signer", ["nobody", "public-key-as-secret"])
def test_a_token_that_no_public_key_checks_is_named_by_its_algorithm(ask, keys: KeyStandIn, signer: Any) -> None:
    seen = ask(keys.mint(signer=signer))
    assert seen.subjects() == ["algorithm"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Bearer {token}", "begins with `Bearer `"),
        (SECRET_KEY, "it is a secret key"),
        ("sess_2abc", "the id of a session"),
        ("a.b.c.d.e", "it is encrypted"),
        ("opaque", "has 1"),
        ("!.b.c", "characters that base64 has not"),
        ("YQ.YQ.YQ", "header is not base64 of JSON"),
    ],
)
def test_what_is_no_token_is_called_what_it_is(ask, keys: KeyStandIn, text: str, words: str) -> None:
    seen = ask(text.format(token=keys.mint()))
    assert words in seen.finding("AUT011").symptom
    assert seen.roots() == ["AUT011"]


# Issuers other than Clerk.


@pytest.fixture
def ask_oidc(keys: KeyStandIn, tmp_path: Path):
    """Examine a target that takes tokens of an OIDC issuer, whose metadata say where the keys are."""

    def run(token: str | None = None, **settings: str) -> Examined:
        return examined(tmp_path, {"OIDC_ISSUER": keys.url, "OIDC_AUDIENCE": "api", **settings}, token)

    return run


def test_a_token_of_another_kind_of_issuer_is_played_through_too(ask_oidc, keys: KeyStandIn) -> None:
    seen = ask_oidc(keys.mint(claims={"aud": "api", "azp": None}))
    assert seen.roots() == []
    assert seen.ruled_out() >= {PUBLISHED, SKEW, ISSUER, FORGED, UNKNOWN_KEY, EXPIRED, "token for another audience"}
    assert keys.hits("/.well-known/openid-configuration") == 1


def test_the_slash_that_one_kind_of_issuer_wants_is_found_missing(ask_oidc, keys: KeyStandIn) -> None:
    keys.behave(metadata_issuer=f"{keys.url}/")
    seen = ask_oidc(keys.mint(claims={"aud": "api", "iss": f"{keys.url}/"}))
    assert seen.roots() == ["AUT009"]
    assert "a slash at the end is missing" in seen.finding("AUT009").symptom
    assert seen.subjects() == ["issuer"]
    assert seen.effects() == {"AUT011"}


def test_a_static_key_alone_needs_nobody(tmp_path: Path, keys: KeyStandIn) -> None:
    pem = keys.instance.current.public_pem()
    good = examined(tmp_path, {"CLERK_JWT_KEY": pem}, keys.mint())
    assert good.roots() == []
    assert good.result("AUT005").status is Status.SKIP
    bad = examined(tmp_path, {"CLERK_JWT_KEY": pem}, keys.mint(signer="stranger"))
    assert bad.subjects() == ["static key"]
    assert sum(keys.server.requests.values()) == 0


def test_without_the_library_the_signature_is_said_to_be_unchecked(
    ask, keys: KeyStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("doctor.resources.signatures.jwt", _Absent())
    result = ask(keys.mint(signer="stranger")).result("AUT011")
    assert result.status is Status.PASS
    assert any("pip install 'pipeline-doctor[auth]'" in observation.text for observation in result.observations)
    assert FORGED not in {observation.rules_out for observation in result.observations}


class _Absent:
    """A library that is not installed, imported late."""

    def __getattr__(self, name: str) -> Any:
        raise ModuleNotFoundError("No module named 'jwt'")


# The keys themselves.


@pytest.mark.parametrize(
    ("settings", "words", "code"),
    [
        ({"CLERK_PUBLISHABLE_KEY": "pk_test_replace-me!"}, "characters that base64 has not", "AUT006"),
        ({"CLERK_PUBLISHABLE_KEY": SECRET_KEY}, "publishable keys are sent to every browser", "AUT006"),
        ({"CLERK_SECRET_KEY": "pk_test_Zm9v"}, "it is a publishable key", "AUT006"),
        ({"ENVIRONMENT": "production"}, "ENVIRONMENT says production", "AUT007"),
        (
            {"CLERK_PUBLISHABLE_KEY": publishable_key("happy-cat-1.clerk.accounts.dev", "live")},
            "live key of the development host",
            "AUT007",
        ),
    ],
)
def test_a_key_that_is_none_or_in_the_wrong_place_is_named(
    ask, settings: dict[str, str], words: str, code: str
) -> None:
    seen = ask(**settings)
    assert any(words in finding.symptom for finding in seen.findings(code))
    assert code in seen.roots()


def test_a_secret_key_that_the_provider_refuses_is_named(ask, keys: KeyStandIn) -> None:
    seen = ask(CLERK_SECRET_KEY="sk_test_" + "A" * 40, CLERK_API_URL=keys.url)
    assert seen.roots() == ["AUT008"]
    assert "is refused by Clerk's API" in seen.finding("AUT008").symptom


def test_an_address_on_another_host_that_publishes_the_same_key_is_a_proxy(ask, keys: KeyStandIn) -> None:
    other_name = keys.jwks_url.replace("127.0.0.1", "localhost")
    seen = ask(keys.mint(), CLERK_JWKS_URL=other_name)
    assert seen.roots() == []
    assert "settings of different instances" in seen.ruled_out()


def test_an_address_on_another_host_with_another_key_is_another_instance(ask, keys: KeyStandIn) -> None:
    with serving() as other:
        seen = ask(keys.mint(), CLERK_JWKS_URL=other.jwks_url)
    assert seen.roots() == ["AUT007"]
    assert seen.subjects() == ["key"]
    assert seen.effects() == {"AUT011"}

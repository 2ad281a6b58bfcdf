"""Parts of unverified tokens are followed to where they do harm, and no further."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

import pytest

from doctor.source.collectors.tokens import COLLECTOR, ChosenKeyAddress, OpenByDefault, UnverifiedIdentity
from doctor.source.index import Source

Project = Callable[..., Source]
READ = 'jwt.decode(token, options={"verify_signature": False})'


ISSUER = "def keys(token):\n    issuer = READ.get('iss')\n"
KEYS = "PyJWKClient(f'{issuer}/.well-known/jwks.json')"


def facts(project: Project, kind: type, body: str) -> list:
    text = "import os\nimport jwt\nimport requests\nfrom jwt import PyJWKClient\n" + dedent(body).replace("READ", READ)
    return [fact for fact in project({"app/auth.py": text}).collected(COLLECTOR) if isinstance(fact, kind)]


FOUND = """
def user(token):
    return READ['sub']
---
def user(token):
    claims = READ
    return User(id=claims.get('sub'))
---
def user(token):
    return {key: value for key, value in READ.items()}['email']
---
def user(token):
    with span():
        for _ in range(3):
            return find(READ['user_id'])
---
def current_user(token):
    return READ
---
async def guard(request):
    token = request.cookies.get('session')
    request.state.user = READ['sub']
---
def user(token):
    if quick():
        claims = READ
    else:
        claims = jwt.decode(token, KEY)
    return claims['sub']
---
def user(token):
    claims = READ
    try:
        jwt.decode(token, KEY)
    except Exception:
        pass
    return claims['sub']
---
def check(token):
    return jwt.decode(token, KEY)

def user(token):
    try:
        return check(token)
    except Exception:
        return READ
---
def user(token):
    claims = READ
    if claims['aud'] != AUDIENCE:
        raise ValueError
    return claims['sub']
---
def user(token=Depends(bearer)):
    "For debugging only."
    return READ['sub']
---
def user(token):
    "Return None if nobody is authenticated. It must not be used without a token."
    return READ['sub']
"""
SILENT = """
def issuer(token):
    return READ['iss']
---
def is_mine(token, me):
    return READ['sub'] == me
---
def peek_unverified(token):
    return READ
---
def claims(token):
    return READ
---
def user(token):
    claims = READ
    claims = jwt.decode(token, KEYS[claims['iss']])
    return claims['sub']
---
def user(token):
    claims = READ
    verify_signature(token)
    return claims['sub']
---
def user(token):
    claims = READ
    print(claims['sub'])
    log.info('%s', claims['sub'])
    raise Refused
---
def user(token):
    return jwt.decode(token, KEY, options={'verify_exp': False})['sub']
---
class Client:
    def __init__(self, token):
        self.token = token
    def name(self):
        return jwt.decode(self.token, options={'verify_signature': False})['sub']
---
def user(token):
    head, body, signature = token.split('.')
    if not hmac.compare_digest(signature, signed(head, body)):
        raise Refused
    return json.loads(base64.b64decode(body))['sub']
---
def name(code):
    token = exchange(code)['id_token']
    return READ['sub']
---
def user(token):
    "The result is not meant to be used for authentication."
    return READ['sub']
---
def user(token):
    "Return the user, for logging only."
    return READ['sub']
"""


@pytest.mark.parametrize("body", FOUND.split("---"))
def test_an_identity_that_nobody_verified_is_found(project: Project, body: str) -> None:
    assert len(facts(project, UnverifiedIdentity, body)) == 1


@pytest.mark.parametrize("body", SILENT.split("---"))
def test_what_only_looks_like_it_is_silent(project: Project, body: str) -> None:
    assert facts(project, UnverifiedIdentity, body) == []


@pytest.mark.parametrize(
    "line",
    [
        "PyJWKClient(issuer + '/.well-known/jwks.json')",
        "PyJWKClient('%s/.well-known/jwks.json' % issuer)",
        "PyJWKClient('{}/.well-known/jwks.json'.format(issuer))",
        "PyJWKClient(f'{issuer.rstrip(\"/\")}/.well-known/jwks.json')",
        "PyJWKClient(uri=f'{issuer}/.well-known/jwks.json')",
        "requests.get(issuer)",
        "fetch_keys(f'{issuer}/protocol/openid-connect/certs')",
        "PyJWKClient(f'{issuer}/jwks') if issuer else None",
    ],
)
def test_an_address_that_the_token_chooses_is_found_in_each_form(project: Project, line: str) -> None:
    body = f"{ISSUER}    if not issuer:\n        raise ValueError\n    return {line}"
    assert [fact.field for fact in facts(project, ChosenKeyAddress, body)] == ["iss"]


@pytest.mark.parametrize(
    "test",
    [
        "if issuer not in ISSUERS:\n        raise ValueError",
        "if not issuer or issuer != os.environ['ISSUER']:\n        return None",
        "assert issuer in ISSUERS",
        "if not is_trusted(issuer):\n        raise ValueError",
        "if not issuer.startswith('https://login.example.com/'):\n        raise ValueError",
        "refuse_strangers(issuer)",
        "issuer = ISSUERS[issuer]",
        "issuer = ISSUERS.get(issuer)",
    ],
)
def test_an_issuer_that_was_checked_may_choose(project: Project, test: str) -> None:
    body = f"{ISSUER}    {test}\n    return {KEYS}"
    assert facts(project, ChosenKeyAddress, body) == []


@pytest.mark.parametrize("test", ["if issuer:", "if issuer.startswith('https://'):", "if isinstance(issuer, str):"])
def test_a_test_for_truth_scheme_or_type_is_no_check(project: Project, test: str) -> None:
    body = f"{ISSUER}    {test}\n        return {KEYS}"
    assert len(facts(project, ChosenKeyAddress, body)) == 1


@pytest.mark.parametrize(
    ("condition", "is_open"),
    [
        ("os.getenv('ENVIRONMENT', 'development') != 'production'", True),
        ("os.environ.get('ALLOW_UNVERIFIED', 'true').lower() in ('1', 'true')", True),
        ("not os.getenv('REQUIRE_VERIFIED')", True),
        ("(os.getenv('APP_ENV') or 'dev') == 'dev' and token", True),
        ("os.getenv('ENVIRONMENT', 'production') != 'production'", False),
        ("os.getenv('ALLOW_UNVERIFIED')", False),
        ("os.environ['ENVIRONMENT'] != 'production'", False),
        ("os.getenv('ENVIRONMENT', 'development') != 'production' and os.getenv('ALLOW_UNVERIFIED') == '1'", False),
        ("os.getenv('COLOUR', 'green') == 'green'", False),
    ],
)
def test_a_way_counts_as_open_only_if_the_defaults_open_it(project: Project, condition: str, is_open: bool) -> None:
    body = f"def user(token):\n    if {condition}:\n        return READ['sub']\n    return jwt.decode(token, KEY)"
    assert bool(facts(project, OpenByDefault, body)) is is_open


def test_functions_that_call_one_another_for_ever_end(project: Project) -> None:
    body = "def a(token):\n    return b(READ)\n\ndef b(claims):\n    return a(claims) or b(claims)\n"
    facts(project, UnverifiedIdentity, body)

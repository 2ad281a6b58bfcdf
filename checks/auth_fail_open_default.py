"""With nothing set in the environment, requests pass without a verified token.

## What it finds
A switch that turns verification off, whose default turns it off:

    environment = os.getenv("ENVIRONMENT", "development")
    ALLOW_UNVERIFIED = environment != "production"

    def current_user(token):
        if ALLOW_UNVERIFIED:
            return jwt.decode(token, options={"verify_signature": False})["sub"]

What passes may be a token that is read without its signature, a request that gets a made-up user, or a decode whose
`verify_signature` is such a switch. The default may stand in the same file or in a settings class of another one.

## Why it hurts
Nothing fails where the variable was forgotten: a new host, a container without its environment, a worker. Everything
works there, for everybody, as any user.

## How it is told from its look-alikes
The conditions on the way are evaluated as if no variable were set: `os.getenv` with its default, fields of
`BaseSettings`, comparisons, `and`, `or`, branches of `__init__`. Only a way that is open then counts. A switch that
must be set to relax anything is fine, and so is one that the program cannot start without (`os.environ["X"]`). Keys,
addresses and secrets are taken as set. An authentication that is off because no key was ever configured is another
matter, and is not reported.

## How to fix
Turn the default around: verify unless a variable says otherwise, and refuse that variable where `ENVIRONMENT` is not
set. Let an unset environment mean production.

## False positives
A deployment that sets the variable everywhere, by means that the source does not show; a program for development only.
"""

from collections.abc import Iterator

from doctor.api import Evidence, EvidenceKind, Example, Finding, FixOption, Mechanism, Resource, Severity, Source, check
from doctor.source.collectors.setting_defaults import COLLECTOR as DEFAULTS
from doctor.source.collectors.setting_defaults import SettingDefault
from doctor.source.collectors.tokens import COLLECTOR, OpenByDefault

_ONE_FILE = """\
import os

import jwt


class Guard:
    def __init__(self):
        self.key = os.getenv("JWT_KEY", "")
        self.environment = (os.getenv("ENVIRONMENT") or "development").lower()
        self.is_live = self.environment == "live"
        allowed = os.getenv("ALLOW_UNVERIFIED")
        if allowed is None:
            self.allow_unverified = not self.is_live
        else:
            self.allow_unverified = allowed.lower() == "true"

    def verify(self, token: str) -> str | None:
        if not self.key:
            return None
        try:
            return jwt.decode(token, self.key, algorithms=["HS256"])["sub"]
        except jwt.InvalidTokenError:
            claims = jwt.decode(token, options={"verify_signature": False})
            if self.allow_unverified:
                return claims["sub"]
            return None
"""
_SETTINGS = """\
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    environment: str = "development"
    auth_disabled: bool = False


settings = Settings()
"""
_MADE_UP_USER = """\
import jwt

from .settings import settings


def current_user(token: str, key: str) -> dict:
    if settings.environment == "development":
        return {"id": "developer"}
    return jwt.decode(token, key, algorithms=["RS256"])
"""
_OPTION = """\
import os

import jwt

VERIFY = os.getenv("VERIFY_JWT", "false") == "true"


def current_user(token: str, key: str) -> str:
    return jwt.decode(token, key, algorithms=["RS256"], options={"verify_signature": VERIFY})["sub"]
"""
_MUST_BE_SET = """\
import os

import jwt

from .settings import settings

VERIFY = os.getenv("VERIFY_JWT", "true") == "true"
ENVIRONMENT = os.environ["ENVIRONMENT"]


def current_user(token: str, key: str) -> dict:
    if settings.auth_disabled:
        return {"id": "developer"}
    if ENVIRONMENT == "development":
        return {"id": "developer"}
    if os.getenv("AUTH_MODE", "jwt") == "none":
        return {"id": "developer"}
    return jwt.decode(token, key, algorithms=["RS256"], options={"verify_signature": VERIFY})
"""
_NO_KEY = """\
import os

import jwt

KEY = os.getenv("API_JWT_KEY", "")
ALGORITHM = os.getenv("JWT_ALGORITHM", "HS256")


def current_user(token: str) -> dict | None:
    if not KEY:
        return None
    if ALGORITHM == "HS256":
        return jwt.decode(token, KEY, algorithms=["HS256"])
    return jwt.decode(token, KEY, algorithms=["RS256"])


def log_level() -> str:
    return "DEBUG" if os.getenv("ENVIRONMENT", "development") == "development" else "INFO"
"""


@check(
    "AUT004",
    "auth-fail-open-default",
    severity=Severity.CRITICAL,
    tags=["static"],
    timeout=20.0,
    mechanisms=[
        Mechanism("AUT004", "AUT015", "the variable is not set in the running application", ("service",)),
    ],
    bad=[
        Example("unverified tokens are accepted unless the environment is production", {"app/auth.py": _ONE_FILE}),
        Example("the default stands in another file", {"app/settings.py": _SETTINGS, "app/auth.py": _MADE_UP_USER}),
        Example("the signature is checked only on request", {"app/auth.py": _OPTION}),
    ],
    good=[
        Example("relaxing needs a variable", {"app/settings.py": _SETTINGS, "app/auth.py": _MUST_BE_SET}),
        Example("no key, no users; and defaults of other things", {"app/auth.py": _NO_KEY}),
    ],
)
def auth_fail_open_default(source: Source) -> Iterator[Finding]:
    """Answer the collector's questions about settings of other modules; one finding a function and switch."""
    defaults = {one.name: one for one in source.collected(DEFAULTS)}
    seen: set[str] = set()
    for fact in source.collected(COLLECTOR):
        finding = _finding(fact, defaults) if isinstance(fact, OpenByDefault) else None
        if finding is not None and finding.fingerprint not in seen:
            seen.add(finding.fingerprint)
            yield finding


def _settings(fact: OpenByDefault, defaults: dict[str, SettingDefault]) -> list[SettingDefault] | None:
    """Return the defaults elsewhere that open the way, or None when one of them closes it."""
    found = []
    for question in fact.questions:
        default = defaults.get(question.reference)
        if default is None:
            tail = [one for name, one in defaults.items() if name.endswith(f".{question.reference}")]
            default = tail[0] if len(tail) == 1 else None
        if default is None:
            continue
        if question.answer(default.value) is False:
            return None
        found.append(default)
    return found


def _finding(fact: OpenByDefault, defaults: dict[str, SettingDefault]) -> Finding | None:
    settings = _settings(fact, defaults)
    if settings is None or not (settings or fact.switches):
        return None
    line, condition = fact.switches[-1] if fact.switches else (fact.line, settings[-1].name.rpartition(".")[2])
    return Finding(
        code="AUT004",
        resource=Resource("code", f"{fact.path}:{fact.function}", fact.path, line),
        symptom=f"with nothing set in the environment, `{fact.function}` accepts {fact.what}",
        cause=f"the default of `{condition}` turns the verification off",
        severity=Severity.CRITICAL,
        subject=condition,
        related=(Resource("service", "auth"),),
        impacts=("where the variable was forgotten, anybody is any user",),
        evidence=(
            *(Evidence(EvidenceKind.CODE, f"{fact.path}:{number}", text) for number, text in fact.defaults),
            *(Evidence(EvidenceKind.CODE, f"{one.path}:{one.line}", one.text) for one in settings),
            Evidence(EvidenceKind.CODE, f"{fact.path}:{fact.line}", fact.text),
        ),
        rule="python: a variable that is not set has the default that the code gives it",
        fixes=(
            FixOption.by_hand(
                f"let the default of `{condition}` verify in {fact.path}",
                "what development needs instead is known to you alone",
            ),
        ),
        validation="doctor check --select AUT004; then a forged token is answered with 401 with nothing set",
    )

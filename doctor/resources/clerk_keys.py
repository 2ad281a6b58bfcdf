"""Clerk's keys, read without asking anybody: what form they have, which mode, and which instance they belong to.

A publishable key is ``pk_test_`` or ``pk_live_`` and unpadded base64 of ``<host>$``; a secret key is ``sk_test_`` or
``sk_live_`` and an opaque rest (``shared/src/keys.ts`` of clerk/javascript). The publishable key is public, but looks
like a secret; what is shown of it is the host.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from doctor.model import Secret
from doctor.redaction import bounded, redact
from doctor.resources.environment import Variable

DEVELOPMENT_HOST = re.compile(r"([a-z]+-){2}[0-9]{1,2}\.clerk\.accounts([a-z.]*)(dev|com)")
"""Hosts of development instances, by the pattern that Clerk's own libraries use."""

MODES = ("test", "live")

_PUBLISHABLE = re.compile(r"pk_(?P<mode>test|live)_(?P<rest>[A-Za-z0-9+/=_-]*)")
_SECRET = re.compile(r"sk_(?P<mode>test|live)_(?P<rest>[A-Za-z0-9]{16,})")
_LEGACY_SECRET = re.compile(r"(?P<mode>test|live)_(?P<rest>[A-Za-z0-9]{16,})")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250})(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class PublishableKey:
    """A publishable key as a variable holds it; ``host`` is empty, and ``problem`` says why, where it is not one."""

    variable: Variable
    mode: str = ""
    host: str = ""
    problem: str = ""
    is_secret_key: bool = False

    @property
    def is_development(self) -> bool:
        """Whether it belongs to a development instance."""
        return self.mode == "test" or bool(DEVELOPMENT_HOST.fullmatch(self.host))

    @property
    def rest(self) -> str:
        """What follows the prefix, undecoded."""
        return self.variable.value.strip().partition(f"_{self.mode}_")[2] if self.mode else ""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A secret key as a variable holds it; ``problem`` says why where it is not one."""

    variable: Variable
    mode: str = ""
    problem: str = ""

    @property
    def secret(self) -> Secret:
        """The key, for the one request that needs it."""
        return Secret(self.variable.value.strip())


def read_publishable_key(variable: Variable) -> PublishableKey:
    """Take a publishable key apart."""
    value = variable.value.strip()
    if value.startswith("sk_"):
        return PublishableKey(variable, problem="it is a secret key, which must not be public", is_secret_key=True)
    match = _PUBLISHABLE.fullmatch(value)
    if match is None:
        begins = "begins with neither `pk_test_` nor `pk_live_`"
        odd = "holds characters that base64 has not" if value.startswith(("pk_test_", "pk_live_")) else begins
        return PublishableKey(variable, problem=f"it {odd}")
    host, problem = _host(match["rest"])
    return PublishableKey(variable, match["mode"], host, problem)


def read_secret_key(variable: Variable) -> SecretKey:
    """Take a secret key apart as far as it can be: the rest is opaque."""
    value = variable.value.strip()
    if value.startswith("pk_"):
        return SecretKey(variable, problem="it is a publishable key")
    match = _SECRET.fullmatch(value) or _LEGACY_SECRET.fullmatch(value)
    if match is None:
        return SecretKey(variable, problem="it is not `sk_test_` or `sk_live_` and a key of 16 characters or more")
    return SecretKey(variable, match["mode"])


def decoded_host(text: str) -> str:
    """Return the host that ``text``, taken for the rest of a publishable key, stands for; empty when for none."""
    return _host(text)[0]


def _host(rest: str) -> tuple[str, str]:
    """Return the decoded host and nothing, or nothing and what is wrong."""
    try:
        text = base64.b64decode(rest.rstrip("=") + "=" * (-len(rest.rstrip("=")) % 4), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return "", "what follows the prefix is not base64"
    if not text.endswith("$"):
        shown = bounded(redact(text), 60)
        return "", f"it is cut off or not one: decoded it is `{shown}`, and does not end in `$`"
    host = text[:-1]
    if "." not in host or not _HOST.fullmatch(host):
        return "", f"decoded it is `{bounded(redact(text), 60)}`, which holds no host"
    return host, ""

"""What the target's variables say of its authentication: Clerk's keys, the issuer, the address of the keys.

Nobody is asked here. What the variables leave out is derived as Clerk's libraries derive it: the host of the
publishable key is the issuer, and the keys are at its ``/.well-known/jwks.json``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from doctor.configuration import AuthConfiguration
from doctor.redaction import redact
from doctor.resources.address import is_loopback
from doctor.resources.clerk_keys import PublishableKey, SecretKey, decoded_host, read_publishable_key, read_secret_key
from doctor.resources.environment import Variable
from doctor.resources.key_set import PublicKeyText

KEYS_PATH = "/.well-known/jwks.json"
BACKEND_URL = "https://api.clerk.com"
"""Clerk's API, which shows the keys of an instance to who holds its secret key."""

BACKEND_PATH = "/v1/jwks"

STAGE_VARIABLES = ("ENVIRONMENT", "APP_ENV", "DEPLOYMENT_ENVIRONMENT", "DJANGO_ENV", "FLASK_ENV", "ENV")
OF_ANYBODY = ("JWT_ISSUER", "AUTH_ISSUER", "JWT_PUBLIC_KEY")
"""Applications that sign their own tokens have these variables too: alone they say nothing of a provider."""

_DOMAIN = re.compile(r"DOMAIN|FRONTEND")
_PRODUCTION = re.compile(r"prod(?:uction)?|live", re.IGNORECASE)
_LIST = re.compile(r"[^\s,\[\]\"']+")


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """The settings as they were found. ``stage`` is the variable that names the environment, such as production."""

    publishable: tuple[PublishableKey, ...] = ()
    secret: SecretKey | None = None
    issuer_variable: Variable | None = None
    keys_variable: Variable | None = None
    public_key: Variable | None = None
    parties_variable: Variable | None = None
    audience_variable: Variable | None = None
    stage: Variable | None = None
    backend: str = BACKEND_URL
    endpoint: str = ""
    """An address of the application that only a verified user may see."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing says how tokens are verified."""
        named = (self.secret, self.issuer_variable, self.keys_variable, self.public_key)
        return not self.publishable and not any(named)

    @property
    def is_clerk(self) -> bool:
        """Whether the tokens are Clerk's."""
        variables = (self.issuer_variable, self.keys_variable, self.public_key)
        names = [variable.name for variable in variables if variable is not None]
        return bool(self.publishable or self.secret) or any("CLERK" in name for name in names)

    @property
    def instance(self) -> PublishableKey | None:
        """The first publishable key that is one: it names the instance."""
        return next((key for key in self.publishable if key.host), None)

    @property
    def issuer(self) -> str:
        """The issuer that a verifier demands, to the letter; empty when nothing says."""
        if self.issuer_variable is not None:
            return _issuer_of(self.issuer_variable)
        return "" if self.instance is None else address_of_host(self.instance.host)

    @property
    def issuer_address(self) -> str:
        """Where the issuer answers: itself without a slash at the end, and with a scheme where it lacks one."""
        issuer = self.issuer.rstrip("/")
        return issuer if "://" in issuer or not issuer else address_of_host(issuer)

    @property
    def issuer_source(self) -> Variable | None:
        """The variable that gives the issuer."""
        return self.issuer_variable or (self.instance.variable if self.instance else None)

    @property
    def keys_url(self) -> str:
        """The address of the signing keys; empty where the issuer's metadata, or Clerk's API, has to be asked."""
        if self.keys_variable is not None:
            return self.keys_variable.value.strip()
        return self.issuer_address + KEYS_PATH if self.is_clerk and self.issuer else ""

    @property
    def keys_source(self) -> Variable | None:
        """The variable that gives the address of the signing keys."""
        return self.keys_variable or self.issuer_source or (self.secret.variable if self.secret else None)

    @property
    def backend_keys_url(self) -> str:
        """The address at which Clerk's API shows the keys to who holds the secret key."""
        return self.backend.rstrip("/").removesuffix("/v1") + BACKEND_PATH

    @property
    def parties(self) -> tuple[str, ...]:
        """The origins that may use a token (``azp``); none: all may."""
        return _listed(self.parties_variable)

    @property
    def audience(self) -> tuple[str, ...]:
        """The audiences of which a token must name one; none: it must name none."""
        return _listed(self.audience_variable)

    def undecoded(self, variable: Variable) -> str:
        """Return the host that was meant where the host in a variable begins with a publishable key as it is.

        Capitals may have been lost on the way: the host is then looked up among the keys that are set.
        """
        label = host_of(variable.value.strip()).partition(".")[0]
        rests = {key.rest.rstrip("=").lower(): key.host for key in self.publishable if key.host}
        return decoded_host(label) or rests.get(label.lower(), "")

    @property
    def is_production(self) -> bool:
        """Whether a variable says that this is production."""
        return self.stage is not None and bool(_PRODUCTION.fullmatch(self.stage.value.strip()))


def read_auth_settings(
    get: Callable[[str], Variable | None], names: AuthConfiguration, api_url: str = ""
) -> AuthSettings:
    """Look the variables up; ``names`` says how the target calls them, the first that is set counts.

    ``api_url`` is where the application listens, if that is known.
    """

    def first(candidates: tuple[str, ...]) -> Variable | None:
        return next((found for name in candidates if (found := get(name)) and found.value.strip()), None)

    keys_variable, issuer, public_key = map(first, (names.jwks_url_env, names.issuer_env, names.public_key_env))
    if keys_variable is None and issuer is not None and issuer.name in OF_ANYBODY:
        issuer = None
    if public_key is not None and public_key.name in OF_ANYBODY and PublicKeyText.read(public_key.value).problem:
        public_key = None  # the path of a file, or a key in a form of the application's own
    publishable = (found for name in names.publishable_key_env if (found := get(name)) and found.value.strip())
    secret, backend = first(names.secret_key_env), first(names.backend_url_env)
    return AuthSettings(
        publishable=tuple(map(read_publishable_key, publishable)),
        secret=None if secret is None else read_secret_key(secret),
        issuer_variable=issuer,
        keys_variable=keys_variable,
        public_key=public_key,
        parties_variable=first(names.authorized_parties_env),
        audience_variable=first(names.audience_env),
        stage=first(STAGE_VARIABLES),
        backend=BACKEND_URL if backend is None else backend.value.strip(),
        endpoint=api_url.rstrip("/") + names.endpoint.removeprefix("GET ") if api_url and names.endpoint else "",
    )


def address_of_host(host: str) -> str:
    """Return the address of an instance: HTTPS, but for this machine."""
    return f"{'http' if is_loopback(host.rpartition(':')[0] or host) else 'https'}://{host}"


def host_of(url: str) -> str:
    """Return host and port of an address as they are written, capitals too; empty when it has none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def shown(url: str) -> str:
    """Return an address as evidence."""
    return redact(url)[:200]


def _issuer_of(variable: Variable) -> str:
    """Return the value, or, where the variable holds a bare domain, the issuer that its library makes of it."""
    value = variable.value.strip()
    if "://" in value or not _DOMAIN.search(variable.name):
        return value
    return f"https://{value}/" if variable.name.startswith("AUTH0_") else address_of_host(value)


def _listed(variable: Variable | None) -> tuple[str, ...]:
    return () if variable is None else tuple(_LIST.findall(variable.value))

"""Where the services of a running sandbox are, and the environment that the application gets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit, urlunsplit

from doctor.pipeline.sandbox.keys.identity import ORIGIN, publishable_key
from doctor.pipeline.sandbox.plan import EMBEDDING_DIMENSIONS, EMBEDDING_MODEL, Plan

#: The role that owns a sandbox's own PostgreSQL.
DATABASE_ROLE = "sandbox"

#: What a process gets from the caller's environment. Not all of it: a key or an address of the caller's own project
#: would make the sandbox behave differently from one machine to the next.
INHERITED = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "PYTHONPATH", "VIRTUAL_ENV",
    "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "COVERAGE_PROCESS_START",
)  # fmt: skip


@dataclass(slots=True)
class Addresses:
    """The ports of the services that the sandbox runs itself; a port changes only while nothing listens on it."""

    plan: Plan
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def server_url(self) -> str:
        """The PostgreSQL server, with a database that always exists."""
        if self.plan.database_url:
            return without_driver(self.plan.database_url)
        password = quote(self.plan.database_password, safe="")
        return f"postgresql://{DATABASE_ROLE}:{password}@127.0.0.1:{self.ports['postgres']}/postgres"

    @property
    def database_url(self) -> str:
        """The sandbox's own database on that server."""
        parts = urlsplit(self.server_url)
        return urlunsplit(parts._replace(path=f"/{self.plan.database}"))

    @property
    def nats_url(self) -> str:
        """The NATS server."""
        return self.plan.nats_url or f"nats://127.0.0.1:{self.ports['nats']}"

    @property
    def ollama_host(self) -> str:
        """The model server."""
        return self.plan.ollama_host or f"http://127.0.0.1:{self.ports['models']}"

    @property
    def keys_url(self) -> str:
        """The identity provider; empty when the sandbox has none."""
        return f"http://127.0.0.1:{self.ports['keys']}" if self.plan.secret_key else ""

    @property
    def api_url(self) -> str:
        """The application."""
        return f"http://127.0.0.1:{self.ports['api']}"

    def variables(self) -> dict[str, str]:
        """Return what stands in ``.env``."""
        return {
            "DATABASE_URL": self.database_url,
            "NATS_URL": self.nats_url,
            "OLLAMA_HOST": self.ollama_host,
            "OLLAMA_EMBEDDING_MODEL": EMBEDDING_MODEL,
            "EMBEDDING_DIMENSIONS": str(EMBEDDING_DIMENSIONS),
            "API_URL": self.api_url,
            "TELEGRAM_WEBHOOK_SECRET": self.plan.webhook_secret,
            "AI_KNOWLEDGE_EXTRACTION_MESSAGE_THRESHOLD": "10",
            "AI_KNOWLEDGE_EXTRACTION_LOOKBACK_HOURS": "24",
            # What a killed worker had in hand is delivered again while somebody still looks.
            "TASK_ACK_WAIT_SECONDS": "3",
            **(self._authentication() if self.plan.secret_key else {}),
        }

    def _authentication(self) -> dict[str, str]:
        return {
            "CLERK_PUBLISHABLE_KEY": publishable_key(self.keys_url.removeprefix("http://")),
            "CLERK_SECRET_KEY": self.plan.secret_key,
            "CLERK_API_URL": self.keys_url,
            "CLERK_AUTHORIZED_PARTIES": ORIGIN,
            "API_TOKEN": self.plan.api_token,
        }

    def without_secrets(self) -> dict[str, str]:
        """Return the addresses for people and for ``sandbox.json``."""
        urls = {"postgres": self.database_url, "nats": self.nats_url, "models": self.ollama_host, "api": self.api_url}
        urls["keys"] = self.keys_url
        return {name: without_password(url) for name, url in urls.items() if url}

    def environment(self, run_variable: tuple[str, str], caller: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of a process of the sandbox."""
        caller = os.environ if caller is None else caller
        inherited = {name: caller[name] for name in INHERITED if name in caller}
        return {
            **inherited,
            **self.variables(),
            run_variable[0]: run_variable[1],
            "PYTHONUNBUFFERED": "1",
            # Compiled files are told apart by second and size only: swapping two lines within the second in which the
            # file was copied would run the old code.
            "PYTHONDONTWRITEBYTECODE": "1",
            # Loopback never goes through a proxy.
            "NO_PROXY": "127.0.0.1,localhost",
        }


def without_driver(url: str) -> str:
    """Turn the SQLAlchemy form ``postgresql+driver://`` into the one that libpq knows."""
    scheme, separator, rest = url.partition("://")
    return scheme.partition("+")[0] + separator + rest


def without_password(url: str) -> str:
    """Replace the password of a URL by ``***``."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:***@{host}"))


def as_dotenv(variables: Mapping[str, str]) -> str:
    """Write variables as ``.env``: values in single quotes, with nothing to be expanded in them."""
    escaped = {name: value.replace("\\", "\\\\").replace("'", "\\'") for name, value in variables.items()}
    lines = [f"{name}='{value}'" for name, value in escaped.items()]
    return "# Written by the sandbox each time it starts.\n" + "\n".join(lines) + "\n"

"""What a sandbox is made with: its name, its secrets, and which servers it was given."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from doctor.pipeline.sandbox.errors import NotASandboxError
from doctor.pipeline.sandbox.files import read_json, replace_text

#: The model of the incident's acceptance run, and the one that embeds.
CHAT_MODEL = "qwen2:7b-instruct-q4_K_M"
EMBEDDING_MODEL = "nomic-embed-text"
EMBEDDING_DIMENSIONS = 768

#: How many bytes PostgreSQL keeps of an identifier.
LONGEST_IDENTIFIER = 63


@dataclass(frozen=True, slots=True)
class Plan:
    """Fixed when the sandbox is made; the same for every start of it. An empty URL means: a server of its own."""

    name: str
    database: str
    database_password: str
    webhook_secret: str
    database_url: str = ""
    nats_url: str = ""
    ollama_host: str = ""
    secret_key: str = ""
    """Of the identity provider's stand-in; empty: the sandbox has none, and asks nobody for a token."""
    api_token: str = ""
    """With which programs get in where people need a session token."""

    @property
    def given(self) -> tuple[str, ...]:
        """The services that were there before the sandbox."""
        urls = {"postgres": self.database_url, "nats": self.nats_url, "models": self.ollama_host}
        return tuple(service for service, url in urls.items() if url)


def make_plan(name: str, environment: Mapping[str, str], *, auth: bool = False) -> Plan:
    """Make the plan of a new sandbox; with ``auth`` it asks for session tokens.

    ``DATABASE_URL``, ``NATS_URL`` and ``OLLAMA_HOST`` in the environment name servers that run already.
    """
    identifier = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "sandbox"
    suffix = secrets.token_hex(4)
    return Plan(
        name=name,
        # On a server that others use too, the suffix keeps the databases of equal names apart.
        database=f"sandbox_{identifier[: LONGEST_IDENTIFIER - 20]}_{suffix}",
        database_password=secrets.token_urlsafe(24),
        webhook_secret=secrets.token_urlsafe(24),
        database_url=environment.get("DATABASE_URL", ""),
        nats_url=environment.get("NATS_URL", ""),
        ollama_host=_with_scheme(environment.get("OLLAMA_HOST", "")),
        secret_key=f"sk_test_{secrets.token_hex(20)}" if auth else "",
        api_token=secrets.token_urlsafe(24) if auth else "",
    )


def _with_scheme(host: str) -> str:
    """Complete ``OLLAMA_HOST`` as Ollama's client does: ``name`` and ``name:port`` are HTTP, on 11434 by default."""
    if not host or "://" in host:
        return host
    return f"http://{host}" if re.search(r":\d+$", host) else f"http://{host}:11434"


def write_plan(path: Path, plan: Plan) -> None:
    """Write the plan, readable by its owner only."""
    replace_text(path, json.dumps(asdict(plan), indent=2) + "\n", mode=0o600)


def read_plan(path: Path) -> Plan:
    """Read a plan.

    Raises:
        NotASandboxError: there is none.
    """
    values = read_json(path)
    if values is None or {field.name for field in fields(Plan)} != values.keys():
        raise NotASandboxError(f"{path} is missing or damaged: remove the folder and make the sandbox anew")
    return Plan(**values)

"""Which models the target uses, where each is served, and for which job: rows of providers and agents, and variables.

What the code says is another matter (``model_calls.py``): it takes longer to read than a server takes to answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from doctor.agents import AgentRow, AgentTables, ProviderRow, agent_tables
from doctor.chain import Chain
from doctor.embeddings import EMBEDDING_MODEL_VARIABLES
from doctor.model import Resource, Secret
from doctor.resources.address import is_loopback
from doctor.resources.catalog import vector_columns
from doctor.resources.database import Database
from doctor.resources.environment import Environment, Variable
from doctor.resources.hugging_face import HUB, ROUTER
from doctor.resources.model_server import ModelServer
from doctor.resources.models import Models

COMPLETION, EMBEDDING = "completion", "embedding"
"""What a model is used for, in Ollama's words."""

OPENAI = "https://api.openai.com/v1"
RETIRED_HOST = "api-inference.huggingface.co"
HUGGING_FACE_HOSTS = ("router.huggingface.co", RETIRED_HOST)

OPENAI_URLS = ("OPENAI_BASE_URL", "OPENAI_API_BASE")
OPENAI_KEYS = ("OPENAI_API_KEY",)
HUB_URLS = ("HF_ENDPOINT",)
HUB_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACEHUB_API_TOKEN", "HUGGINGFACE_API_KEY")

MODEL_VARIABLES = (
    *((name, "ollama", EMBEDDING) for name in EMBEDDING_MODEL_VARIABLES),
    ("OLLAMA_MODEL", "ollama", COMPLETION),
    ("OLLAMA_CHAT_MODEL", "ollama", COMPLETION),
    ("OPENAI_EMBEDDING_MODEL", "openai", EMBEDDING),
    ("OPENAI_MODEL", "openai", COMPLETION),
    ("HF_MODEL", "huggingface", COMPLETION),
    ("HUGGINGFACE_MODEL", "huggingface", COMPLETION),
)
"""Variables that name a model, where it is served, and for what; of several for one job on one server the first set."""

PROVIDER_KINDS = {
    "ollama": "ollama",
    "hf": "huggingface",
    "huggingface": "huggingface",
    "openai": "openai",
}
"""Types of provider rows; another type counts as OpenAI-compatible when its row has a base URL."""

OTHER_PROTOCOLS = frozenset(
    ("anthropic", "azure", "azureopenai", "bedrock", "cohere", "gemini", "google", "vertex", "vertexai", "voyage")
)
"""Types whose servers speak neither protocol, so that nothing is asked of them."""

AZURE_HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com")
"""Azure names deployments in its paths and takes keys in another header, so that OpenAI's questions are all refused."""


@dataclass(frozen=True, slots=True)
class ModelUse:
    """One model in one role: who wants it, where, for which stage. ``link`` counts the fallbacks before it."""

    model: str
    capability: str
    server: ModelServer
    wanted_by: Resource
    origin: str
    stage: str | None = None
    row: AgentRow | None = None
    link: int = 0

    @property
    def resource(self) -> Resource:
        """The model as findings name it."""
        return Resource("model", f"{self.server.kind}/{self.model}")

    @property
    def role(self) -> str:
        """Who wants it, in words."""
        which = "" if self.link == 0 else ", as its fallback"
        return f"{self.wanted_by.kind} `{self.wanted_by.id}` wants it{which}"


@dataclass(frozen=True, slots=True)
class ModelUses:
    """All uses, and all servers: also those of provider rows that no agent uses, and the default one."""

    uses: tuple[ModelUse, ...]
    servers: tuple[ModelServer, ...]
    unasked: tuple[ProviderRow, ...] = ()
    """Rows of providers that speak none of the three protocols, so that nothing is known of their models."""


class ServerFinder:
    """Finds the server that a row, a variable or a piece of code means; one client each, whoever asks."""

    def __init__(self, models: Models, environment: Environment) -> None:
        self._models = models
        self._environment = environment

    def of_provider(self, provider: ProviderRow | None) -> ModelServer | None:
        """Return the server of a provider row (None: the row names no provider), or None where it has none."""
        if provider is None or (provider.type in (None, "ollama") and not provider.base_url):
            return self._models.default
        if self.speaks_otherwise(provider):
            return None
        kind = PROVIDER_KINDS.get(_written(provider), "openai" if provider.base_url else "")
        own = self._environment.secret(provider.api_key_env) if provider.api_key_env else None
        key = own or (None if provider.base_url or provider.api_key_env else self.default_key(kind))
        return self.at(kind, provider.base_url or "", f"{provider.table} `{provider.name}`", key)

    def speaks_otherwise(self, provider: ProviderRow) -> bool:
        """Tell whether a provider's server speaks neither Ollama's protocol nor OpenAI's."""
        return _written(provider) in OTHER_PROTOCOLS or _place(provider.base_url or "")[0].endswith(AZURE_HOSTS)

    def of_kind(self, kind: str) -> ModelServer | None:
        """Return the server that the environment means for models of a kind, or None."""
        if kind == "ollama":
            return self._models.default
        url = self._first(OPENAI_URLS) if kind == "openai" else None
        key = self.default_key(kind)
        return self.at(kind, "" if url is None else url.value, "" if url is None else url.origin, key)

    def at(self, kind: str, url: str, origin: str, key: Secret | None) -> ModelServer | None:
        """Return the server of a kind at a URL (empty: where the kind is served by default)."""
        if kind == "ollama":
            return self._models.ollama(url, origin=origin) if url else self._models.default
        if kind == "huggingface" or (kind == "openai" and self._is_router(url)):
            hub, token = self._first(HUB_URLS), self.default_key("huggingface")
            is_router = not url or self._is_router(url)
            return self._models.hugging_face(
                url or ROUTER,
                hub=HUB if hub is None else hub.value,
                origin=origin or "the default",
                token=key or (token if is_router else None),
                hub_token=key or token if is_router else token,
            )
        if kind == "openai":
            return self._models.openai(url or OPENAI, origin=origin or "the default", key=key)
        return None

    def default_key(self, kind: str) -> Secret | None:
        """Return the key that the clients of a kind take from the environment by themselves, or None."""
        found = self._first(OPENAI_KEYS if kind == "openai" else HUB_TOKENS) if kind != "ollama" else None
        return None if found is None else found.secret

    def _first(self, names: tuple[str, ...]) -> Variable | None:
        return next((found for name in names if (found := self._environment.get(name)) and found.value), None)

    def _is_router(self, url: str) -> bool:
        """Tell whether a URL leads to Hugging Face: to its own hosts, or to where ``HF_ENDPOINT`` says that it is."""
        hub = self._first(HUB_URLS)
        here = _place(url)
        return here[0] in HUGGING_FACE_HOSTS or (hub is not None and bool(here[0]) and _is_below(url, hub.value))


def _written(provider: ProviderRow) -> str:
    return (provider.type or "ollama").lower().replace("_", "").replace("-", "")


def is_local(server: ModelServer) -> bool:
    """Tell whether a server is this machine, where a question costs no money."""
    return is_loopback(urlsplit(server.url).hostname or "")


def _is_below(url: str, hub: str) -> bool:
    return _place(url) == _place(hub) and urlsplit(url).path.startswith(urlsplit(hub).path.rstrip("/") + "/")


def _place(url: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", None
    return parts.hostname or "", port


async def model_uses(
    models: Models, environment: Environment, database: Database | None, chain: Chain | None
) -> ModelUses:
    """Collect what rows and variables name.

    Raises:
        DatabaseError: the rows cannot be read.
    """
    finder = ServerFinder(models, environment)
    tables = AgentTables((), (), ()) if database is None else await agent_tables(database)
    stage_of_vectors = None if database is None or chain is None else await _embedding_stage(database, chain)
    uses = [*_of_rows(finder, tables, chain), *_of_variables(finder, environment, stage_of_vectors)]
    active = [row for row in tables.providers if row.is_active is not False]
    servers = [models.default, *(use.server for use in uses), *map(finder.of_provider, active)]
    return ModelUses(
        tuple(uses),
        tuple(dict.fromkeys(server for server in servers if server is not None)),
        tuple(row for row in active if finder.speaks_otherwise(row)),
    )


def _of_rows(finder: ServerFinder, tables: AgentTables, chain: Chain | None) -> Iterator[ModelUse]:
    stages = {stage.agent: stage.name for stage in chain.stages if stage.agent} if chain else {}
    chosen = [row for agent in stages for row in tables.named(agent)[:1]]
    others = [row for row in tables.rows if row.is_active and row.name not in stages]
    for row in (*chosen, *others):
        server = finder.of_provider(row.provider)
        if server is None:
            continue
        links = [row.model_name, *([row.fallback_model] if row.fallback_model else [])]
        for link, model in enumerate(dict.fromkeys(links)):
            if model:
                wanted_by = Resource("agent", row.name)
                yield ModelUse(model, COMPLETION, server, wanted_by, row.table, stages.get(row.name), row, link)


def _of_variables(finder: ServerFinder, environment: Environment, embedding_stage: str | None) -> Iterator[ModelUse]:
    done = set()
    for name, kind, capability in MODEL_VARIABLES:
        variable = environment.get(name)
        server = (
            finder.of_kind(kind) if variable is not None and variable.value and (kind, capability) not in done else None
        )
        if variable is None or server is None:
            continue
        done.add((kind, capability))
        stage = embedding_stage if capability == EMBEDDING else None
        yield ModelUse(variable.value, capability, server, Resource("variable", name), variable.origin, stage)


async def _embedding_stage(database: Database, chain: Chain) -> str | None:
    columns = await vector_columns(database)
    filling = [chain.stage_of_column(each.table_name, each.column) for each in columns]
    return next((stage.name for stage in chain.stages if stage in filling), None)

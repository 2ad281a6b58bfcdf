"""``doctor.toml`` (or ``[tool.doctor]`` in ``pyproject.toml``): found by walking up, checked by pydantic.

Errors:
    ConfigurationError: the file is malformed; the message names file, key and line.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import stat
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from doctor.chain import AgentTemplate, Chain, Stage
from doctor.embedding_texts import EmbeddingTexts
from doctor.given_queries import GivenQuery, require_similarity_query, require_values
from doctor.index_parameters import DEFAULT, Hnsw, IndexParameters

if TYPE_CHECKING:
    from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

_CODE_PREFIX = r"^(ALL|[A-Z]{1,3}\d{0,3})$"


class ConfigurationError(Exception):
    """The configuration cannot be used; the message says where and what to write instead."""


MAX_BYTES = 1_000_000
"""A larger configuration is none that anybody wrote."""


class _Strict:
    """A section of the file; pydantic checks one, and is imported only when there is a file."""

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid"}


@dataclass(frozen=True)
class FromEnvironment(_Strict):
    """A number that the target reads from its own environment, with the target's default."""

    env: str
    default: Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True)
class StageConfiguration(_Strict):
    """One ``[[chain.stage]]``; see :class:`doctor.chain.Stage`."""

    name: str
    task: str | None = None
    table: str | None = None
    column: str | None = None
    key: str = "id"
    agent: str | None = None
    taken_by: str | None = None
    produced_by: str | None = None
    threshold: bool = False
    requeue_argument: str | None = None


@dataclass(frozen=True)
class ChainConfiguration(_Strict):
    """``[chain]``; see :class:`doctor.chain.Chain`."""

    entry: Annotated[str, Field(pattern=r"^(GET|POST|PUT|PATCH) /")]
    message_table: str
    stage: Annotated[tuple[StageConfiguration, ...], Field(min_length=1)]
    created_at: str = "created_at"
    content: str = "content"
    isolated_by: str | None = None
    lookback_hours: Annotated[float, Field(allow_inf_nan=False)] | FromEnvironment = 24.0
    message_threshold: int | FromEnvironment = 1
    failed_tasks_table: str | None = None
    executions_table: str | None = None
    queue_subject: str = "taskiq_tasks"
    search: str | None = None
    secret_header: str | None = None
    secret_env: str | None = None


@dataclass(frozen=True)
class AgentConfiguration(_Strict):
    """One ``[agents.NAME]``; see :class:`doctor.chain.AgentTemplate`."""

    model: str
    system_prompt: str


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


@dataclass(frozen=True)
class EmbeddingConfiguration(_Strict):
    """One ``[[embeddings]]``: the columns whose text is embedded into ``column``, in the order in which they are put
    together with a blank line between; ``table`` with its schema where two schemas have one of that name."""

    table: Annotated[str, Field(min_length=1)]
    text: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1), BeforeValidator(_listed)]
    column: Annotated[str, Field(min_length=1)] = "embedding"


@dataclass(frozen=True)
class HnswConfiguration(_Strict):
    """One ``[[vector_index.hnsw]]``: how an index is built on a table of up to ``rows`` rows (none: of any size)."""

    m: Annotated[int, Field(ge=2, le=100)]
    ef_construction: Annotated[int, Field(ge=4, le=1_000)]
    rows: Annotated[int, Field(gt=0)] | None = None

    def __post_init__(self) -> None:
        """Refuse what pgvector refuses."""
        if self.ef_construction < 2 * self.m:
            raise ValueError(f"ef_construction must be at least twice m, so {2 * self.m} or more")


@dataclass(frozen=True)
class VectorIndexConfiguration(_Strict):
    """``[vector_index]``: the memory that a build may take, such as ``2GB``, and HNSW's parameters."""

    memory: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,6}(MB|GB)$")] | None = None
    hnsw: tuple[HnswConfiguration, ...] = ()


@dataclass(frozen=True)
class AuthConfiguration(_Strict):
    """``[target.auth]``: the variables that say how tokens are verified; of each kind the first that is set counts.

    ``endpoint`` answers a verified user and refuses everybody else; with it a token that is given is tried out.
    """

    endpoint: Annotated[str, Field(pattern=r"^GET /\S*$")] | None = None
    publishable_key_env: tuple[str, ...] = (
        "CLERK_PUBLISHABLE_KEY",
        *(
            f"{prefix}_CLERK_PUBLISHABLE_KEY"
            for prefix in ("NEXT_PUBLIC", "VITE", "REACT_APP", "EXPO_PUBLIC", "PUBLIC")
        ),
    )
    secret_key_env: tuple[str, ...] = ("CLERK_SECRET_KEY", "CLERK_API_KEY")
    backend_url_env: tuple[str, ...] = ("CLERK_API_URL",)
    issuer_env: tuple[str, ...] = (
        *("CLERK_ISSUER", "CLERK_ISSUER_URL", "CLERK_JWT_ISSUER", "CLERK_FRONTEND_API_URL", "CLERK_FRONTEND_API"),
        *("OIDC_ISSUER", "OIDC_ISSUER_URL", "JWT_ISSUER", "AUTH_ISSUER", "AUTH0_DOMAIN"),
    )
    jwks_url_env: tuple[str, ...] = (
        *("CLERK_JWKS_URL", "CLERK_JWKS_URI", "OIDC_JWKS_URL", "OIDC_JWKS_URI"),
        *("JWT_JWKS_URL", "AUTH_JWKS_URL", "JWKS_URL", "JWKS_URI"),
    )
    public_key_env: tuple[str, ...] = ("CLERK_JWT_KEY", "CLERK_PEM_PUBLIC_KEY", "JWT_PUBLIC_KEY")
    authorized_parties_env: tuple[str, ...] = ("CLERK_AUTHORIZED_PARTIES", "AUTHORIZED_PARTIES")
    audience_env: tuple[str, ...] = (
        *("CLERK_AUDIENCE", "OIDC_AUDIENCE", "JWT_AUDIENCE", "AUTH_AUDIENCE", "AUTH0_AUDIENCE"),
    )


@dataclass(frozen=True)
class QueryConfiguration(_Strict):
    """One ``[[queries]]``: a similarity query that the source does not show as a text, with a name to speak of it by.

    ``sql`` has placeholders in the form of any driver; ``values`` are those of its filters, by the placeholder's name,
    so that the query can be run. Its vector and its LIMIT are filled in.
    """

    name: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,100}$")]
    sql: Annotated[str, Field(max_length=20_000), AfterValidator(require_similarity_query)]
    values: Annotated[dict[str, Any], AfterValidator(require_values)] = field(default_factory=dict)


def _distinct(queries: tuple[QueryConfiguration, ...]) -> tuple[QueryConfiguration, ...]:
    names = [query.name for query in queries]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"two have the name {twice!r}; give each its own")
    return queries


@dataclass(frozen=True)
class TargetConfiguration(_Strict):
    """``[target]``: the name that a write beyond this machine must repeat, and where the target keeps its addresses."""

    name: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,100}$")] | None = None
    source: Annotated[str, Field(pattern=r"^[^\x00]+$")] = "."
    database_env: tuple[str, ...] = ("DATABASE_URL",)
    nats_env: tuple[str, ...] = ("NATS_URL",)
    ollama_env: tuple[str, ...] = ("OLLAMA_HOST", "OLLAMA_BASE_URL")
    api_env: tuple[str, ...] = ("API_URL",)
    embedding_model_env: tuple[str, ...] = ("OLLAMA_EMBEDDING_MODEL",)
    auth: AuthConfiguration = field(default_factory=AuthConfiguration)


@dataclass(frozen=True)
class IgnoredConfiguration(_Strict):
    """One ``[[ignored]]``: findings of ``code`` (or a prefix) that are accepted, of resources that match a pattern such
    as ``column:public.tmp_*``, with the reason, and, if given, by whom and up to which day."""

    code: Annotated[str, Field(pattern=r"^[A-Z]{3}\d{0,3}$")]
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    resource: str = "*"
    owner: str = ""
    until: date | None = None


@dataclass(frozen=True)
class ProfileConfiguration(_Strict):
    """One ``[profile.NAME]``: what replaces the file's own values where the profile is asked for. Times are in
    seconds."""

    select: Annotated[tuple[Annotated[str, Field(pattern=_CODE_PREFIX)], ...], BeforeValidator(_listed)] | None = None
    ignore: Annotated[tuple[Annotated[str, Field(pattern=_CODE_PREFIX)], ...], BeforeValidator(_listed)] | None = None
    tags: Annotated[tuple[str, ...], BeforeValidator(_listed)] | None = None
    fail_on: Literal["critical", "error", "warning", "info", "never"] | None = None
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    total_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    offline: bool | None = None
    only_new: bool | None = None


BUILT_IN_PROFILES = {
    "ci": ProfileConfiguration(offline=True),
    "dev": ProfileConfiguration(fail_on="critical"),
    "prod": ProfileConfiguration(tags=("live",), fail_on="warning"),
}
"""What the usual profiles are where the file says nothing else: source alone; everything, and hardly a reason to fail;
the running systems alone, where a warning counts."""


@dataclass(frozen=True)
class Configuration(_Strict):
    """The whole file. Times are in seconds."""

    select: Annotated[tuple[Annotated[str, Field(pattern=_CODE_PREFIX)], ...], BeforeValidator(_listed)] = ("ALL",)
    ignore: Annotated[tuple[Annotated[str, Field(pattern=_CODE_PREFIX)], ...], BeforeValidator(_listed)] = ()
    tags: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    fail_on: Literal["critical", "error", "warning", "info", "never"] = "error"
    timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    total_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0
    offline: bool = False
    only_new: bool = False
    baseline: Annotated[str, Field(pattern=r"^[^\x00]+$")] = ".doctor-baseline.json"
    plugins: tuple[Annotated[str, Field(pattern=r"^[^\x00]+\.py$")], ...] = ()
    ignored: tuple[IgnoredConfiguration, ...] = ()
    severity: dict[
        Annotated[str, Field(pattern=r"^[A-Z]{3}\d{0,3}$")], Literal["critical", "error", "warning", "info"]
    ] = field(default_factory=dict)
    profile: dict[str, ProfileConfiguration] = field(default_factory=dict)
    target: TargetConfiguration = field(default_factory=TargetConfiguration)
    chain: ChainConfiguration | None = None
    agents: dict[str, AgentConfiguration] = field(default_factory=dict)
    embeddings: tuple[EmbeddingConfiguration, ...] = ()
    vector_index: VectorIndexConfiguration = field(default_factory=VectorIndexConfiguration)
    queries: Annotated[tuple[QueryConfiguration, ...], AfterValidator(_distinct)] = ()


@dataclass(frozen=True, slots=True)
class LoadedConfiguration:
    """A configuration and the file it came from (None: defaults)."""

    configuration: Configuration
    path: Path | None = None
    text: str = field(default="", repr=False)

    def with_profile(self, name: str) -> LoadedConfiguration:
        """Return it with the values of a profile in the place of the file's own.

        Raises:
            ConfigurationError: there is no such profile.
        """
        known = BUILT_IN_PROFILES | self.configuration.profile
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
            raise ConfigurationError(f"no profile {name!r}; {hint}")
        given = {key: value for key, value in asdict(known[name]).items() if value is not None}
        return replace(self, configuration=replace(self.configuration, **given))

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that change with the file's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]


def load_configuration(start: Path, explicit: Path | None = None) -> LoadedConfiguration:
    """Load ``explicit``, or the nearest ``doctor.toml`` / ``[tool.doctor]`` at or above ``start``, or the defaults.

    Raises:
        ConfigurationError: when the file cannot be read, is not TOML or does not fit the schema.
    """
    if explicit is not None:
        return _load(explicit)
    for folder in (start, *start.parents):
        if os.path.lexists(candidate := folder / "doctor.toml"):  # whatever it is: it is meant
            return _load(candidate)
        if (candidate := folder / "pyproject.toml").is_file() and _has_section(candidate):
            return _load(candidate)
    return LoadedConfiguration(Configuration())


def _has_section(path: Path) -> bool:
    try:
        tool = tomllib.loads(path.read_text(encoding="utf-8-sig")).get("tool", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False  # somebody else's broken pyproject.toml is not our configuration
    return isinstance(tool, dict) and "doctor" in tool


def _load(path: Path) -> LoadedConfiguration:
    text = _read(path)
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, and numbers with thousands of digits
        raise ConfigurationError(f"{path}: is not valid TOML: {error}") from error
    if path.name == "pyproject.toml":
        data = data.get("tool", {}).get("doctor", {})
    from pydantic import ValidationError

    try:
        return LoadedConfiguration(_adapter().validate_python(data), path, text)
    except ValidationError as error:
        raise ConfigurationError(_explain(path, text, error)) from error


def _adapter() -> TypeAdapter[Configuration]:
    # The annotations of the sections name the first three, and this is where they are looked up.
    from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter  # noqa: F401

    return TypeAdapter(Configuration)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    described = _adapter().json_schema() | {"title": "doctor.toml"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **described}


def _read(path: Path) -> str:
    """Return the text of a regular file of reasonable size; nothing else is opened, so that nothing can hang."""
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise ConfigurationError(f"{path}: is not a regular file")
        if state.st_size > MAX_BYTES:
            raise ConfigurationError(f"{path}: has {state.st_size:,} bytes; at most {MAX_BYTES:,} are read")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: is not UTF-8 text; save it as UTF-8") from error


def _explain(path: Path, text: str, error: ValidationError) -> str:
    errors = error.errors()
    first = next((each for each in errors if each["type"] == _UNKNOWN), errors[0])  # a typo explains the rest
    named = first["type"] in (_UNKNOWN, "missing")  # then the last part is a key, whatever it is called
    location = [
        part
        for number, part in enumerate(first["loc"], start=1)
        if isinstance(part, int) or (named and number == len(first["loc"])) or not _UNION_TAG.match(part)
    ]
    key = ".".join(str(part) for part in location)
    message = first["msg"]
    if first["type"] == _UNKNOWN:
        message = "unknown key"
        known = _known_keys(location[:-1])
        if near := get_close_matches(str(location[-1]), known, n=1):
            message += f"; did you mean {near[0]!r}?"
        elif known:
            message += f"; known here: {', '.join(known)}"
    line = line_of(text, location) or line_of(text, location[:-1])
    return f"{path}{'' if line is None else f':{line}'}: {key}: {message}"


def _known_keys(parents: list[int | str]) -> list[str]:
    names = [part for part in parents if isinstance(part, str)]
    sections: dict[tuple[str, ...], type[Any]] = {
        ("target",): TargetConfiguration,
        ("ignored",): IgnoredConfiguration,
        ("target", "auth"): AuthConfiguration,
        ("chain",): ChainConfiguration,
        ("chain", "stage"): StageConfiguration,
        ("embeddings",): EmbeddingConfiguration,
        ("vector_index",): VectorIndexConfiguration,
        ("vector_index", "hnsw"): HnswConfiguration,
        ("queries",): QueryConfiguration,
        ("chain", "lookback_hours"): FromEnvironment,
        ("chain", "message_threshold"): FromEnvironment,
    }
    named = {"agents": AgentConfiguration, "profile": ProfileConfiguration}
    section = named.get(names[0]) if names else None
    section = section or sections.get(tuple(names), Configuration)
    return [each.name for each in fields(section)]


def line_of(text: str, location: list[int | str]) -> int | None:
    """Return the line of a key, or of its section's header; in an array of tables, of the table meant.

    ``location`` is the way to it from the top, such as ``["chain", "stage", 0, "name"]``.
    """
    names = [part for part in location if isinstance(part, str)]
    wanted = next((part for part in location if isinstance(part, int)), 0)
    section, whole = ".".join(names[:-1]), ".".join(names)
    current, seen, headers = "", {section: -1, whole: -1}, list[int]()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.fullmatch(line.strip()):
            current = header["name"].removeprefix("tool.doctor").strip(".")
            seen[current] = seen.get(current, -1) + 1
            if current == whole:
                headers.append(number)
        elif (
            names
            and current == section
            and line.partition("=")[0].strip(" \t\"'") == names[-1]
            and (not section or f"{section}]]" not in text or seen[section] == wanted)
        ):
            return number
    return headers[min(wanted, len(headers) - 1)] if headers else None


_UNKNOWN = "unexpected_keyword_argument"
"""What pydantic calls a key that a section does not have."""

_UNION_TAG = re.compile(r"function-|(?:float|int|FromEnvironment)$")
"""Parts of pydantic's locations that name no key but the member of a union."""

_HEADER = re.compile(r"\[\[?\s*(?P<name>[^\[\]]+?)\s*\]\]?\s*(?:#.*)?")


def resolve_chain(configuration: Configuration, get: Callable[[str], str | None]) -> Chain | None:
    """Turn the configured chain into a :class:`Chain`; ``get`` reads a variable of the target's environment.

    Raises:
        ConfigurationError: when such a variable is not a number.
    """
    chain = configuration.chain
    if chain is None:
        return None
    values: dict[str, Any] = {each.name: getattr(chain, each.name) for each in fields(chain) if each.name != "stage"}
    values["lookback_hours"] = _number(chain.lookback_hours, get)
    values["message_threshold"] = int(_number(chain.message_threshold, get))
    agents = tuple(
        AgentTemplate(name, agent.model, agent.system_prompt) for name, agent in sorted(configuration.agents.items())
    )
    return Chain(agents=agents, stages=tuple(Stage(**asdict(stage)) for stage in chain.stage), **values)


def resolve_texts(configuration: Configuration) -> EmbeddingTexts:
    """Return from which columns the text of each embedding is made, as far as the configuration says."""
    return EmbeddingTexts({(each.table, each.column): each.text for each in configuration.embeddings})


def resolve_index_parameters(configuration: Configuration) -> IndexParameters:
    """Return how vector indexes are built."""
    given = configuration.vector_index
    by_rows = tuple(sorted((Hnsw(**asdict(one)) for one in given.hnsw), key=lambda one: (one.rows is None, one.rows)))
    memory = None if given.memory is None else int(given.memory[:-2]) << (30 if given.memory.endswith("GB") else 20)
    return IndexParameters(by_rows or DEFAULT, memory)


def resolve_queries(loaded: LoadedConfiguration) -> tuple[GivenQuery, ...]:
    """Return the queries that the configuration gives, each with the line of its text."""
    name = "" if loaded.path is None else loaded.path.name
    return tuple(
        GivenQuery(
            each.name,
            each.sql,
            name,
            line_of(loaded.text, ["queries", number, "sql"]) or 1,
            tuple(each.values.items()),
        )
        for number, each in enumerate(loaded.configuration.queries)
    )


def _number(value: float | FromEnvironment, get: Callable[[str], str | None]) -> float:
    if not isinstance(value, FromEnvironment):
        return value
    text = get(value.env)
    if text is None or not text.strip():
        return value.default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        # Never the value: the variable may be any, a password too.
        raise ConfigurationError(f"environment variable {value.env}: its value is not a number")
    return number

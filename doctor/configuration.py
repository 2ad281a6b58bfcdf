"""``doctor.toml`` (or ``[tool.doctor]`` in ``pyproject.toml``): found by walking up, checked by pydantic.

Errors:
    ConfigurationError: the file is malformed; the message names file, key and line.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from doctor.chain import AgentTemplate, Chain, Stage

_CODE_PREFIX = r"^(ALL|[A-Z]{1,3}\d{0,3})$"


class ConfigurationError(Exception):
    """The configuration cannot be used; the message says where and what to write instead."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FromEnvironment(_Strict):
    """A number that the target reads from its own environment, with the target's default."""

    env: str
    default: float


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


class ChainConfiguration(_Strict):
    """``[chain]``; see :class:`doctor.chain.Chain`."""

    entry: Annotated[str, Field(pattern=r"^(GET|POST|PUT|PATCH) /")]
    message_table: str
    stage: Annotated[tuple[StageConfiguration, ...], Field(min_length=1)]
    created_at: str = "created_at"
    content: str = "content"
    isolated_by: str | None = None
    lookback_hours: float | FromEnvironment = 24.0
    message_threshold: int | FromEnvironment = 1
    failed_tasks_table: str | None = None
    executions_table: str | None = None
    queue_subject: str = "taskiq_tasks"
    search: str | None = None
    secret_header: str | None = None
    secret_env: str | None = None


class AgentConfiguration(_Strict):
    """One ``[agents.NAME]``; see :class:`doctor.chain.AgentTemplate`."""

    model: str
    system_prompt: str


class TargetConfiguration(_Strict):
    """``[target]``: the name that a write beyond this machine must repeat, and where the target keeps its addresses."""

    name: str | None = None
    source: str = "."
    database_env: tuple[str, ...] = ("DATABASE_URL",)
    nats_env: tuple[str, ...] = ("NATS_URL",)
    ollama_env: tuple[str, ...] = ("OLLAMA_HOST", "OLLAMA_BASE_URL")
    api_env: tuple[str, ...] = ("API_URL",)
    embedding_model_env: tuple[str, ...] = ("OLLAMA_EMBEDDING_MODEL",)


def _codes(value: object) -> object:
    return [value] if isinstance(value, str) else value


Codes = Annotated[tuple[Annotated[str, Field(pattern=_CODE_PREFIX)], ...], BeforeValidator(_codes)]


class Configuration(_Strict):
    """The whole file. Times are in seconds."""

    select: Codes = ("ALL",)
    ignore: Codes = ()
    fail_on: Literal["critical", "error", "warning", "info", "never"] = "error"
    timeout: Annotated[float, Field(gt=0)] | None = None
    total_timeout: Annotated[float, Field(gt=0)] = 60.0
    target: TargetConfiguration = TargetConfiguration()
    chain: ChainConfiguration | None = None
    agents: dict[str, AgentConfiguration] = {}


@dataclass(frozen=True, slots=True)
class LoadedConfiguration:
    """A configuration and the file it came from (None: defaults)."""

    configuration: Configuration
    path: Path | None = None
    text: str = field(default="", repr=False)

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
        if (candidate := folder / "doctor.toml").is_file():
            return _load(candidate)
        if (candidate := folder / "pyproject.toml").is_file() and _has_section(candidate):
            return _load(candidate)
    return LoadedConfiguration(Configuration())


def _has_section(path: Path) -> bool:
    try:
        return "doctor" in tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False  # somebody else's broken pyproject.toml is not our configuration


def _load(path: Path) -> LoadedConfiguration:
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: is not valid TOML: {error}") from error
    if path.name == "pyproject.toml":
        data = data.get("tool", {}).get("doctor", {})
    try:
        return LoadedConfiguration(Configuration.model_validate(data), path, text)
    except ValidationError as error:
        raise ConfigurationError(_explain(path, text, error)) from error


def _explain(path: Path, text: str, error: ValidationError) -> str:
    errors = error.errors()
    first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])  # a typo explains the rest
    location = [
        part
        for part in first["loc"]
        if isinstance(part, int) or not part.startswith(("function-", "float", "int", "From"))
    ]
    key = ".".join(str(part) for part in location)
    message = first["msg"]
    if first["type"] == "extra_forbidden":
        message = "unknown key"
        if near := get_close_matches(str(location[-1]), _known_keys(location[:-1]), n=1):
            message += f"; did you mean {near[0]!r}?"
    line = _line_of(text, location) or _line_of(text, location[:-1])
    return f"{path}{'' if line is None else f':{line}'}: {key}: {message}"


def _known_keys(parents: list[int | str]) -> list[str]:
    sections: dict[str, type[BaseModel]] = {
        "target": TargetConfiguration,
        "chain": ChainConfiguration,
        "stage": StageConfiguration,
    }
    section = next((sections[part] for part in reversed(parents) if part in sections), Configuration)
    return list(section.model_fields)


def _line_of(text: str, location: list[int | str]) -> int | None:
    names = [part for part in location if isinstance(part, str)]
    occurrence = next((part for part in location if isinstance(part, int)), 0)
    section = ".".join(names[:-1])
    current, seen, best = "", -1, None
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            current = stripped.strip("[] ").removeprefix("tool.doctor").strip(".")
            seen += current == section
            if current == ".".join(names):
                best = number
        elif (
            names and stripped.split("=")[0].strip() == names[-1] and current == section and seen in (occurrence, -1, 0)
        ):
            return number
    return best


def resolve_chain(configuration: Configuration, get: Callable[[str], str | None]) -> Chain | None:
    """Turn the configured chain into a :class:`Chain`; ``get`` reads a variable of the target's environment.

    Raises:
        ConfigurationError: when such a variable is not a number.
    """
    chain = configuration.chain
    if chain is None:
        return None
    values: dict[str, Any] = chain.model_dump(exclude={"stage"})
    values["lookback_hours"] = _number(chain.lookback_hours, get)
    values["message_threshold"] = int(_number(chain.message_threshold, get))
    agents = tuple(
        AgentTemplate(name, agent.model, agent.system_prompt) for name, agent in sorted(configuration.agents.items())
    )
    return Chain(agents=agents, stages=tuple(Stage(**stage.model_dump()) for stage in chain.stage), **values)


def _number(value: float | FromEnvironment, get: Callable[[str], str | None]) -> float:
    if not isinstance(value, FromEnvironment):
        return value
    text = get(value.env)
    if text is None or not text.strip():
        return value.default
    try:
        return float(text)
    except ValueError as error:
        raise ConfigurationError(f"environment variable {value.env}: {text!r} is not a number") from error

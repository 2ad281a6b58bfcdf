"""The target of a run: where it is, how it is configured, and its outside systems, opened lazily and once.

The clients of the outside systems are imported by whoever asks for one: a probe needs one of them, and each costs as
much as the rest of its start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from doctor import late
from doctor.chain import Chain
from doctor.check import NotApplicableError
from doctor.configuration import (
    Configuration,
    ConfigurationError,
    LoadedConfiguration,
    load_configuration,
    resolve_chain,
    resolve_index_parameters,
    resolve_queries,
    resolve_texts,
)
from doctor.configured_places import configured_places, repository_path
from doctor.file_names import visible
from doctor.model import Endpoint
from doctor.model import Target as TargetRecord
from doctor.resources.environment import Environment, Variable
from doctor.resources.unreachable import ResourceUnreachable
from doctor.root import root_of

if TYPE_CHECKING:
    from doctor.embedding_texts import EmbeddingTexts
    from doctor.model_examination import ModelExamination
    from doctor.resources.application import Application
    from doctor.resources.auth import Auth
    from doctor.resources.database import Database
    from doctor.resources.models import Models
    from doctor.resources.nats import Nats
    from doctor.similarity_queries import SimilarityQueries
    from doctor.source.index import Source, SourceReader

SOURCE_TIMEOUT = 50.0
"""Seconds for reading the whole source in its own process; a longer `timeout` in doctor.toml holds for it too."""


class NotConfiguredError(NotApplicableError):
    """The target has no such system; the message says what would configure it."""


class Target:
    """What is examined. Use as an async context manager; leaving it closes whatever was opened."""

    def __init__(
        self, root: Path, loaded: LoadedConfiguration, *, keeps_facts: bool = True, token_env: str | None = None
    ) -> None:
        self.root = root
        self.loaded = loaded
        self.keeps_facts = keeps_facts
        """Whether the facts of the source are kept in ``.doctor/cache`` for the next run."""
        self.token_env = token_env
        """The variable that holds a token to be taken apart; None: no token was given."""
        self._readers: list[SourceReader] = []
        self.environment = Environment(root)
        self._opened: dict[str, asyncio.Task[Any]] = {}
        self._instances: dict[str, Any] = {}

    @classmethod
    def at(
        cls,
        path: Path,
        configuration: Path | None = None,
        *,
        profile: str | None = None,
        keeps_facts: bool = True,
        token_env: str | None = None,
    ) -> Target:
        """Look at ``path``: a folder, or a file in the project that is meant, with the values of a profile.

        Raises:
            ConfigurationError: when the configuration found there is malformed, or has no such profile.
        """
        folder = root_of((path,))
        loaded = load_configuration(folder, configuration)
        if profile is not None:
            loaded = loaded.with_profile(profile)
        root = folder if loaded.path is None or configuration is not None else loaded.path.parent
        if not (root / loaded.configuration.target.source).is_dir():
            raise ConfigurationError(f"{loaded.path}: `source` under [target] is no folder of {root}")
        return cls(root, loaded, keeps_facts=keeps_facts, token_env=token_env)

    async def __aenter__(self) -> Target:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def configuration(self) -> Configuration:
        """The target's configuration."""
        return self.loaded.configuration

    @property
    def name(self) -> str:
        """The name that a write beyond this machine must repeat."""
        return self.configuration.target.name or visible(self.root.name)

    @property
    def source_folder(self) -> Path:
        """The folder whose Python files are read."""
        return self.root / self.configuration.target.source

    def chain(self) -> Chain:
        """Return the configured chain.

        Raises:
            NotConfiguredError: there is none.
            ConfigurationError: a variable that it reads is not a number.
        """
        chain = resolve_chain(self.configuration, lambda name: getattr(self.environment.get(name), "value", None))
        if chain is None:
            raise NotConfiguredError("no [chain] in doctor.toml")
        return chain

    def chain_or_none(self) -> Chain | None:
        """Return the configured chain, or None."""
        return None if self.configuration.chain is None else self.chain()

    def variable(self, names: tuple[str, ...]) -> Variable | None:
        """Return the first of these environment variables that the target sets."""
        return next((found for name in names if (found := self.environment.get(name)) and found.value), None)

    async def provide(self, name: str, *, opened: bool = True) -> Any:
        """Return a resource by its parameter name.

        Raises:
            NotConfiguredError: the target has no such system.
            ResourceUnreachable: it has one and it cannot be opened.
        """
        if name == "chain":
            return self.chain()
        if name == "environment":
            return self.environment
        if name == "texts":
            return await self._texts()
        if name == "index_parameters":
            return resolve_index_parameters(self.configuration)
        if name == "token":
            return self._token()
        if name == "queries":
            return await self._once("queries", self._queries)
        if name == "examination":
            return await self._once("examination", self._examination)
        if name == "source":
            return await self._once("source", self._open_source)
        instance = self._instance(name)
        if opened and hasattr(instance, "open"):
            await self._once(name, instance.open)
        return instance

    def prepare(self, names: Iterable[str]) -> None:
        """Import what the configured ones of these resources need, before anything is measured."""
        wanted = set(names)
        if "examination" in wanted:
            wanted |= {"database", "models"}
        for name in sorted(wanted & {"database", "nats", "models", "auth", "application"}):
            with suppress(NotConfiguredError):
                if self._instance(name).endpoint is not None:
                    late.load([name])

    def forget(self, *names: str) -> None:
        """Open these resources afresh, and look at them anew, the next time that they are asked for."""
        for name in names:
            self._opened.pop(name, None)

    def _instance(self, name: str) -> Any:
        if name not in self._instances:
            make: dict[str, Callable[[], Any]] = {
                "database": self._database,
                "nats": self._nats,
                "models": self._models,
                "auth": self._auth,
                "application": self._application,
            }
            self._instances[name] = make[name]()
        return self._instances[name]

    async def _once(self, name: str, open_it: Callable[[], Awaitable[Any]]) -> Any:
        if name not in self._opened:
            self._opened[name] = asyncio.ensure_future(_awaited(open_it))
        return await asyncio.shield(self._opened[name])

    async def _open_source(self) -> Source:
        from doctor.source.index import SourceReader

        reader = SourceReader(self.source_folder, self.root / ".doctor" / "cache" if self.keeps_facts else None)
        self._readers.append(reader)
        source = await reader.source(max(SOURCE_TIMEOUT, self.configuration.timeout or 0.0))
        if not source.files:
            raise NotConfiguredError("no Python files here")
        return source

    async def _texts(self) -> EmbeddingTexts:
        """Return what is known of the embedded texts; the source says its part where there is one that can be read."""
        from doctor.source.index import SourceError
        from doctor.source_texts import source_texts

        configured = resolve_texts(self.configuration)
        with suppress(NotConfiguredError, SourceError):
            source = await self._once("source", self._open_source)
            return replace(configured, embedded=source_texts(source))
        return configured

    async def _examination(self) -> ModelExamination:
        """Look at the model servers and models that rows and variables name: at those alone where there are no rows."""
        from doctor.model_examination import examine_models

        database = None
        with suppress(NotConfiguredError, ResourceUnreachable):
            database = await self.provide("database")
        return await examine_models(await self.provide("models"), self.environment, database, self.chain_or_none())

    async def _queries(self) -> SimilarityQueries:
        from doctor.similarity_queries import SimilarityQueries

        given = resolve_queries(self.loaded)
        try:
            source = await self._once("source", self._open_source)
        except NotConfiguredError:
            if not given:
                raise
            source = None
        return SimilarityQueries.of(source, given)

    def _required(self, names: tuple[str, ...]) -> Variable:
        found = self.variable(names)
        if found is None:
            odd = "".join(f"; {problem}" for problem in self.environment.problems[:1])
            raise NotConfiguredError(f"no {names[0]} in .env or the environment{odd}")
        return found

    def _database(self) -> Database:
        from doctor.resources.database import Database

        found = self._required(self.configuration.target.database_env)
        return Database(found.secret, origin=found.origin)

    def _nats(self) -> Nats:
        from doctor.resources.nats import Nats

        found = self._required(self.configuration.target.nats_env)
        return Nats(found.secret, origin=found.origin)

    def _models(self) -> Models:
        from doctor.resources.models import Models

        found = self.variable(self.configuration.target.ollama_env)
        return Models(None if found is None else found.value, origin="" if found is None else found.origin)

    def _auth(self) -> Auth:
        from doctor.resources.auth import Auth
        from doctor.resources.auth_settings import read_auth_settings

        api = self.variable(self.configuration.target.api_env)
        names = self.configuration.target.auth
        settings = read_auth_settings(self.environment.get, names, "" if api is None else api.value)
        if settings.is_empty:
            raise NotConfiguredError("no CLERK_* keys, issuer or JWKS address in .env or the environment")
        return Auth(settings)

    def _application(self) -> Application:
        from doctor.resources.application import Application

        found = self._required(self.configuration.target.api_env)
        return Application(found.value, origin=found.origin)

    def _token(self) -> Variable:
        found = None if self.token_env is None else self.environment.get(self.token_env)
        if found is None:
            raise NotConfiguredError("no token was given (--token-env)")
        return found

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return the outside systems that are configured, without opening any."""
        found = []
        for name in ("database", "nats", "models", "auth", "application"):
            try:
                found.append(self._instance(name).endpoint)
            except NotConfiguredError:
                continue
        return tuple(endpoint for endpoint in found if endpoint is not None)

    def record(self) -> TargetRecord:
        """Return what a run record keeps of the target."""
        chain = self.chain_or_none()
        source = PurePosixPath(self.configuration.target.source).as_posix()
        return TargetRecord(
            self.name,
            visible(str(self.root)),
            self.endpoints(),
            () if chain is None else chain.stage_names,
            visible(repository_path(self.root)),
            "" if source == "." else source,
            configured_places(self.loaded, self.root),
        )

    def versions(self) -> dict[str, str]:
        """Return the versions of the outside systems that were opened."""
        found = {name: getattr(instance, "server_version", None) for name, instance in self._instances.items()}
        return {name: str(version) for name, version in found.items() if version}

    def beyond_loopback(self) -> tuple[Endpoint, ...]:
        """Return the endpoints that are not on this machine."""
        self.endpoints()
        written = (instance for name, instance in self._instances.items() if name != "auth")  # it is only read
        return tuple(instance.endpoint for instance in written if not instance.is_loopback)

    async def close(self) -> None:
        """Close everything that was opened; a failure to close hides nothing that was learned."""
        for task in self._opened.values():
            task.cancel()
        await asyncio.gather(*self._opened.values(), return_exceptions=True)
        for reader in self._readers:
            await reader.close()
        for instance in self._instances.values():
            if hasattr(instance, "close"):
                await instance.close()


async def _awaited(open_it: Callable[[], Awaitable[Any]]) -> Any:
    return await open_it()

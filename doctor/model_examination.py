"""One look at every model server and every model that the target uses, shared by the checks that judge it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from doctor.agents import ProviderRow
from doctor.chain import Chain
from doctor.endpoint_probe import EndpointReport, EndpointState, probe_endpoint
from doctor.model_uses import MODEL_VARIABLES, ModelUse, model_uses
from doctor.model_verdict import ModelState, ModelVerdict, judge
from doctor.resources.database import Database
from doctor.resources.environment import Environment
from doctor.resources.model_server import ModelError, ModelServer, ModelServerUnreachable
from doctor.resources.models import Models
from doctor.resources.ollama import OllamaServer

Report: TypeAlias = asyncio.Future[EndpointReport]
"""A look at a server that is under way."""

NO_MODELS = "neither a row nor a variable names a model"
"""Why there is nothing to judge where there are no verdicts."""


@dataclass(frozen=True, slots=True)
class ModelExamination:
    """What was seen of the servers, and what came of the uses."""

    reports: tuple[EndpointReport, ...]
    verdicts: tuple[ModelVerdict, ...]
    unasked: tuple[str, ...] = ()
    """What was not looked at, and why."""

    lengths: Mapping[tuple[ModelServer, str], int] = field(default_factory=dict)
    """The context in tokens that a server states of a model of which an agent wants a number of tokens."""

    def of(self, *states: ModelState) -> tuple[ModelVerdict, ...]:
        """Return the verdicts with one of these states."""
        return tuple(verdict for verdict in self.verdicts if verdict.state in states)

    def at(self, *states: EndpointState) -> tuple[EndpointReport, ...]:
        """Return the reports with one of these states."""
        return tuple(report for report in self.reports if report.state in states)

    def uses_of(self, server: ModelServer) -> tuple[ModelUse, ...]:
        """Return who uses a server."""
        return tuple(verdict.use for verdict in self.verdicts if verdict.use.server is server)

    def has_working_link_beside(self, use: ModelUse) -> bool:
        """Tell whether another link of the same chain of models can do the job: then nothing stops, and nobody sees."""
        return any(
            verdict.state is ModelState.USABLE
            and verdict.use.link != use.link
            and verdict.use.wanted_by == use.wanted_by
            for verdict in self.verdicts
        )

    def untold(self) -> str:
        """Return why models of servers that do answer could not be judged, or an empty text."""
        answering = {report.server for report in self.at(EndpointState.ANSWERS)}
        left = [verdict for verdict in self.of(ModelState.UNCLEAR) if verdict.use.server in answering]
        return "; ".join(f"`{verdict.use.model}` could not be judged: {verdict.said}" for verdict in left)

    def require_answers(self) -> None:
        """Make sure that at least one server answered.

        Raises:
            ModelServerUnreachable: none did; the error of the first.
        """
        if self.reports and not self.at(EndpointState.ANSWERS):
            for report in self.reports:
                if isinstance(report.error, ModelServerUnreachable):
                    raise report.error


async def examine_models(
    models: Models, environment: Environment, database: Database | None, chain: Chain | None
) -> ModelExamination:
    """Look at everything that rows and variables name.

    Raises:
        DatabaseError: the rows cannot be read.
    """
    # The default server is known before the rows are read: neither waits for the other, whichever is slow.
    known = _default_report(models, environment)
    found = await model_uses(models, environment, database, chain)
    seen, lengths = await asyncio.gather(examine(models, found.uses, found.servers, known), _stated_lengths(found.uses))
    return replace(seen, unasked=tuple(map(_unasked, found.unasked)), lengths=lengths)


async def _stated_lengths(uses: Iterable[ModelUse]) -> dict[tuple[ModelServer, str], int]:
    """Ask Ollama for the context of each model that an agent names; of other servers the list may say it."""
    asked = {
        (use.server, use.model): use.server
        for use in uses
        if use.row is not None and use.row.max_tokens and isinstance(use.server, OllamaServer)
    }
    lengths = await asyncio.gather(*(_stated_length(server, model) for (_, model), server in asked.items()))
    return {use: length for use, length in zip(asked, lengths, strict=True) if length is not None}


async def _stated_length(server: OllamaServer, model: str) -> int | None:
    try:
        return (await server.describe(model)).context_length
    except ModelError:  # MOD001 and MOD002 say so
        return None


def _unasked(row: ProviderRow) -> str:
    return f"provider `{row.name}` ({row.type}) is asked nothing: it speaks neither Ollama's protocol nor OpenAI's"


def _default_report(models: Models, environment: Environment) -> dict[ModelServer, Report]:
    """Begin to look at the default server."""
    if models.default is None:
        return {}
    named = (environment.get(name) for name, kind, _ in MODEL_VARIABLES if kind == "ollama")
    wanted = [variable.value for variable in named if variable is not None]
    return {models.default: asyncio.ensure_future(probe_endpoint(models, models.default, wanted))}


async def examine(
    models: Models,
    uses: Iterable[ModelUse],
    servers: Iterable[ModelServer],
    known: Mapping[ModelServer, Report] | None = None,
) -> ModelExamination:
    """Look at these servers, each once and all side by side, and judge these uses.

    ``known`` are servers that are being looked at already.
    """
    wanted = tuple(uses)
    asked = tuple(dict.fromkeys((*servers, *(use.server for use in wanted))))
    names = {server: [use.model for use in wanted if use.server is server] for server in asked}
    looks = dict(known or {})
    for server in asked:
        if server not in looks:
            looks[server] = asyncio.ensure_future(probe_endpoint(models, server, names[server]))
    verdicts = await asyncio.gather(*(_judged(use, looks[use.server]) for use in wanted))
    reports = await asyncio.gather(*(looks[server] for server in asked))
    return ModelExamination(tuple(reports), tuple(verdicts))


async def _judged(use: ModelUse, look: Report) -> ModelVerdict:
    return await judge(use, await look)

"""Whether a model can do the job that it is wanted for, and if not, which of the look-alike reasons it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase

from doctor.endpoint_probe import EndpointReport, EndpointState
from doctor.model import Observation
from doctor.model_uses import EMBEDDING, ModelUse
from doctor.resources.hugging_face import POLICIES, Access, HubModel, HuggingFace, without_provider
from doctor.resources.model_names import DEFAULT_TAG, nearest_capable, normalise_model_name, same_model
from doctor.resources.model_server import (
    InstalledModel,
    KeyRefused,
    ModelError,
    ModelNotFound,
    ModelServer,
    NotAllowed,
)

MISSING_OR_PRIVATE = "missing or private: the Hub answers 401 to both without a token; set HF_TOKEN, then check again"


class ModelState(StrEnum):
    """What is the matter with a model."""

    USABLE = "usable"
    MISSING = "missing"
    OTHER_TAG = "other tag"
    """The server has the model with another tag."""
    INCAPABLE = "incapable"
    WRONG_PROVIDER = "wrong provider"
    """The provider behind the colon does not run it, though others do."""
    MALFORMED = "malformed"
    """No name of a model of the Hub."""
    NOT_SERVED = "not served"
    """It exists, and nobody runs it."""
    GATED = "gated"
    DISABLED = "disabled"
    KEY = "key"
    """The key itself is refused."""
    UNCLEAR = "unclear"
    """The server did not say, or says the same of several."""


@dataclass(frozen=True, slots=True)
class ModelVerdict:
    """One use and what came of it. ``said`` is what was answered; ``nearest`` a capable model that is there.

    ``found`` is the model in the server's list; ``ruled_out`` are the look-alikes that were refuted, each with the
    measurement.
    """

    use: ModelUse
    state: ModelState
    said: str = ""
    nearest: InstalledModel | None = None
    found: InstalledModel | None = None
    tags: tuple[str, ...] = ()
    """The same model with other tags."""

    is_alone: bool = False
    """The server has no model at all."""

    ruled_out: tuple[tuple[str, str], ...] = ()

    def refutations(self) -> Iterator[Observation]:
        """Yield what the model's look-alikes are ruled out by, for whoever reports the verdict."""
        for hypothesis, measured in self.ruled_out:
            yield Observation(measured, rules_out=f"{hypothesis} ({self.use.model})")


async def judge(use: ModelUse, report: EndpointReport) -> ModelVerdict:
    """Judge one use by what its server was seen to be. Servers that do not answer leave it unclear."""
    if report.state is EndpointState.KEY:
        return _refused(use, str(report.error))
    if report.state is not EndpointState.ANSWERS:
        return ModelVerdict(use, ModelState.UNCLEAR, str(report.error))
    if isinstance(use.server, HuggingFace):
        return await _on_hugging_face(use, use.server, report)
    if not report.has_list:
        return await _described(use)
    verdict = _listed(use, report)
    if verdict.state is ModelState.MISSING and use.server.kind != "ollama":
        return await _perhaps_unlisted(verdict)
    return verdict


def no_key_known(server: ModelServer) -> str:
    """Return why a refusal of a question without a key says nothing of the key that the application has."""
    return f"not judged: {server.endpoint.address} wants a key, and no key is known that may be sent to it from here"


def _refused(use: ModelUse, said: str) -> ModelVerdict:
    """Judge a refusal: only a key that was sent can be a wrong one."""
    if not use.server.sends_key:
        return ModelVerdict(use, ModelState.UNCLEAR, no_key_known(use.server))
    return ModelVerdict(use, ModelState.KEY, said)


def _listed(use: ModelUse, report: EndpointReport) -> ModelVerdict:
    """Judge by the server's own list."""
    models = report.models
    found = next((one for one in models if _is(use, one.name)), None)
    address = use.server.endpoint.address
    reached = ("base URL wrong", f"{address} answered with its list of {len(models)} models")
    names = ", ".join(model.name for model in models[:8]) or "none"
    if found is None:
        base = normalise_model_name(use.model).partition(":")[0]
        tags = [one.name for one in models if normalise_model_name(one.name).partition(":")[0] == base]
        state = ModelState.OTHER_TAG if use.server.kind == "ollama" and tags else ModelState.MISSING
        nearest = nearest_capable(use.model, models, use.capability)
        said = f"the server has: {names}"
        return ModelVerdict(use, state, said, nearest, tags=tuple(tags), is_alone=not models, ruled_out=(reached,))
    present = ("model missing", f"{address} lists {found.name}")
    if found.capabilities and use.capability not in found.capabilities and _knows_capabilities(use):
        nearest = nearest_capable(use.model, models, use.capability)
        said = ", ".join(sorted(found.capabilities))
        return ModelVerdict(use, ModelState.INCAPABLE, said, nearest, found, ruled_out=(reached, present))
    return ModelVerdict(use, ModelState.USABLE, f"{use.model} present", None, found, ruled_out=(reached, present))


def _knows_capabilities(use: ModelUse) -> bool:
    """Only Ollama says what a model can do; elsewhere only an embedder that is to chat can be told by its name."""
    return use.server.kind == "ollama" or use.capability != EMBEDDING


def _is(use: ModelUse, name: str) -> bool:
    """Compare as the server does; Ollama's own rules hold behind its ``/v1``, too, and a proxy may list patterns."""
    if use.server.kind == "ollama" or name.endswith(f":{DEFAULT_TAG}"):
        return same_model(name, use.model)
    return name == use.model or ("*" in name and fnmatchcase(use.model, name))


async def _perhaps_unlisted(verdict: ModelVerdict) -> ModelVerdict:
    """Ask for a model by its name where the list lacks it: some servers list less than they serve."""
    described = await _described(verdict.use)
    if described.state is ModelState.USABLE:
        return replace(described, said=f"{verdict.use.model} present, though not listed", ruled_out=verdict.ruled_out)
    return verdict


async def _described(use: ModelUse) -> ModelVerdict:
    """Ask for one model where there is no list."""
    try:
        await use.server.describe(use.model)
    except ModelNotFound as error:
        return ModelVerdict(use, ModelState.MISSING, str(error))
    except (KeyRefused, NotAllowed) as error:
        return _refused(use, str(error))
    except ModelError as error:
        return ModelVerdict(use, ModelState.UNCLEAR, str(error))
    return ModelVerdict(use, ModelState.USABLE, f"{use.model} present")


async def _on_hugging_face(use: ModelUse, server: HuggingFace, report: EndpointReport) -> ModelVerdict:
    """Judge by the router's list where it has the model, else by what the Hub says of it."""
    name, provider = without_provider(use.model)
    models, address = report.models, server.endpoint.address
    reached = ("base URL wrong", f"{address} answered with its list of {len(models)} models")
    if report.beside.refused:
        return ModelVerdict(use, ModelState.KEY, report.beside.refused, ruled_out=(reached,))
    account = report.beside.account
    good = (reached, *([("key refused", f"the Hub knows it as the account {account}")] if account else []))
    found = next((model for model in models if model.name == name), None)
    if found is not None and use.capability != EMBEDDING:
        verdict = _served(use, found, provider)
        if verdict.state is ModelState.USABLE and not server.sends_key:
            verdict = replace(verdict, said=f"{verdict.said}; no token is known here, and without one it runs nothing")
        return replace(verdict, ruled_out=(*good, ("model missing", f"{address} lists {name}")))
    return await _by_hub(use, server, models, good)


def _served(use: ModelUse, found: InstalledModel, provider: str) -> ModelVerdict:
    live = [each.provider for each in found.providers if each.live]
    said = ", ".join(f"{each.provider} {'live' if each.live else 'not live'}" for each in found.providers) or "nobody"
    if not live:
        return ModelVerdict(use, ModelState.NOT_SERVED, f"run by {said}", found=found)
    if provider and provider not in POLICIES and provider not in live:
        return ModelVerdict(use, ModelState.WRONG_PROVIDER, f"run by {said}", found=found)
    return ModelVerdict(use, ModelState.USABLE, f"{use.model} is run by {said}", found=found)


async def _by_hub(
    use: ModelUse, server: HuggingFace, models: Sequence[InstalledModel], good: tuple[tuple[str, str], ...]
) -> ModelVerdict:
    name, _ = without_provider(use.model)
    nearest = nearest_capable(name, (one for one in models if any(each.live for each in one.providers)), use.capability)
    try:
        access = await server.hub.access(name)
        known = await server.hub.look(name) if access in (Access.OPEN, Access.GATED) else None
    except KeyRefused as error:
        return replace(_refused(use, str(error)), ruled_out=good)
    except ModelError as error:
        return ModelVerdict(use, ModelState.UNCLEAR, str(error), ruled_out=good)
    states = {
        Access.GATED: (ModelState.GATED, "the Hub answered GatedRepo: its licence was not accepted by this account"),
        Access.HIDDEN: (ModelState.UNCLEAR, MISSING_OR_PRIVATE),
        Access.ABSENT: (ModelState.MISSING, "the Hub answered RepoNotFound, and a public repository resolves"),
        Access.DISABLED: (ModelState.DISABLED, "the Hub answered that access to it is disabled"),
        Access.MALFORMED: (ModelState.MALFORMED, "the Hub's client refuses this name before it asks"),
    }
    if access in states:
        state, said = states[access]
        return ModelVerdict(use, state, said, nearest, ruled_out=good)
    assert known is not None
    return replace(
        _run_by_nobody(use, known), nearest=nearest, ruled_out=(*good, ("model missing", f"the Hub has {name}"))
    )


def _run_by_nobody(use: ModelUse, known: HubModel) -> ModelVerdict:
    live = [each.provider for each in known.served if each.live]
    if use.capability == EMBEDDING and "hf-inference" in live:
        return ModelVerdict(use, ModelState.USABLE, f"{use.model} is run by hf-inference")
    if live:
        said = f"the Hub says that {', '.join(live)} run it, and the router does not offer it"
    else:
        others = ", ".join(each.provider for each in known.served)
        said = f"the Hub's mapping has no live provider{f', only {others} not live' if others else ''}"
    return ModelVerdict(use, ModelState.NOT_SERVED, said)

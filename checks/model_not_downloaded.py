"""A model that the target loads itself is not on this machine, or only in part.

## What it finds
The model of `LOCAL_MODEL` and its kin, and those that the code downloads or loads by name (`snapshot_download("…")`,
`SentenceTransformer("…")`), looked for in the cache of Hugging Face's client. For what is not there the Hub is asked
whether it would give it; nothing is downloaded.

## Why it hurts
What is absent is fetched at the first use, or before the server listens (INI004): gigabytes, or 23 seconds of trying
without network. What is there in part looks whole to `local_files_only=True`, and fails when it is loaded.

## How it is told from its look-alikes
The folder is where the target's own variables put it (`HF_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME`). Whole means: a
configuration, weights, all shards that the index names, and no file that is not finished. With `HF_HUB_OFFLINE` an
absent model is an error, for nothing can fetch it; without it a note, unless the Hub would refuse it (gated, private,
missing, a bad token) or cannot be reached. A name with a provider (`openai/gpt-oss-120b:groq`) is for
the router: the Hub's client refuses it (`HFValidationError`) before it asks. What a server serves is MOD001's business.

## How to fix
`hf download NAME` where the image is made; then `HF_HUB_OFFLINE=1`, so that nothing waits for a network.

## False positives
A cache that only the deployment has: this machine is looked at.
"""

import asyncio
import re
from collections.abc import AsyncIterator

from doctor.api import (
    Access,
    CachedModel,
    Downloaded,
    Environment,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    HuggingFace,
    KeyRefused,
    ModelError,
    Models,
    ModelServerUnreachable,
    NotApplicableError,
    Observation,
    Resource,
    Role,
    ServerFinder,
    Severity,
    Source,
    cache_folder,
    cached,
    check,
    is_offline,
    without_provider,
)
from doctor.source.collectors.downloads import COLLECTOR as DOWNLOADS
from doctor.source.collectors.downloads import Download

VARIABLES = ("LOCAL_MODEL", "HF_MODEL_ID", "SIF_AGENT_MODEL", "SENTENCE_TRANSFORMERS_MODEL")
"""Variables that name a repository which the target loads itself."""

NAMED = re.compile(r"\(\s*(?:[\w]+\s*=\s*)?[\"'](?P<name>[\w.-]+(?:/[\w.-]+)?(?::[\w.-]+)?)[\"']")
OWNER = "sentence-transformers"
"""Who owns a model that ``SentenceTransformer`` is given without an owner."""


REFUSED = {
    Access.GATED: "its licence has not been accepted by this account",
    Access.DISABLED: "the Hub has withdrawn it",
    Access.HIDDEN: "it is missing or private, and there is no token",
    Access.ABSENT: "the Hub has no such model",
    Access.MALFORMED: "the Hub's client refuses this name",
}


@check("MOD010", "model-not-downloaded", severity=Severity.WARNING, tags=["live"], timeout=25.0)
async def model_not_downloaded(
    environment: Environment, models: Models, source: Source | None = None
) -> AsyncIterator[Finding | Observation]:
    """Look into the cache for each model that is named, and ask the Hub for what is not there."""
    folder, offline = cache_folder(environment), is_offline(environment)
    named = _named(environment, source)
    if not named:
        raise NotApplicableError("nothing names a model that the target loads itself")
    server = ServerFinder(models, environment).at("huggingface", "", "", None)
    assert isinstance(server, HuggingFace)
    looked = {name: cached(name, folder) for name in sorted(named)}
    wanted = [name for name, found in looked.items() if found.state is not Downloaded.WHOLE]
    said = [] if offline else await asyncio.gather(*(_refused(server, name) for name in wanted))
    refused = dict(zip(wanted, said, strict=False))
    for name, found in looked.items():
        if found.state is Downloaded.WHOLE:
            yield Observation(f"{name} is downloaded", rules_out=f"start blocked by the download of {name}")
        else:
            yield _finding(found, *named[name], refused.get(name, ""), offline=offline)


async def _refused(server: HuggingFace, name: str) -> str:
    """Return why the Hub would not give a model now, or an empty text when it would."""
    repository, provider = without_provider(name)
    if provider:
        return f"the provider `{provider}` behind the colon is for the router: the Hub knows `{repository}` only"
    try:
        return REFUSED.get(await server.hub.access(name), "")
    except KeyRefused:
        return "the Hub refuses the token"
    except ModelServerUnreachable as error:
        return f"the Hub cannot be reached from here: {error.reason.explanation}"
    except ModelError as error:
        return f"the Hub gives no usable answer: {error}"


def _named(environment: Environment, source: Source | None) -> dict[str, tuple[Resource, str]]:
    found: dict[str, tuple[Resource, str]] = {}
    for name in VARIABLES:
        variable = environment.get(name)
        if variable is not None and "/" in variable.value and not variable.value.startswith((".", "/", "~")):
            found[variable.value] = (Resource("variable", name), variable.origin)
    for fact in source.collected(DOWNLOADS) if source is not None else ():
        match = NAMED.search(fact.text) if isinstance(fact, Download) and fact.of_hub else None
        if match is None or not isinstance(fact, Download):
            continue
        name = match["name"] if "/" in match["name"] else f"{OWNER}/{match['name']}"
        if "/" in match["name"] or fact.name.endswith("SentenceTransformer"):
            found.setdefault(name, (Resource("code", f"{fact.path}:{name}", fact.path, fact.line), fact.text))
    return found


def _finding(found: CachedModel, place: Resource, text: str, refused: str, *, offline: bool) -> Finding:
    absent = found.state is Downloaded.ABSENT
    note = absent and not offline and not refused
    why = "the Hub is forbidden" if offline else refused
    return Finding(
        code="MOD010",
        resource=Resource("model", f"huggingface/{found.repository}", place.path, place.line),
        symptom=f"`{found.repository}` is {found.state}" + (f", and {why}" if why else ""),
        cause=why or f"the cache lacks {found.missing}",
        severity=Severity.INFO if note else (Severity.ERROR if why else Severity.WARNING),
        role=Role.ADVICE if note else Role.CAUSE,
        impacts=("the first use downloads it, and waits for that" if note else "it cannot be loaded",),
        related=(place,),
        evidence=(
            Evidence(EvidenceKind.CONFIG, place.location or place.id, text),
            Evidence(EvidenceKind.PROCESS, str(found.folder), found.missing),
            *([Evidence(EvidenceKind.HTTP, f"access to {found.repository}", refused)] if refused else []),
        ),
        rule="the Hub's client loads what its cache holds, and fetches the rest",
        fixes=(FixOption.by_hand(f"hf download {found.repository}", "it downloads gigabytes"),),
        validation="doctor check --select MOD010",
    )

"""A model's context cannot hold the prompt and the answer that an agent configuration asks for.

## What it finds
An agent whose system prompt and `max_tokens` together need more tokens than the model has, or than the server has
loaded it with while the code sets no `num_ctx`.

## Why it hurts
Ollama cuts the beginning of the prompt without a word: the instructions are forgotten, and JSON ends early with
`done_reason: length`. An OpenAI-compatible server answers 400, `context_length_exceeded`.

## How it is told from its look-alikes
The model's own length comes from its server (`/api/show`, `max_model_len`, a provider's `context_length`), the length
with which it is loaded from `/api/ps`: by default 4,096 tokens whatever the model could do. Code that sets `num_ctx`
decides for itself, so that what is loaded now says nothing. Characters are counted and taken as four to a token, and
what the messages add is not counted: what is found is too much even without them. The model is not at fault.

## How to fix
Set `num_ctx` in the request (or `OLLAMA_CONTEXT_LENGTH` on the server), lower `max_tokens`, or take a model that has
more.

## False positives
A prompt in a language with many characters to a token.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    NO_MODELS,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    ModelExamination,
    ModelUse,
    NotApplicableError,
    Observation,
    Provenance,
    Severity,
    Source,
    check,
    same_model,
)
from doctor.source.collectors.context_sizes import COLLECTOR

CHARACTERS_PER_TOKEN = 4
"""Rule of thumb for English; real prompts have fewer, so that what is found is there."""


@check(
    "MOD013",
    "model-context-too-short",
    severity=Severity.WARNING,
    tags=["live"],
    timeout=25.0,
    mechanisms=[Mechanism("MOD013", "CHN002", "the answer is cut and is no JSON any more", ("agent",))],
)
async def model_context_too_short(
    examination: ModelExamination, source: Source | None = None
) -> AsyncIterator[Finding | Observation]:
    """Compare what each agent needs with what its model has."""
    if not examination.verdicts:
        raise NotApplicableError(NO_MODELS)
    sets_itself = source is not None and bool(source.collected(COLLECTOR))
    for verdict in examination.verdicts:
        use = verdict.use
        if not _needed(use):
            continue
        listed = None if verdict.found is None else verdict.found.context_length
        limit = examination.lengths.get((use.server, use.model)) or listed
        needed, loaded = _needed(use), _loaded_length(use, examination)
        if limit is not None and needed > limit:
            yield _finding(use, needed, f"the model has {limit:,} tokens", Severity.ERROR)
        elif loaded is not None and needed > loaded and not sets_itself:
            said = f"it is loaded with {loaded:,} tokens, and the code sets no `num_ctx`"
            yield _finding(use, needed, said, Severity.WARNING)
            if limit is not None:
                yield Observation(
                    f"{use.model} itself has {limit:,} tokens", rules_out=f"model too small ({use.model})"
                )
        elif limit is not None:
            yield Observation(f"{use.model} holds {limit:,} tokens", rules_out=f"context too short ({use.model})")


def _needed(use: ModelUse) -> int:
    """Return the tokens that prompt and answer need at least, 0 where the row does not say."""
    if use.row is None or not use.row.max_tokens:
        return 0
    return use.row.max_tokens + use.row.prompt_characters // CHARACTERS_PER_TOKEN


def _loaded_length(use: ModelUse, examination: ModelExamination) -> int | None:
    report = next(each for each in examination.reports if each.server is use.server)
    loaded = (each for each in report.beside.loaded or () if same_model(each.name, use.model))
    return next((each.context_length for each in loaded), None)


def _finding(use: ModelUse, needed: int, said: str, severity: Severity) -> Finding:
    assert use.row is not None
    counted = f"max_tokens {use.row.max_tokens:,}, system prompt {use.row.prompt_characters:,} characters"
    return Finding(
        code="MOD013",
        resource=use.resource,
        symptom=f"`{use.model}` cannot hold the {needed:,} tokens that agent `{use.row.name}` needs: {said}",
        cause=f"prompt and answer of `{use.row.name}` are longer than the context",
        severity=severity,
        subject=use.row.name,
        group=use.model,
        impacts=("the beginning of the prompt is forgotten, or the answer is cut",),
        related=(use.wanted_by,),
        evidence=(
            Evidence(EvidenceKind.HTTP, use.server.endpoint.address, said),
            Evidence(EvidenceKind.SQL, use.row.table, counted, Provenance.ESTIMATED),
        ),
        rule="ollama cuts the beginning of what does not fit; openai-compatible servers refuse it",
        fixes=(FixOption.by_hand("set num_ctx, or lower max_tokens", "only you know how long answers must be"),),
        validation="doctor check --select MOD013",
    )

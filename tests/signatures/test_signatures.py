"""Every known line is recognised, by its own signature, and names checks and effects that exist."""

from __future__ import annotations

import re

import pytest

from doctor.commands.output import registry
from doctor.known_signature import InvalidSignatureError, KnownSignature, SignatureKind
from doctor.triage.catalogue import Catalogue
from doctor.triage.causes import AREAS

SIGNATURES = list(registry().signatures.values())
CATALOGUE = Catalogue(SIGNATURES)

WRITTEN = {
    "Failed to queue scoring task: 'function' object has no attribute 'kiq'": ["task-has-no-kiq"],
    "No active agent config 'knowledge_extractor' found for knowledge extraction, skipping": ["agent-config-missing"],
    "Threshold reached (13 >= 10), queueing knowledge extraction for 13 messages using agent 'knowledge_extractor'": [
        "threshold-reached"
    ],
    "Starting knowledge extraction task: 13 messages with agent 0b7c1f7e-6a0e-4d53-9d6c-3a3d6f1c2b11": [
        "extraction-started"
    ],
    "Starting knowledge extraction for 13 messages using agent 'knowledge_extractor' (model: qwen2:7b)": [
        "extraction-started"
    ],
    "Knowledge extraction completed: 2 topics processed, 3 atoms processed, 0 links created, 14 messages updated": [
        "extraction-completed"
    ],
    "Queueing embedding generation for 3 atoms": ["embedding-queued"],
    "Queueing embedding generation for 2 messages": ["embedding-queued"],
    "Starting batch atom embedding task: 3 atoms": ["embedding-started"],
    "Failed to queue embedding task: <error>": ["embedding-not-queued"],
    "[Errno 8] nodename nor servname provided, or not known": ["name-not-resolved"],
    "Unverified token rejected (production).": ["token-rejected"],
    "AUTHENTICATION ERROR: Token verification failed for endpoint: GET /api/content-planning/monitoring/stats": [
        "token-verification-failed"
    ],
    "HF structured model not found: %s. Trying fallback model.": ["hf-model-not-found", "template-not-filled-in"],
    "HF structured model not found (no response_format path): %s": ["hf-model-not-found", "template-not-filled-in"],
    "Hugging Face API call failed: Not Found": ["hf-call-failed"],
    "Hugging Face structured JSON generation failed: NotFoundError: Not Found": ["hf-structured-failed"],
    "[llm_text_gen] Provider huggingface failed: RetryError[...]": ["provider-failed"],
    "Cannot index content - service not initialized for user <id>": ["index-not-initialised"],
    "StatReload detected changes in 'api\\today_workflow.py'. Reloading...": ["reload-of-development-server"],
}
"""The lines of real incidents, as they were written."""

UNKNOWN = [
    "SELECT * FROM messages WHERE id = %s",
    "progress 50%s",
    "Queue has 3 tasks",
    "model loaded",
    "everything is known",
    'INFO:     127.0.0.1:45400 - "GET /health HTTP/1.1" 503 Service Unavailable',
]


def names(line: str) -> list[str]:
    return [one.signature.name for one in CATALOGUE.recognised(line, CATALOGUE.candidates(line))]


@pytest.mark.parametrize("line, expected", WRITTEN.items(), ids=[line[:40] for line in WRITTEN])
def test_a_line_is_recognised(line: str, expected: list[str]) -> None:
    assert names(line) == expected


@pytest.mark.parametrize("line", UNKNOWN)
def test_a_line_that_only_looks_like_one_is_not(line: str) -> None:
    assert names(line) == []


def test_every_signature_is_usable() -> None:
    assert CATALOGUE.problems == []
    assert len(CATALOGUE.known) == len(SIGNATURES)


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda one: one.name)
def test_a_signature_names_checks_and_effects_that_exist(signature: KnownSignature) -> None:
    assert {one.check for one in signature.hypotheses} - {""} <= registry().checks.keys()
    assert set(signature.leads_to) <= registry().signatures.keys()
    assert signature.area in AREAS
    assert signature.examples


@pytest.mark.parametrize(
    "signature", [one for one in SIGNATURES if one.kind is SignatureKind.PROBLEM], ids=lambda one: one.name
)
def test_a_problem_has_a_hypothesis_and_anything_else_has_none(signature: KnownSignature) -> None:
    assert signature.hypotheses
    assert len({one.check for one in signature.hypotheses}) == len(signature.hypotheses)


def test_no_example_belongs_to_a_problem_of_another_kind() -> None:
    for signature in SIGNATURES:
        for example in signature.examples:
            kinds = {registry().signatures[name].kind for name in names(example)}
            assert kinds == {signature.kind}, (signature.name, example)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"pattern": "("}, "not usable"),
        ({"pattern": "(?P<task>x)"}, "must be a group"),
        ({"hint": ""}, "without digits"),
        ({"hint": "a1"}, "without digits"),
        ({"examples": ("y",)}, "must find its example"),
    ],
)
def test_a_signature_that_contradicts_itself_is_told(changes: dict, message: str) -> None:
    sound = {"name": "plugin-line", "title": "x", "hint": "x", "pattern": "x", "examples": ("x",)}
    broken = KnownSignature(**{**sound, **changes})
    with pytest.raises(InvalidSignatureError, match=re.escape(message)):
        broken.compiled()
    assert len(Catalogue([broken]).problems) == 1

"""A base URL of Hugging Face is one that is no longer served, so every model is "not found".

## What it finds
`https://router.huggingface.co/hf/v1` or `https://api-inference.huggingface.co` in the code, in a `.env*` file, or in a
YAML or TOML file:

    client = OpenAI(base_url="https://router.huggingface.co/hf/v1", api_key=key)

## Why it hurts
Every request gets a 404, whatever the model. It reads as if the models were missing, and people change their names, or
a fallback provider succeeds and hides it.

## How it is told from its look-alikes
Only a text that is such an address counts, not a sentence that mentions one. What is compared, searched for or
replaced, a key of a dictionary, a comment, a docstring and a test are silent, because code that corrects old addresses
must name them. Other paths of the router (`/v1`, `/hf-inference/…`) are current.

## How to fix
Write `https://router.huggingface.co/v1` for chat completions. Then ask the same address for its list of models: if that
answers, the address is right, and a model that is still not found is another matter.

## False positives
An address behind a proxy of your own that rewrites it.
"""

import re
from collections import defaultdict
from collections.abc import Iterator

from doctor.api import (
    Environment,
    Evidence,
    EvidenceKind,
    Example,
    Finding,
    FixOption,
    Observation,
    Resource,
    Severity,
    Source,
    check,
    counted,
    search_settings,
)
from doctor.source.collectors.model_endpoints import COLLECTOR, STALE

CURRENT = "https://router.huggingface.co/v1"
PLACES_SHOWN = 5

IN_SETTINGS = re.compile(rf"[=:\[,-]\s*[\"']?(?P<found>{STALE.pattern})")
"""The address as a value, not in the middle of a sentence."""

_CLIENT = """\
from openai import OpenAI


def client(key: str) -> OpenAI:
    return OpenAI(base_url="https://router.huggingface.co/hf/v1", api_key=key)
"""
_FORMATTED = """\
import httpx


def ask(model: str, prompt: str) -> dict:
    url = f"https://api-inference.huggingface.co/models/{model}"
    return httpx.post(url, json={"inputs": prompt}, timeout=30).json()
"""
_SETTINGS = "llm:\n  # was https://api-inference.huggingface.co\n  base_url: https://router.huggingface.co/hf/v1\n"
_CURRENT_SETTINGS = "llm:\n  # was https://router.huggingface.co/hf/v1\n  base_url: https://router.huggingface.co/v1\n"
_CORRECTS = '''\
"""Addresses of the form https://router.huggingface.co/hf/v1 are corrected."""

OLD = {"https://api-inference.huggingface.co": "https://router.huggingface.co/hf-inference"}
HELP = "use the router instead of https://api-inference.huggingface.co"


def corrected(url: str) -> str:
    if url == "https://router.huggingface.co/hf/v1":
        return "https://router.huggingface.co/v1"
    return url.replace("https://api-inference.huggingface.co", "https://router.huggingface.co/hf-inference")
'''


@check(
    "MOD004",
    "router-base-url",
    severity=Severity.ERROR,
    tags=["static"],
    timeout=20.0,
    bad=[
        Example("a client with the old path", {"app/llm.py": _CLIENT}),
        Example("the old service, with the model in the path", {"app/llm.py": _FORMATTED}),
        Example("in a file of settings", {"app/main.py": "", "settings/production.yaml": _SETTINGS}),
        Example("in the environment", {"main.py": "", ".env": "HF_BASE_URL=https://router.huggingface.co/hf/v1/\n"}),
    ],
    good=[
        Example("the current address", {"app/main.py": "", "settings/production.yaml": _CURRENT_SETTINGS}),
        Example("code that corrects old addresses", {"app/addresses.py": _CORRECTS}),
        Example("a test of it", {"tests/test_llm.py": _CLIENT}),
    ],
)
def router_base_url(source: Source, environment: Environment) -> Iterator[Finding | Observation]:
    """Take over what the collector found, and look into the files of settings; one finding a file and address."""
    searched = search_settings(environment.root, IN_SETTINGS, environment.files)
    places: dict[tuple[str, str], list[Evidence]] = defaultdict(list)
    for fact in source.collected(COLLECTOR):
        place = f"{fact.path}:{fact.line}"
        places[fact.path, fact.address].append(Evidence(EvidenceKind.CODE, place, fact.text))
    for line in searched.lines:
        place = f"{line.path}:{line.line}"
        places[line.path, line.found].append(Evidence(EvidenceKind.CONFIG, place, line.text))
    for (path, address), evidence in places.items():
        yield _finding(path, address, evidence)
    more = "" if searched.is_whole else ", the nearest ones; there are more"
    yield Observation(f"{counted(searched.files, 'file of settings', 'files of settings')} searched{more}")


def _finding(path: str, address: str, evidence: list[Evidence]) -> Finding:
    line = int(evidence[0].source.rpartition(":")[2])
    return Finding(
        code="MOD004",
        resource=Resource("url", f"{path}:{address}", path, line),
        symptom=f"`{path}` names an address of Hugging Face that is no longer served",
        cause=f"`{address}` is an old base URL; `{CURRENT}` is the current one",
        severity=Severity.ERROR,
        impacts=(
            "no request to it succeeds, so every model seems to be missing",
            "a fallback provider that answers hides it",
        ),
        evidence=tuple(evidence[:PLACES_SHOWN]),
        rule="hugging face: the chat completions of all providers are served under /v1 of the router",
        fixes=(
            FixOption.by_hand(
                f"write {CURRENT} in {path}:{line}", "a request for one task needs another path than one for a chat"
            ),
        ),
        validation="doctor check --select MOD004; then the address answers with its list of models",
    )

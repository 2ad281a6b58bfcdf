"""Names of models: when two are the same, and which installed model comes nearest to one that is missing.

The rules of normalisation are those of Ollama's ``types/model/name.go``: host ``registry.ollama.ai``, namespace
``library`` and tag ``latest`` are implied, and case does not matter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from doctor.resources.model_server import InstalledModel

DEFAULT_TAG = "latest"
_IMPLIED = ("registry.ollama.ai/library/", "registry.ollama.ai/", "library/")
_SIZE = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)(b|m)(?![a-z0-9])", re.IGNORECASE)
_EMBEDDER = re.compile(r"embed|minilm|bert|(?<![a-z])(?:bge|gte|e5)(?![a-z])", re.IGNORECASE)
_SAME_SIZE = 0.5
"""Sizes within this many doublings of each other count as equally near."""


def normalise_model_name(name: str) -> str:
    """Return the name by which two spellings of one model are equal: lower case, shortest, always with a tag.

    ``Llama3.2`` → ``llama3.2:latest``; a tag begins at the last colon after the last slash. ``hf.co/…`` keeps its host.
    """
    text = name.strip().lower()
    for implied in _IMPLIED:
        if text.startswith(implied):
            text = text.removeprefix(implied)
            break
    head, slash, last = text.rpartition("/")
    base, _, tag = last.partition(":")
    return f"{head}{slash}{base}:{tag or DEFAULT_TAG}"


def same_model(one: str, other: str) -> bool:
    """Tell whether two names mean the same model of one server. Another tag is another model."""
    return normalise_model_name(one) == normalise_model_name(other)


def guessed_capabilities(name: str, family: str) -> frozenset[str]:
    """Return what a model can probably do, for servers too old to say so."""
    return frozenset({"embedding"} if _EMBEDDER.search(name) or "bert" in family.lower() else {"completion"})


def parameter_count(text: str) -> float | None:
    """Return the number of parameters, in thousands of millions, in ``7.6B``, ``137M`` or ``mixtral:8x7b``."""
    match = _SIZE.search(text)
    if match is None:
        return None
    experts, number, unit = match.groups()
    return float(number) * int(experts or 1) / (1000 if unit.lower() == "m" else 1)


def nearest_capable(wanted: str, installed: Iterable[InstalledModel], capability: str) -> InstalledModel | None:
    """Return the installed model that may stand in for ``wanted``, or None when none has the capability.

    In this order: the same model with another tag, the same family, a related family (``llama3.2`` and ``llama3.1``);
    then the nearest number of parameters; then models that answer at once before those that think first; then the name.
    A pure embedding model is never taken for chat, nor a model that runs on somebody else's machine.
    """
    candidates = [model for model in installed if capability in model.capabilities and not model.remote]
    return min(candidates, key=lambda model: _distance(wanted, model), default=None)


def _distance(wanted: str, model: InstalledModel) -> tuple[int, float, bool, float, str]:
    size, own = parameter_count(wanted), parameter_count(model.parameter_size) or parameter_count(model.name)
    far = abs(math.log2(own / size)) if size and own else (math.inf if size else 0.0)
    rough = far if math.isinf(far) else round(far / _SAME_SIZE)
    return _kinship(wanted, model), rough, "thinking" in model.capabilities, far, normalise_model_name(model.name)


def _kinship(wanted: str, model: InstalledModel) -> int:
    base, own = _base(wanted), _base(model.name)
    family = model.family.lower()
    if base == own:
        return 0
    if family and base == family:
        return 1
    if _stem(base) in {_stem(own), _stem(family)} - {""}:
        return 2
    return 3


def _base(name: str) -> str:
    return normalise_model_name(name).rpartition("/")[2].partition(":")[0]


def _stem(name: str) -> str:
    match = re.match(r"[a-z]+", name)
    return match[0] if match else ""

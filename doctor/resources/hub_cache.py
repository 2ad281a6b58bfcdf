"""What of a model of the Hugging Face Hub is on this machine already: the cache is looked at, and nobody is asked.

Layout (huggingface_hub 2.4): ``models--org--name/{blobs,refs/main,snapshots/<commit>/file → ../../blobs/…}``. A partial
snapshot looks whole to ``snapshot_download(local_files_only=True)``, so the files that a model needs are looked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from doctor.resources.environment import Environment

CACHE_VARIABLES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
TRUE = frozenset({"1", "on", "true", "yes"})

WEIGHTS = (".safetensors", ".bin", ".gguf", ".onnx", ".pt", ".h5", ".msgpack")
INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
INDEX_BYTES = 20_000_000
"""Bytes of an index of shards beyond which it is none."""


class Downloaded(StrEnum):
    """How much of a model is there."""

    WHOLE = "downloaded"
    PARTIAL = "downloaded in part"
    ABSENT = "not downloaded"


@dataclass(frozen=True, slots=True)
class CachedModel:
    """What the cache holds of a repository; ``missing`` says what it lacks."""

    repository: str
    state: Downloaded
    folder: Path
    missing: str = ""


def cache_folder(environment: Environment, home: Path | None = None) -> Path:
    """Return where the target's process keeps downloads of the Hub, by the rules of its client."""
    for name in CACHE_VARIABLES:
        if (found := environment.get(name)) is not None and found.value:
            return Path(found.value).expanduser()
    if (found := environment.get("HF_HOME")) is not None and found.value:
        return Path(found.value).expanduser() / "hub"
    xdg = environment.get("XDG_CACHE_HOME")
    above = Path(xdg.value).expanduser() if xdg is not None and xdg.value else (home or Path.home()) / ".cache"
    return above / "huggingface" / "hub"


def is_offline(environment: Environment) -> bool:
    """Tell whether the target forbids the network to the Hub's client."""
    found = (environment.get(name) for name in OFFLINE_VARIABLES)
    return any(variable is not None and variable.value.strip().lower() in TRUE for variable in found)


def cached(repository: str, cache: Path) -> CachedModel:
    """Look for a repository in a cache; what cannot be read counts as absent."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    try:
        snapshot = _snapshot(folder)
        if snapshot is None:
            return CachedModel(repository, Downloaded.ABSENT, folder, "no snapshot")
        if unfinished := sum(1 for _ in (folder / "blobs").glob("*.incomplete")):
            return CachedModel(repository, Downloaded.PARTIAL, folder, f"{unfinished} files that are not finished")
        missing = next(_missing(snapshot), "")
    except OSError as error:
        return CachedModel(repository, Downloaded.ABSENT, folder, f"cannot be read: {error.strerror}")
    return CachedModel(repository, Downloaded.PARTIAL if missing else Downloaded.WHOLE, folder, missing)


def _snapshot(folder: Path) -> Path | None:
    """Return the snapshot that the branch ``main`` means, else the newest."""
    snapshots = folder / "snapshots"
    reference = folder / "refs" / "main"
    if reference.is_file():
        named = snapshots / reference.read_text(encoding="ascii", errors="replace").strip()[:64]
        if named.is_dir():
            return named
    found = [path for path in snapshots.iterdir() if path.is_dir()] if snapshots.is_dir() else []
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def _missing(snapshot: Path) -> Iterator[str]:
    """Yield what a model needs and the snapshot lacks: a configuration, and weights, all shards of them."""
    # `exists` follows the link, so that one into nothing is missing.
    files = {path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file()}
    if "config.json" not in files and not any(name.endswith(".gguf") for name in files):
        yield "config.json"
    for index in INDEXES:
        if index in files:
            yield from (f"shard {shard}" for shard in sorted(_shards(snapshot / index)) if shard not in files)
    if not any(name.endswith(WEIGHTS) for name in files):
        yield "a file of weights"


def _shards(index: Path) -> set[str]:
    try:
        if index.stat().st_size > INDEX_BYTES:
            return set()
        found = json.loads(index.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return set()
    shards = found.get("weight_map") if isinstance(found, dict) else None
    return {str(shard) for shard in shards.values()} if isinstance(shards, dict) else set()

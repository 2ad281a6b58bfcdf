"""Whether a task makes vectors: told by its name, and where the name may mean something else, by what its body names.

``embed_messages`` does, ``embed_video_in_page`` and ``send_embed`` do not, ``embed_covers`` only with a model in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_EMBEDS = re.compile(r"embed(?!ded)|vectori[sz]", re.IGNORECASE)
_VECTORS = re.compile(r"embeddings|vectori[sz]", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")
_SPEAKS_OF_VECTORS = re.compile(r"embedding|embedder|vector|encoder|sentence_transformers", re.IGNORECASE)

_BESIDE = re.compile(
    "all|and|async|auto|background|batch(es)?|bulk|celery|do|for|in|job|many|missing|new|of|on|one|pending|process|queue|"
    "re|run|single|task|the|to"
)
"""Words that say nothing of what is embedded."""

_TEXTS = re.compile(
    "answer|atom|chunk|corpus|data|doc|document|entity|fact|knowledge|message|node|note|paragraph|passage|query|question|"
    "record|row|sentence|summary|text|ticket|topic|transcript"
)
"""What is embedded for nothing but its vector, in the singular."""


def may_make_vectors(name: str) -> bool:
    """Whether anything in the name of a task says so."""
    return _EMBEDS.search(name) is not None


def makes_vectors(name: str, body: Iterable[str]) -> bool:
    """Whether a task does; ``body`` are the names that its body calls, binds and imports."""
    return may_make_vectors(name) and (_is_plain(name) or any(_SPEAKS_OF_VECTORS.search(one) for one in body))


def _is_plain(name: str) -> bool:
    """Whether the name can mean nothing else: *embeddings*, or *embed* and nothing but texts."""
    words = [word.lower() for word in _WORD.findall(name)]
    rest = [word for word in words if _BESIDE.fullmatch(word) is None]
    if _VECTORS.search(name) is not None or "embedding" in rest:
        return True
    return rest[:1] in (["embed"], ["reembed"]) and all(_TEXTS.fullmatch(_singular(word)) for word in rest[1:])


def _singular(word: str) -> str:
    return f"{word[:-3]}y" if word.endswith("ies") else word.removesuffix("s")

"""What the stand-in knows: repositories, who may read them, who runs them, and the tokens of its accounts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

COMMIT = "0123456789abcdef0123456789abcdef01234567"

#: A public repository that the real Hub has too: the one that is asked for to see whether anything resolves.
CONTROL = "openai-community/gpt2"


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider that can run a model: ``status`` is what the Hub's mapping and the router's list say of it."""

    name: str
    status: Literal["live", "staging", "error"] = "live"
    context: int = 131_072


@dataclass(frozen=True, slots=True)
class Repository:
    """One model of the Hub. ``providers`` empty means that nobody runs it; ``dimensions`` are those of an embedder."""

    name: str
    gated: Literal[False, "auto", "manual"] = False
    private: bool = False
    disabled: bool = False
    task: str = "text-generation"
    providers: tuple[Provider, ...] = ()
    dimensions: int = 0

    @property
    def files(self) -> dict[str, bytes]:
        """The files that ``snapshot_download`` fetches."""
        return {
            "config.json": b'{"model_type": "stand-in"}',
            "tokenizer.json": b"{}",
            "model.safetensors": b"\0" * 64,
        }


@dataclass(frozen=True, slots=True)
class Account:
    """Who a token belongs to: the repositories whose licence it accepted or owns, and the providers it has enabled."""

    name: str
    reads: frozenset[str] = frozenset()
    may_infer: bool = True
    enabled: frozenset[str] | None = None
    """None: all providers."""


@dataclass(slots=True)
class World:
    """All of it; tokens are kept as they are, for nothing here is real."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)

    @classmethod
    def of(cls, repositories: tuple[Repository, ...], accounts: dict[str, Account]) -> World:
        """Make a world of these repositories."""
        return cls({repository.name: repository for repository in repositories}, dict(accounts))


#: The models of the incident: two that a router serves, one gated, one private, one that nobody runs, one embedder.
DEFAULT_REPOSITORIES = (
    Repository(CONTROL),
    Repository("openai/gpt-oss-120b", providers=(Provider("groq"), Provider("together"), Provider("nscale", "error"))),
    Repository("Qwen/Qwen2.5-7B-Instruct", providers=(Provider("together", context=32_768),)),
    Repository("meta-llama/Llama-3.1-8B-Instruct", gated="manual", providers=(Provider("groq"),)),
    Repository("stand-in/private-model", private=True),
    Repository("stand-in/withdrawn", disabled=True),
    Repository("TinyLlama/TinyLlama-1.1B-Chat-v1.0"),
    Repository("mistralai/Mistral-7B-Instruct-v0.3", providers=(Provider("novita", "staging"),)),
    Repository(
        "sentence-transformers/all-MiniLM-L6-v2",
        task="sentence-similarity",
        providers=(Provider("hf-inference"),),
        dimensions=384,
    ),
)

GOOD_TOKEN = "hf_StandInGoodTokenOfNobody0000000001"  # noqa: S105 - of a world that is not real
LICENSED_TOKEN = "hf_StandInLicensedOfNobody0000000002"  # noqa: S105
READ_ONLY_TOKEN = "hf_StandInReadOnlyOfNobody0000000003"  # noqa: S105
GROQ_ONLY_TOKEN = "hf_StandInGroqOnlyOfNobody0000000004"  # noqa: S105

DEFAULT_ACCOUNTS = {
    GOOD_TOKEN: Account("stand-in"),
    LICENSED_TOKEN: Account(
        "stand-in-licensed", frozenset({"meta-llama/Llama-3.1-8B-Instruct", "stand-in/private-model"})
    ),
    READ_ONLY_TOKEN: Account("stand-in-reader", may_infer=False),
    GROQ_ONLY_TOKEN: Account("stand-in-groq", enabled=frozenset({"groq"})),
}


def default_world() -> World:
    """Make the default world anew."""
    return World.of(DEFAULT_REPOSITORIES, DEFAULT_ACCOUNTS)

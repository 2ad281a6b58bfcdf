"""Settings of the application, read from the environment and from ``.env`` in the working directory."""

from __future__ import annotations

from functools import lru_cache
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from .publishable_key import is_this_machine, issuer_of


class SettingsError(SystemExit):
    """The settings cannot be used; ends the process that starts with them, with one sentence for each mistake."""


class Settings(BaseSettings):
    """Every setting is the environment variable of the same name in capitals; times are in seconds.

    ``task_ack_wait_seconds`` is the JetStream ``ack_wait``: after so long without a sign of life from the worker, a
    task is delivered to another one. ``task_timeout_seconds`` is what a task may take with all its attempts.
    ``task_outage_patience_seconds`` is for how long a task that an outage stops is tried again before it becomes a
    dead letter.
    """

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    database_url: SecretStr = SecretStr("postgresql://localhost:5432/knowledge")
    database_pool_size: int = Field(default=10, ge=2, le=100)
    database_timeout_seconds: float = Field(default=10.0, gt=0)
    nats_url: str = "nats://localhost:4222"

    ollama_host: str = "http://localhost:11434"
    ollama_embedding_model: str = "nomic-embed-text"
    # 16,000 is the most that pgvector's type can hold; an HNSW index on `vector` holds 2,000.
    embedding_dimensions: int = Field(default=768, ge=1, le=16_000)
    # Topics have a vector column only when this was on as the schema was applied.
    embed_topics: bool = False
    embedding_request_size: int = Field(default=32, ge=1, le=1_000)
    model_timeout_seconds: float = Field(default=180.0, gt=0)
    # A repository of the Hugging Face Hub, fetched in the background; unset: none.
    local_model: str | None = None
    local_model_retry_seconds: float = Field(default=60.0, gt=0)

    telegram_webhook_secret: SecretStr | None = None
    webhook_deadline_seconds: float = Field(default=5.0, gt=0)
    webhook_max_bytes: int = Field(default=1_048_576, ge=1)
    api_token: SecretStr | None = None

    # Session tokens of Clerk are asked for when the publishable key, or the issuer, is set.
    clerk_publishable_key: str | None = None
    clerk_issuer: str | None = None
    clerk_jwks_url: str | None = None
    clerk_authorized_parties: str = ""
    clerk_audience: str | None = None
    clerk_leeway_seconds: float = Field(default=5.0, ge=0, le=60)

    ai_knowledge_extraction_message_threshold: int = Field(default=10, ge=1)
    ai_knowledge_extraction_lookback_hours: float = Field(default=24.0, gt=0)
    ai_knowledge_extraction_batch_size: int = Field(default=50, ge=1, le=1_000)

    task_ack_wait_seconds: float = Field(default=30.0, ge=1)
    task_timeout_seconds: float = Field(default=540.0, gt=0)
    task_outage_patience_seconds: float = Field(default=3_600.0, ge=0)
    task_retry_delay_seconds: float = Field(default=1.0, ge=0)
    task_execution_retention_days: int = Field(default=30, ge=1)
    log_level: str = "INFO"

    @field_validator("database_url")
    @classmethod
    def _without_driver(cls, url: SecretStr) -> SecretStr:
        """Accept the SQLAlchemy form ``postgresql+driver://``: libpq knows only ``postgresql://``."""
        scheme, separator, rest = url.get_secret_value().partition("://")
        return SecretStr(scheme.partition("+")[0] + separator + rest)

    @field_validator("clerk_publishable_key")
    @classmethod
    def _is_decodable(cls, key: str | None) -> str | None:
        if key is not None:
            issuer_of(key)
        return key

    @field_validator("clerk_issuer", "clerk_jwks_url")
    @classmethod
    def _is_safe_address(cls, url: str | None) -> str | None:
        """Refuse what anybody on the way could answer: keys that come without TLS are anybody's keys."""
        parts = urlsplit(url or "")
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(parts.netloc))
        if url is not None and not is_safe:
            raise ValueError("must be an https:// address (http:// only for this machine)")
        return url

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        """Refuse what could never work.

        A task that is slower than ``TASK_ACK_WAIT_SECONDS`` needs no refusal: see ``delivery.py``.
        """
        if self.model_timeout_seconds >= self.task_timeout_seconds:
            raise ValueError(
                f"MODEL_TIMEOUT_SECONDS ({self.model_timeout_seconds:g}) must be less than TASK_TIMEOUT_SECONDS "
                f"({self.task_timeout_seconds:g}): a task would end before the model it waits for"
            )
        batch, threshold = self.ai_knowledge_extraction_batch_size, self.ai_knowledge_extraction_message_threshold
        if batch < threshold:
            raise ValueError(
                f"AI_KNOWLEDGE_EXTRACTION_BATCH_SIZE ({batch}) must not be less than "
                f"AI_KNOWLEDGE_EXTRACTION_MESSAGE_THRESHOLD ({threshold}): no extraction could hold what starts it"
            )
        return self

    @property
    def clerk_instance(self) -> str | None:
        """The issuer whose tokens are taken; None: no session token is asked for."""
        if self.clerk_issuer is not None or self.clerk_publishable_key is None:
            return self.clerk_issuer
        return issuer_of(self.clerk_publishable_key)

    @property
    def clerk_keys_url(self) -> str:
        """The one address from which signing keys are taken."""
        return self.clerk_jwks_url or f"{(self.clerk_instance or '').rstrip('/')}/.well-known/jwks.json"

    @property
    def authorized_parties(self) -> frozenset[str]:
        """The origins whose tokens are taken; none: those of every origin."""
        return frozenset(self.clerk_authorized_parties.replace(",", " ").split())

    @property
    def claim_lease_seconds(self) -> float:
        """How long a claim on messages holds without progress: longer than one redelivery and one run."""
        return 2 * (self.task_timeout_seconds + self.task_ack_wait_seconds)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings; they are read once per process.

    Raises:
        SettingsError: a variable has a value that does not fit, by itself or beside others; the message names it.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("\n".join(map(_spoken, error.errors(include_url=False, include_input=False)))) from None


def _spoken(mistake: ErrorDetails) -> str:
    """Say what is wrong with which variable; the value stays out of it, for it may be a secret."""
    names = " ".join(str(part).upper() for part in mistake["loc"])
    reason = mistake["msg"].removeprefix("Value error, ")
    return f"settings: {names}: {reason}" if names else f"settings: {reason}"

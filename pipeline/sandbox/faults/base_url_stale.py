"""The provider's base URL has a stale part before `/v1`, so every model is "not found".

The primary model and its fallback are asked for under a path that the gateway does not know. It answers 404 to both,
and to a model that cannot exist. The log reads as if the models were missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.memory import forget, recall, remember
from doctor.pipeline.sandbox.models.application import GATEWAY, GATEWAY_MODELS
from doctor.pipeline.sandbox.seeding import AGENT, PROVIDER

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

NAME = "base-url-stale"
STALE_PATH = f"{GATEWAY}/hf/v1"
MODEL, FALLBACK = GATEWAY_MODELS[0].name, GATEWAY_MODELS[1].name

READ = """
    SELECT p.type, p.base_url, a.model_name, a.fallback_model
    FROM llm_providers AS p JOIN agent_configs AS a ON a.provider_id = p.id
    WHERE p.name = %(provider)s AND a.name = %(agent)s
"""
WRITE_PROVIDER = "UPDATE llm_providers SET type = %(type)s, base_url = %(url)s WHERE name = %(provider)s"
WRITE_AGENT = "UPDATE agent_configs SET model_name = %(model)s, fallback_model = %(fallback)s WHERE name = %(agent)s"


def _break(sandbox: Sandbox) -> None:
    url = f"{sandbox.environment()['OLLAMA_HOST']}{STALE_PATH}"
    names = {"provider": PROVIDER, "agent": AGENT}
    with sandbox.connect() as connection, connection.transaction():
        found = connection.execute(READ, names).fetchone()
        if found is None or found[1] == url:
            return
        remember(sandbox, NAME, dict(zip(("type", "url", "model", "fallback"), found, strict=True)))
        connection.execute(WRITE_PROVIDER, {**names, "type": "openai", "url": url})
        connection.execute(WRITE_AGENT, {**names, "model": MODEL, "fallback": FALLBACK})


def _heal(sandbox: Sandbox) -> None:
    """Bring both rows back, also where somebody has corrected the address: the gateway was the fault's, too."""
    earlier = recall(sandbox, NAME)
    if not earlier:
        return
    names = {"provider": PROVIDER, "agent": AGENT}
    with sandbox.connect() as connection, connection.transaction():
        found = connection.execute(READ, names).fetchone()
        if found is not None and GATEWAY in str(found[1]):
            connection.execute(WRITE_PROVIDER, {**names, "type": earlier["type"], "url": earlier["url"]})
            connection.execute(WRITE_AGENT, {**names, "model": earlier["model"], "fallback": earlier["fallback"]})
    forget(sandbox, NAME)


FAULT = Fault(
    name=NAME,
    case="C15",
    title="The base URL of the provider is stale",
    description=__doc__ or "",
    expected=Expectation(roots=("MOD005",), effects=("CHN001", "CHN002")),
    break_=_break,
    heal=_heal,
    touches=("provider", "agent.model_name"),
)

"""What an application needs before it can work: a provider and an agent configuration, made through its own API."""

from __future__ import annotations

from typing import Any

import httpx

from doctor.pipeline.sandbox.errors import StartError
from doctor.pipeline.sandbox.plan import CHAT_MODEL

PROVIDER = "ollama"
AGENT = "knowledge_extractor"
TIMEOUT_SECONDS = 15.0

SYSTEM_PROMPT = """\
You read chat messages of a technical team, one per line, each with its id in square brackets.
Group the messages into topics. Extract atoms of knowledge: problems, solutions, decisions, insights, questions,
patterns and requirements, each with the ids of the messages that it comes from. Link atoms that bear on one another.
Answer with JSON only, in the form that you are given. Use only ids that occur in the messages. Invent nothing.
"""


def seed(api_url: str, token: str = "", model: str = CHAT_MODEL) -> None:
    """Create the provider and the active agent configuration, unless rows of these names exist; existing rows stay.

    ``token`` is that of programs, where the API asks for one.

    Raises:
        StartError: the API refuses or does not answer.
    """
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        base = f"{api_url}/api/v1"
        with httpx.Client(base_url=base, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            provider = _find(client, "/providers", PROVIDER)
            if provider is None:
                # Without an address of its own it is OLLAMA_HOST, whose port may change from one start to the next.
                provider = _post(client, "/providers", {"name": PROVIDER, "type": "ollama"})
                _post(client, f"/providers/{provider['id']}/validate", {})
            if _find(client, "/agent_configs", AGENT) is None:
                _post(
                    client,
                    "/agent_configs",
                    {
                        "name": AGENT,
                        "provider_id": provider["id"],
                        "model_name": model,
                        "system_prompt": SYSTEM_PROMPT,
                        "temperature": 0.3,
                        "max_tokens": 4000,
                        "is_active": True,
                    },
                )
    except httpx.HTTPStatusError as error:
        answer = error.response
        raise StartError(f"{error.request.url} answered {answer.status_code}: {answer.text[:500]}") from error
    except httpx.HTTPError as error:
        raise StartError(f"the API at {api_url} does not answer: {error}; see logs/api.log") from error


def _find(client: httpx.Client, path: str, name: str) -> dict[str, Any] | None:
    query: dict[str, str] = {}
    while True:
        answer = client.get(path, params=query)
        answer.raise_for_status()
        page = answer.json()
        found: dict[str, Any] | None = next((row for row in page["items"] if row["name"] == name), None)
        if found is not None or page["next"] is None:
            return found
        query = {"after": page["next"]}


def _post(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(path, json=body)
    answer.raise_for_status()
    row: dict[str, Any] = answer.json()
    return row

"""Brings a sandbox back to where it was when it was new, as far as faults, repairs and messages have changed it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, LiteralString

import httpx

from doctor.pipeline.sandbox import nats
from doctor.pipeline.sandbox.errors import DeadlineError
from doctor.pipeline.sandbox.fault import all_faults
from doctor.pipeline.sandbox.state import ServiceStatus

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

PATIENCE = 60.0
"""Seconds in which the tasks that are at work must end, and the application must find its servers again."""

PAUSE = 0.05
"""Seconds between two questions: who asks without a pause takes the processor from those that are to bring it about."""

TIMEOUT = 30.0
"""Seconds that the API has to say whether it is well: it asks all its servers first."""

RESTORE: tuple[LiteralString, ...] = (
    "DROP INDEX IF EXISTS atoms_embedding_hnsw_cosine",
    "TRUNCATE messages, topics, atoms, atom_links, extractions, failed_tasks, task_executions CASCADE",
    "UPDATE agent_configs SET is_active = true, model_name = 'qwen2:7b-instruct-q4_K_M', fallback_model = NULL",
    "UPDATE llm_providers SET type = 'ollama', base_url = NULL, is_active = true",
)
"""Takes away every row, and every index that a repair has made."""


def reset(sandbox: Sandbox) -> None:
    """Start what is stopped, heal every fault, drop waiting tasks, remove all rows, and wait until all is well.

    Raises:
        NotRunningError: a server does not answer.
        DeadlineError: tasks do not end, or the application does not find its servers.
    """
    for name, service in sandbox.state().services.items():
        if service.status in {ServiceStatus.STOPPED, ServiceStatus.PAUSED}:
            sandbox.start(name)
    sandbox.heal(*all_faults())
    asyncio.run(nats.purge_stream(sandbox.environment()["NATS_URL"]))
    settled(sandbox)
    with sandbox.connect() as connection:
        for statement in RESTORE:
            connection.execute(statement)
    # It looks for a server that was away again only when it next needs it, and refuses messages until then.
    _eventually(lambda: is_well(sandbox), "the application does not find all its servers")


def settled(sandbox: Sandbox) -> None:
    """Wait until no task waits and none is at work.

    Raises:
        DeadlineError: tasks do not end.
    """
    url = sandbox.environment()["NATS_URL"]
    _eventually(lambda: asyncio.run(nats.queue_is_empty(url)), "there are tasks that do not end")


def is_well(sandbox: Sandbox) -> bool:
    """Tell whether the application answers and reaches all its servers."""
    try:
        answer = httpx.get(f"{sandbox.environment()['API_URL']}/health", timeout=TIMEOUT, trust_env=False)
    except httpx.TransportError:
        return False
    return bool(answer.json()["status"] == "ok")


def _eventually(holds: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > until:
            raise DeadlineError(f"{otherwise}, not within {PATIENCE:g} s")
        time.sleep(PAUSE)

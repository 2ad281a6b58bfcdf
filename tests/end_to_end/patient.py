"""One sandbox and what the tests ask of it: the doctor's commands, its checks, its rows, its journals."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, LiteralString

from doctor.commands.drill_round import check as check
from doctor.model import Run
from doctor.pipeline.sandbox import resetting
from doctor.pipeline.sandbox.sandbox import Sandbox
from tests.forked_doctor import run

CHAT = -4_300
PATIENCE = 60.0
"""Seconds after which something that must happen counts as never happening."""

PAUSE = 0.05
"""Seconds between two questions: who asks without a pause takes the processor from those that are to bring it about."""

HEALTHY_MODEL = "qwen2:7b-instruct-q4_K_M"
DATA = ("messages", "topics", "atoms", "atom_links", "extractions", "failed_tasks", "agent_configs", "llm_providers")
"""Every table but the log of executions."""


def doctor(sandbox: Sandbox, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Call the command in the sandbox's folder."""
    return run(*words, cwd=sandbox.directory, extra=variables)


def codes(run: Run, fingerprints: Iterable[str]) -> set[str]:
    """Return the codes of these findings."""
    return {run.finding(fingerprint).code for fingerprint in fingerprints}


def roots(run: Run) -> tuple[str, ...]:
    """Return the codes of the root causes, in order."""
    return tuple(root.code for root in run.diagnosis.roots)


def effects(run: Run) -> set[str]:
    """Return the codes of all effects that a root explains."""
    return codes(run, (effect.fingerprint for root in run.diagnosis.roots for effect in root.effects))


def eventually(holds: Callable[[], Any], what: str) -> Any:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := holds()):
        assert time.monotonic() < deadline, f"not within {PATIENCE:g} s: {what}"
        time.sleep(PAUSE)
    return answer


def ask(sandbox: Sandbox, query: LiteralString) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    with sandbox.connect() as connection:
        return connection.execute(query).fetchall()


def write(sandbox: Sandbox, *statements: LiteralString) -> None:
    """Run statements, each its own transaction."""
    with sandbox.connect() as connection:
        for statement in statements:
            connection.execute(statement)


def tables(sandbox: Sandbox) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of the data, table by table."""
    with sandbox.connect() as connection:
        return {
            name: connection.execute(f"SELECT to_jsonb(t) FROM {name} AS t ORDER BY t.id").fetchall()  # type: ignore[arg-type]
            for name in DATA
        }


def files(sandbox: Sandbox) -> dict[str, tuple[bytes, int]]:
    """Return content and time of change of every source file."""
    paths = sorted(sandbox.layout.app.rglob("*.py"))
    return {str(path.relative_to(sandbox.directory)): (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def send_and_await_saved(sandbox: Sandbox, count: int = 15) -> None:
    """Send messages and wait until all have been stored."""
    sandbox.send_messages(count, CHAT)
    query: LiteralString = "SELECT count(*) FROM messages WHERE chat_id = -4300"
    eventually(lambda: ask(sandbox, query)[0][0] == count, f"{count} messages are saved")


def journals(sandbox: Sandbox) -> list[Path]:
    """Return the journals of all runs, oldest first."""
    return sorted((sandbox.directory / ".doctor" / "runs").glob("*/journal.jsonl"))


def journalled_vectors(journal: Path) -> list[list[tuple[str, str]]]:
    """Return, batch by batch, the rows (table, key) whose vectors a run wrote."""
    entries = [json.loads(line) for line in journal.read_text().splitlines()]
    return [[(entry["table"], key) for key, _ in entry["rows"]] for entry in entries if entry["kind"] == "vectors"]


def reset(sandbox: Sandbox) -> None:
    """Make the sandbox as new, without anything to undo."""
    resetting.reset(sandbox)
    for journal in journals(sandbox):
        journal.unlink()

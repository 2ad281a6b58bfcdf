"""Every fault breaks what it says, once, and heals without a trace; what somebody repaired meanwhile stays."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from doctor.pipeline.sandbox.fault import all_faults
from doctor.pipeline.sandbox.nats import queue_settings
from doctor.pipeline.sandbox.sandbox import Sandbox

NAMES = (
    "decorator-order",
    "agent-config-inactive",
    "agent-config-missing",
    "agent-config-misspelt",
    "provider-inactive",
    "model-not-available",
    "enqueue-error-swallowed",
    "embedding-not-queued",
    "null-embeddings",
    "filter-starves-index",
    "index-built-twice",
    "index-for-another-distance",
    "index-invalid",
    "lists-out-of-range",
    "page-beyond-index",
    "partition-without-index",
    "plain-index-on-vectors",
    "query-not-indexable",
    "threshold-passes-nan",
    "dimensions-differ",
    "padded-vectors",
    "two-models",
    "wrong-vantage",
    "rows-left-behind",
    "zero-vectors",
    "publishable-key-undecoded",
    "base-url-stale",
    "initialisation-race",
    "blocking-download",
    "model-default-drift",
    "dead-letter-never-written",
    "auth-fails-open",
    "kind-never-embedded",
    "conflict-markers",
    "printf-log-arguments",
    "double-initialisation",
    "consumer-paused",
    "stream-missing",
    "stream-settings-drift",
    "unknown-task-dropped",
)
ALONE = {"agent-config-missing", "agent-config-misspelt", "base-url-stale"}
"""Faults that write what another one writes, too: the agent's row, and the model in it."""

# Everything that a fault may touch. The history's numbers and times are new each time, its texts are not.
EXTRACTIONS = "SELECT id::text, agent_config_id::text FROM extractions ORDER BY id"
ROWS = (
    "SELECT to_jsonb(a) - 'updated_at' FROM agent_configs AS a ORDER BY name",
    "SELECT to_jsonb(p) - 'updated_at' FROM llm_providers AS p ORDER BY name",
    EXTRACTIONS,
    "SELECT external_id, content, embedding IS NULL FROM messages WHERE external_id ~ '^(history|left)' ORDER BY 1",
    "SELECT title, content, embedding IS NULL FROM atoms WHERE extraction_id IS NULL ORDER BY 1",
    "SELECT attname, atttypid, atttypmod, attstorage FROM pg_attribute WHERE attrelid = 'messages'::regclass",
    "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
)


def snapshot(sandbox: Sandbox) -> dict[str, object]:
    """Return all of a sandbox that a fault could change."""
    files: dict[str, object] = {
        str(path.relative_to(sandbox.directory)): path.read_bytes()
        for path in (*sandbox.layout.app.rglob("*.py"), sandbox.layout.env_file)
    }
    with sandbox.connect() as connection:
        rows = {query: connection.execute(query).fetchall() for query in ROWS}  # type: ignore[call-overload]
    return {**files, **rows, "queue": asyncio.run(queue_settings(sandbox.environment()["NATS_URL"]))}


@pytest.fixture
def healthy(running: Sandbox) -> Iterator[Sandbox]:
    """The shared sandbox; it must be as before when the test is over."""
    before = snapshot(running)
    yield running
    for fault in all_faults().values():
        fault.heal(running)
    running.await_code_restart()
    # Extractions that ran meanwhile are work, not damage.
    after = snapshot(running)
    assert {**after, EXTRACTIONS: before[EXTRACTIONS]} == before


@pytest.fixture
def unwatched(healthy: Sandbox) -> Iterator[Sandbox]:
    """The same with its supervisor frozen, so that API and worker do not start again on code that comes and goes."""
    record = healthy.state().supervisor
    assert record is not None
    supervisor = psutil.Process(record.pid)
    supervisor.suspend()
    yield healthy
    supervisor.resume()


def test_every_fault_is_found_and_described() -> None:
    faults = all_faults()
    assert tuple(faults) == NAMES
    for name, fault in faults.items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
        assert re.fullmatch(r"C\d+", fault.case)
        assert fault.title
        assert len(fault.description) > 80
        expected = fault.expected
        codes = [code for part in dataclasses.astuple(expected) for code in part]
        assert codes
        assert all(re.fullmatch(r"[A-Z]{3}\d{3}", code) for code in codes)


@pytest.mark.parametrize("name", NAMES)
def test_breaking_twice_is_breaking_once_and_healing_undoes_it(unwatched: Sandbox, name: str) -> None:
    fault = all_faults()[name]
    before = snapshot(unwatched)
    fault.heal(unwatched)
    assert snapshot(unwatched) == before
    fault.break_(unwatched)
    broken = snapshot(unwatched)
    assert broken != before
    changed = {key for key in before if before[key] != broken[key]}
    assert any(key.endswith(".py") for key in changed) is fault.edits_code
    fault.break_(unwatched)
    assert snapshot(unwatched) == broken
    fault.heal(unwatched)
    assert snapshot(unwatched) == before
    fault.heal(unwatched)
    assert snapshot(unwatched) == before


def test_all_faults_hold_together_and_heal_in_any_order(unwatched: Sandbox) -> None:
    before = snapshot(unwatched)
    together = [name for name in NAMES if name not in ALONE]
    for name in together:
        all_faults()[name].break_(unwatched)
    with unwatched.connect() as connection:
        row = connection.execute("SELECT is_active, model_name FROM agent_configs").fetchone()
    assert row == (False, "llama3.2:3b")
    for name in together:
        all_faults()[name].heal(unwatched)
    assert snapshot(unwatched) == before


def moved_lines(before: bytes, after: bytes) -> list[tuple[bytes, bytes]]:
    return [(old, new) for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new]


def test_wrong_decorators_are_two_moved_lines_per_task(unwatched: Sandbox) -> None:
    files = [unwatched.layout.app / "tasks" / name for name in ("scoring.py", "extraction.py")]
    before = [file.read_bytes() for file in files]
    all_faults()["decorator-order"].break_(unwatched)
    for file, original in zip(files, before, strict=True):
        moved = moved_lines(original, file.read_bytes())
        assert len(moved) == 2
        assert moved[0] == moved[1][::-1]
        assert moved[0][0] == b"@broker.task"
        assert moved[0][1].startswith(b"@task_retry_with_dlq(")


def test_messages_that_cannot_be_enqueued_vanish_into_one_warning(
    healthy: Sandbox, eventually: Callable[..., None]
) -> None:
    healthy.break_("decorator-order", "enqueue-error-swallowed")
    chat = -2_001
    healthy.send_messages(12, chat)
    log = healthy.layout.log("worker")
    warning = "Failed to queue scoring task: 'function' object has no attribute 'kiq'"
    eventually(lambda: log.read_text(errors="replace").count(warning) >= 12, "twelve warnings")
    with healthy.connect() as connection:
        counts = "SELECT count(*), count(importance_score) FROM messages WHERE chat_id = %s"
        assert connection.execute(counts, (chat,)).fetchone() == (12, 0)
        assert connection.execute("SELECT count(*) FROM failed_tasks").fetchone() == (0,)
    healthy.heal("decorator-order", "enqueue-error-swallowed")
    healthy.send_messages(1, chat)
    with healthy.connect() as connection:
        eventually(lambda: connection.execute(counts, (chat,)).fetchone() == (13, 1), "the chain runs again")


@pytest.mark.parametrize("fault", ["agent-config-inactive", "agent-config-missing"])
def test_without_an_agent_scored_messages_wait(healthy: Sandbox, eventually: Callable[..., None], fault: str) -> None:
    healthy.break_(fault)
    chat = -2_002 if fault.endswith("missing") else -2_003
    log = healthy.layout.log("worker")
    line = "No active agent config 'knowledge_extractor' found for knowledge extraction, skipping"
    before = log.read_text(errors="replace").count(line)
    healthy.send_messages(10, chat)
    eventually(lambda: log.read_text(errors="replace").count(line) > before, "the line in the log")
    with healthy.connect() as connection:
        counts = "SELECT count(importance_score), count(extraction_id) FROM messages WHERE chat_id = %s"
        assert connection.execute(counts, (chat,)).fetchone() == (10, 0)


def test_a_model_that_was_never_pulled_fails_the_extraction(healthy: Sandbox, eventually: Callable[..., None]) -> None:
    healthy.break_("model-not-available")
    healthy.send_messages(10, -2_004)
    with healthy.connect() as connection:
        failed = "SELECT error FROM failed_tasks WHERE task LIKE '%extract_knowledge%'"
        eventually(lambda: connection.execute(failed).fetchone() is not None, "a dead letter")
        row = connection.execute(failed).fetchone()
        assert row is not None
        assert "model 'llama3.2:3b' not found" in str(row[0])
        connection.execute("DELETE FROM failed_tasks")


def ask_index(sandbox: Sandbox, question: str, **body: object) -> httpx.Response:
    """Ask the semantic index of a user who has written nothing."""
    url = f"{sandbox.environment()['API_URL']}/api/v1/users/-2005/index/{question}"
    return httpx.post(url, json=body, timeout=20, trust_env=False)


def test_the_first_call_after_a_start_fails_and_a_later_one_works(
    healthy: Sandbox, eventually: Callable[..., None]
) -> None:
    healthy.break_("initialisation-race")
    assert ask_index(healthy, "content", content="the vector index").status_code == 500
    line = "Cannot index content - service not initialized for user -2005"
    assert line in healthy.layout.log("api").read_text(errors="replace")
    eventually(lambda: ask_index(healthy, "content", content="the vector index").status_code == 201, "a later call")
    healthy.heal("initialisation-race")
    assert ask_index(healthy, "content", content="the vector index").json() == {"size": 1}


def test_one_outage_of_the_database_and_nothing_is_ever_loaded_again(
    healthy: Sandbox, eventually: Callable[..., None]
) -> None:
    def found() -> int:
        answer = ask_index(healthy, "search", query="the vector index", threshold=0)
        return int(answer.json()["total"]) if answer.status_code == 200 else -1

    def outage() -> None:
        healthy.stop("postgres")
        eventually(lambda: found() == -1, "a search fails")
        healthy.start("postgres")
        eventually(lambda: found() != -1, "a search is answered")

    healthy.send_messages(1, -2_005)
    with healthy.connect() as connection:
        vector = "UPDATE messages SET embedding = array_fill(0.1, ARRAY[768])::vector WHERE chat_id = -2005"
        eventually(lambda: connection.execute(vector).rowcount == 1, "the message is saved")
    healthy.break_("double-initialisation")
    outage()
    assert found() == 0
    healthy.heal("double-initialisation")
    outage()
    assert found() == 1


def test_a_task_that_fails_for_good_leaves_no_dead_letter(healthy: Sandbox, eventually: Callable[..., None]) -> None:
    healthy.break_("dead-letter-never-written", "model-not-available")
    log = healthy.layout.log("worker")
    failed = "Exception found while executing function."
    before = log.read_text(errors="replace").count(failed)
    healthy.send_messages(10, -2_007)
    eventually(lambda: log.read_text(errors="replace").count(failed) > before, "the task has failed")
    with healthy.connect() as connection:
        assert connection.execute("SELECT count(*) FROM failed_tasks").fetchone() == (0,)
        claimed = "SELECT count(*) FROM messages WHERE chat_id = %s AND extraction_id IS NOT NULL AND topic_id IS NULL"
        assert connection.execute(claimed, (-2_007,)).fetchone() == (10,)


def test_a_repair_by_somebody_else_is_not_undone_by_healing(unwatched: Sandbox) -> None:
    faults = [
        all_faults()[name] for name in ("agent-config-inactive", "model-not-available", "enqueue-error-swallowed")
    ]
    for fault in faults:
        fault.break_(unwatched)
    with unwatched.connect() as connection:
        connection.execute("UPDATE agent_configs SET is_active = true, model_name = 'qwen3:8b'")
    file: Path = unwatched.layout.app / "tasks" / "ingestion.py"
    repaired = file.read_bytes().replace(b"logger.warning(", b"logger.error(")
    file.write_bytes(repaired)
    for fault in faults:
        fault.heal(unwatched)
    assert file.read_bytes() == repaired
    with unwatched.connect() as connection:
        row = connection.execute("SELECT is_active, model_name FROM agent_configs").fetchone()
        assert row == (True, "qwen3:8b")
        connection.execute("UPDATE agent_configs SET model_name = 'qwen2:7b-instruct-q4_K_M'")
    # The copy is the sandbox's own; the original is beside it.
    from doctor import pipeline

    file.write_bytes((Path(pipeline.__file__).parent / "app" / "tasks" / "ingestion.py").read_bytes())


def test_old_rows_that_were_embedded_stay_when_the_rest_is_healed(healthy: Sandbox) -> None:
    all_faults()["null-embeddings"].break_(healthy)
    with healthy.connect() as connection:
        nulls = "SELECT (SELECT count(*) FROM messages WHERE external_id LIKE 'history:%' AND embedding IS NULL)"
        assert connection.execute(nulls).fetchone() == (237,)
        count = "SELECT count(*) FROM atoms WHERE extraction_id IS NULL AND embedding IS NULL"
        assert connection.execute(count).fetchone() == (125,)
        embedded = "UPDATE messages SET embedding = array_fill(0.1, ARRAY[768])::vector WHERE external_id = 'history:5'"
        connection.execute(embedded)
        all_faults()["null-embeddings"].heal(healthy)
        left = "SELECT external_id FROM messages WHERE external_id LIKE 'history:%'"
        assert connection.execute(left).fetchall() == [("history:5",)]
        connection.execute("DELETE FROM messages WHERE external_id = 'history:5'")
        connection.execute("DELETE FROM topics WHERE description LIKE 'Before%'")

"""Runs for tests: the incident of three causes in series, as the built-in checks would report it, and its repair."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from doctor.chain import Chain, Stage
from doctor.diagnosis import confirm, diagnose
from doctor.model import (
    Applicability,
    CheckResult,
    Endpoint,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    Observation,
    Repair,
    RepairStatus,
    Resource,
    Role,
    Run,
    Severity,
    StageResult,
    Status,
    Target,
    Verification,
)
from doctor.plugins import load_registry

BUILT_INS = load_registry(entry_points=False)
MECHANISMS = tuple(mechanism for check in BUILT_INS.checks.values() for mechanism in check.mechanisms)

SCORE, EXTRACT = "app.tasks.scoring.score_message_task", "app.tasks.extraction.extract_knowledge_from_messages_task"

CHAIN = Chain(
    entry="POST /webhook/telegram",
    message_table="messages",
    stages=(
        Stage("saved", task="app.tasks.ingestion:save_telegram_message", table="messages", column="id"),
        Stage("scored", task=SCORE, table="messages", column="importance_score", requeue_argument="message_id"),
        Stage("extracted", task=EXTRACT, table="messages", column="topic_id", agent="knowledge_extractor"),
        Stage("embedded", task="app.tasks.embedding:embed_messages_batch_task", table="messages", column="embedding"),
    ),
)


def finding(code: str, resource: Resource, **fields: Any) -> Finding:
    """Return a finding with measured evidence, unless the fields say otherwise."""
    given = {
        "symptom": f"{code} was seen",
        "cause": f"what {code} says is wrong",
        "severity": Severity.ERROR,
        "evidence": (Evidence(EvidenceKind.SQL, "asked", "answered"),),
    }
    return Finding(code=code, resource=resource, **{**given, **fields})


def result(code: str, *findings: Finding, status: Status | None = None, **fields: Any) -> CheckResult:
    """Return the result of a check, built in or not, that made these findings."""
    check = BUILT_INS.checks.get(code)
    name, area = (check.name, check.area) if check else ("of-a-plugin", "plugin")
    return CheckResult(code, name, area, status or (Status.FAIL if findings else Status.PASS), findings, **fields)


def task_hidden(task: str, path: str, line: int = 16) -> Finding:
    """TSK001: a decorator above the registrar."""
    name = task.rpartition(".")[2]
    return finding(
        "TSK001",
        Resource("task", task, path, line),
        symptom=f"`{name}` cannot be enqueued: `@task_retry_with_dlq` stands above `@broker.task`",
        cause=f"`{name}` is bound to the wrapper",
        evidence=(Evidence(EvidenceKind.CODE, f"{path}:{line}", "@task_retry_with_dlq(max_attempts=3)"),),
        rule="taskiq: functools.wraps does not carry .kiq over to a wrapper",
        fixes=(
            FixOption(
                "swap-decorators",
                f"move `@broker.task` above `@task_retry_with_dlq` in {path}",
                Applicability.SAFE,
                "whole decorator lines move",
                {"path": path, "line": line},
                recommended=True,
            ),
        ),
    )


def agent_inactive() -> Finding:
    """AGT001: the row exists and is inactive."""
    return finding(
        "AGT001",
        Resource("agent", "knowledge_extractor"),
        symptom="no active row named `knowledge_extractor` in public.agent_configs (1 row, inactive)",
        cause="the row is inactive",
        stage="extracted",
        subject="inactive",
        group="knowledge_extractor",
        related=(Resource("stage", "extracted"),),
        impacts=("`extracted` never runs",),
        rule="the application selects the active row by its name",
    )


def model_missing() -> Finding:
    """MOD001: the row names a model that the server does not have."""
    return finding(
        "MOD001",
        Resource("model", "ollama/llama3.2:3b"),
        symptom="`llama3.2:3b` is not on http://127.0.0.1:11434; agent `knowledge_extractor` wants it",
        cause="public.agent_configs names a model that the server does not have",
        stage="extracted",
        subject="missing for agent:knowledge_extractor",
        group="llama3.2:3b",
        related=(Resource("agent", "knowledge_extractor"),),
        rule="the server answers 404 for a model that it does not have",
    )


def enqueue_swallowed() -> Finding:
    """TSK002: what made it silent."""
    return finding(
        "TSK002",
        Resource("code", "app.messages.receive", "app/messages.py", 40),
        symptom="when `score_message_task` cannot be enqueued in `receive`, one `warning` line is left",
        cause="a broad handler swallows every error",
        severity=Severity.WARNING,
        role=Role.AMPLIFIER,
        subject=SCORE,
        related=(Resource("task", SCORE),),
    )


def stalled(stage: str, rows: int = 15) -> Finding:
    """CHN001: rows wait before a stage."""
    place = CHAIN.stages[CHAIN.position(stage)]
    related = [Resource("service", name) for name in ("worker", "nats", "jetstream")]
    related.append(Resource("task", str(place.task_resource)))
    if place.agent:
        related += [Resource("agent", place.agent), Resource("service", "models")]
    return finding(
        "CHN001",
        Resource("stage", stage),
        symptom=f"{rows} rows reached `{stage}` in the last 24 h, 0 passed it, {rows} are stuck",
        cause=f"the stage `{stage}` does not advance",
        role=Role.SYMPTOM,
        stage=stage,
        related=tuple(related),
        impacts=("`embedded` starves",),
    )


def vectors_left_over() -> Finding:
    """EMB001: rows of the past without a vector."""
    return finding(
        "EMB001",
        Resource("column", "public.messages.embedding"),
        symptom="237 of 252 rows of messages, older than 24 h, have no embedding",
        cause="the rows were stored while nothing embedded them",
        role=Role.DAMAGE,
        subject="left over",
        related=tuple(Resource("service", name) for name in ("models", "worker", "pgvector")),
    )


def index_not_needed() -> Finding:
    """VEC001: advice."""
    return finding(
        "VEC001",
        Resource("column", "public.messages.embedding"),
        symptom="no index on messages.embedding, and none needed below about 3,000 rows (now 252)",
        severity=Severity.INFO,
        role=Role.ADVICE,
    )


def three_in_series() -> tuple[CheckResult, ...]:
    """Return the results of the incident: three causes in series, one amplifier, damage of the past, advice."""
    return (
        result("AGT001", agent_inactive()),
        result("CHN001", stalled("scored")),
        result("EMB001", vectors_left_over()),
        result("MOD001", model_missing()),
        result("NAT001", observations=(Observation("NATS 2.12, round trip 0.2 ms", "NATS down"),)),
        result("PGS001", observations=(Observation("PostgreSQL 18.0, round trip 1.1 ms", "database down"),)),
        result(
            "TSK001", task_hidden(SCORE, "app/tasks/scoring.py"), task_hidden(EXTRACT, "app/tasks/extraction.py", 31)
        ),
        result("TSK002", enqueue_swallowed()),
        result("VEC001", index_not_needed()),
        result("WRK001", observations=(Observation("worker idle, asks for tasks", "worker down"),)),
    )


def healthy() -> tuple[CheckResult, ...]:
    """Return the same checks after everything was repaired; the advice stays."""
    return tuple(
        each if each.code == "VEC001" else replace(each, status=Status.PASS, findings=()) for each in three_in_series()
    )


def run_of(
    results: tuple[CheckResult, ...],
    *,
    chain: Chain | None = CHAIN,
    mechanisms: tuple[Mechanism, ...] = MECHANISMS,
    **fields: Any,
) -> Run:
    """Return a diagnosed run with fixed id, times and versions."""
    target = Target(
        "backend",
        "/srv/backend",
        (Endpoint("postgresql", "127.0.0.1:5432/app", ".env:1"), Endpoint("nats", "127.0.0.1:4222", ".env:2")),
        () if chain is None else chain.stage_names,
    )
    given: dict[str, Any] = {
        "id": "20261120T194517Z-3f9a",
        "version": "0.1.0",
        "started_at": datetime(2026, 11, 20, 19, 45, 17, 85_000, UTC),
        "duration": 0.9,
        "target": target,
        "versions": {"doctor": "0.1.0", "python": "3.11.2", "database": "18.0"},
        "configuration_fingerprint": "0123456789ab",
    }
    return Run(before=results, diagnosis=diagnose(results, mechanisms, chain), **{**given, **fields})


DIFF = """\
--- app/tasks/scoring.py
+++ app/tasks/scoring.py
@@ -16,2 +16,2 @@
-@task_retry_with_dlq(max_attempts=3)
 @broker.task
+@task_retry_with_dlq(max_attempts=3)
"""


def repair(of: Finding, status: RepairStatus = RepairStatus.VERIFIED, **fields: Any) -> Repair:
    """Return what became of the repair of a finding."""
    given: dict[str, Any] = {"preview": DIFF, "outcome": "2 lines moved", "touched": ("app/tasks/scoring.py",)}
    return Repair(
        "swap-decorators",
        of.code,
        of.fingerprint,
        f"repair {of.code}",
        Applicability.SAFE,
        status,
        **{**given, **fields},
    )


def repaired_run() -> Run:
    """Return the incident with its repairs, the state after them, and the proof."""
    before = three_in_series()
    run = run_of(before)
    roots = [run.finding(root.findings[0]) for root in run.diagnosis.roots]
    stages = tuple(StageResult(name, 15, 15, True, 0.4 + number) for number, name in enumerate(CHAIN.stage_names))
    return replace(
        run,
        repairs=tuple(repair(root) for root in roots),
        after=healthy(),
        diagnosis=confirm(run.diagnosis, before, healthy()),
        verification=Verification("canary-0123456789", 15, stages, True, None, "15 of 15 found by search"),
    )

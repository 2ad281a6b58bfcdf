"""The incident of the demo on a sandbox: diagnosed, repaired, taken back; and what dead services look like."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from doctor.check import OPT_IN
from doctor.commands.examination import Selection, choose, examine_open, read_logs
from doctor.commands.fix import repair_target
from doctor.commands.output import registry
from doctor.diagnosis import with_logs
from doctor.fixing import Policy
from doctor.model import Applicability, Confidence, RepairStatus, Run, Status
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.record import RunStore
from doctor.target import Target
from doctor.verdict import ExitCode, exit_code
from tests.end_to_end.patient import PAUSE

DOCTOR = str(Path(sys.executable).with_name("doctor"))
SOURCES = ("app/tasks/scoring.py", "app/tasks/extraction.py", "app/tasks/ingestion.py")
COMMAND_DEADLINE = 120.0
OUTAGE_DEADLINE = 20.0
"""Seconds after which a check of a dead service hangs; it costs no more than its own deadlines."""

CHAT = -4242

NOTHING_TO_LOOK_AT = {
    *(f"AUT{number:03}" for number in (5, 6, 7, 8, 9, 10, 12)),  # no identity provider
    "ENV004",  # no git repository
    "MOD008",  # no model server in the code
    "MOD010",  # no model that the pipeline loads itself
    "MOD012",  # no compose file
}
"""The checks of what a sandbox has not."""


@pytest.fixture
def healthy(patient: Sandbox) -> Sandbox:
    """The sandbox without faults and without rows of earlier tests."""
    return patient


def check(sandbox: Sandbox) -> Run:
    async def work() -> Run:
        async with Target.at(sandbox.directory) as target:
            return await examine_open(target, choose(list(registry().checks.values()), Selection(), target))

    return asyncio.run(work())


def repair(sandbox: Sandbox, **policy: object) -> Run:
    chosen = Policy(lambda candidate, _: candidate.option.applicability is Applicability.SAFE, **policy)  # type: ignore[arg-type]
    run = asyncio.run(repair_target(Target.at(sandbox.directory), chosen))
    RunStore(sandbox.directory).save(run)
    return run


def doctor(sandbox: Sandbox, *words: str) -> subprocess.CompletedProcess[str]:
    command = [DOCTOR, *words]
    return subprocess.run(
        command, cwd=sandbox.directory, capture_output=True, text=True, timeout=COMMAND_DEADLINE, check=False
    )


def send_and_await_saved(sandbox: Sandbox, count: int = 15) -> None:
    sandbox.send_messages(count, CHAT)
    await_number(sandbox, f"SELECT count(*) FROM messages WHERE chat_id = {CHAT}", count)


def await_number(sandbox: Sandbox, query: str, wanted: int) -> None:
    deadline = time.monotonic() + 30
    with sandbox.connect() as connection:
        while (row := connection.execute(query).fetchone()) is None or row[0] != wanted:
            assert time.monotonic() < deadline, f"{query}: {row}, not {wanted}"
            time.sleep(PAUSE)


def await_finding(sandbox: Sandbox, code: str) -> Run:
    deadline = time.monotonic() + 30
    while True:
        run = check(sandbox)
        if any(finding.code == code for finding in run.findings):
            return run
        assert time.monotonic() < deadline, f"{code} is not found"
        time.sleep(PAUSE)


def roots(run: Run) -> list[str]:
    return [root.code for root in run.diagnosis.roots]


def codes(run: Run, fingerprints: tuple[str, ...]) -> set[str]:
    return {run.finding(fingerprint).code for fingerprint in fingerprints}


def database_state(sandbox: Sandbox) -> dict[str, object]:
    with sandbox.connect() as connection:
        return {
            "agents": connection.execute("SELECT to_jsonb(a) FROM agent_configs a ORDER BY id").fetchall(),
            "old vectors": connection.execute(
                "SELECT count(embedding) FROM messages WHERE created_at < now() - interval '24 hours'"
            ).fetchone(),
            "atoms": connection.execute(
                "SELECT count(embedding) FROM atoms WHERE created_at < now() - interval '24 hours'"
            ).fetchone(),
        }


def break_all(sandbox: Sandbox) -> None:
    sandbox.break_(
        "null-embeddings", "decorator-order", "agent-config-inactive", "model-not-available", "enqueue-error-swallowed"
    )


def assert_logs_witness(sandbox: Sandbox, run: Run) -> None:
    """The worker's own log leads to the line that wrote it, and to the root of which it is an effect."""
    summary = read_logs([str(sandbox.layout.logs)], sandbox.directory)
    issue = next(issue for issue in summary.issues if issue.signature == "task-has-no-kiq")
    sites = {site.path for group in summary.groups if group.id in issue.groups for site in group.sites}
    assert sites == {"app/tasks/ingestion.py"}
    diagnosis = with_logs(run.diagnosis, run.before, summary.issues)
    witness = next(witness for witness in diagnosis.witnesses if witness.signature == "task-has-no-kiq")
    assert set(witness.explained_by) & set(diagnosis.roots[0].findings)


def test_a_healthy_pipeline_is_healthy(healthy):
    run = check(healthy)
    assert exit_code(run) is ExitCode.OK
    assert roots(run) == []
    assert not [result for result in run.before if result.status is Status.UNKNOWN or result.blocked_by is not None]
    assert {result.code for result in run.before if result.status is Status.SKIP} == NOTHING_TO_LOOK_AT


def test_three_causes_in_series_are_named_in_one_run_repaired_and_taken_back(healthy):
    break_all(healthy)
    send_and_await_saved(healthy)
    before = await_finding(healthy, "CHN001")
    assert roots(before) == ["TSK001", "AGT001", "MOD001"]
    assert [root.latent_behind for root in before.diagnosis.roots] == [None, 1, 2]
    assert [root.stages for root in before.diagnosis.roots] == [("scored", "extracted"), ("extracted",), ("extracted",)]
    assert [codes(before, tuple(e.fingerprint for e in root.effects)) for root in before.diagnosis.roots] == [
        {"CHN001"},
        set(),
        set(),
    ]
    assert codes(before, before.diagnosis.contributing) == {"TSK002"}
    assert codes(before, before.diagnosis.left_over) == {"EMB001"}
    assert_logs_witness(healthy, before)
    sources = {name: (healthy.directory / name).read_bytes() for name in SOURCES}
    rows = database_state(healthy)

    repaired = repair(healthy)
    assert {repair.status for repair in repaired.repairs} == {RepairStatus.VERIFIED}
    assert {root.confidence for root in repaired.diagnosis.roots} == {Confidence.CONFIRMED}
    assert exit_code(repaired) is ExitCode.OK
    await_number(healthy, f"SELECT count(*) FROM messages WHERE chat_id = {CHAT} AND importance_score IS NULL", 0)
    await_number(healthy, f"SELECT (count(topic_id) >= 10)::int FROM messages WHERE chat_id = {CHAT}", 1)

    again = repair(healthy)
    assert again.repairs == ()

    proof = doctor(healthy, "verify")
    assert proof.returncode == 0, proof.stdout + proof.stderr
    progress = {signal.signature for signal in read_logs([str(healthy.layout.logs)], healthy.directory).progress}
    assert progress >= {"threshold-reached", "extraction-started", "extraction-completed", "embedding-queued"}

    undone = doctor(healthy, "undo")
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert {name: (healthy.directory / name).read_bytes() for name in SOURCES} == sources
    assert database_state(healthy) == rows
    assert "nothing to undo" in doctor(healthy, "undo").stdout


def test_undo_leaves_alone_what_somebody_changed_and_takes_the_rest_back(healthy):
    healthy.break_("null-embeddings", "decorator-order", "agent-config-inactive")
    rows = database_state(healthy)
    repair(healthy)
    scoring = healthy.directory / SOURCES[0]
    edited = scoring.read_bytes() + b"# a line of mine\n"
    scoring.write_bytes(edited)
    undone = doctor(healthy, "undo")
    assert undone.returncode == 1
    assert "app/tasks/scoring.py was changed since the repair" in undone.stdout
    assert scoring.read_bytes() == edited
    assert database_state(healthy) == rows
    scoring.write_bytes(edited.removesuffix(b"# a line of mine\n"))


def test_a_large_table_without_an_index_gets_one_and_loses_it_again(healthy):
    with healthy.connect() as connection:
        connection.execute(
            "INSERT INTO messages (external_id, chat_id, content, importance_score, topic_id, created_at, embedding) "
            "SELECT 'row' || n, 1, 'text ' || n, 0.5, NULL, now() - interval '3 days', "
            "(SELECT array_agg(random()) FROM generate_series(1, 768) g WHERE n > 0 AND g > 0)::vector "
            "FROM generate_series(1, 3500) n"
        )
        connection.execute("ANALYZE messages")
    run = check(healthy)
    assert roots(run) == ["VEC001"]
    repaired = repair(healthy)
    assert [repair.status for repair in repaired.repairs] == [RepairStatus.VERIFIED]
    assert roots(check(healthy)) == []
    assert doctor(healthy, "undo").returncode == 0
    assert roots(check(healthy)) == ["VEC001"]


def needing(resource: str) -> set[str]:
    """Return the checks that cannot run without a resource, but for the one that says that it is away."""
    checks = [check for check in registry().checks.values() if OPT_IN not in check.tags and not check.guards]
    return {check.code for check in checks if resource in check.needs and resource not in check.optional}


@pytest.mark.parametrize(
    ("service", "code", "blocked"),
    [
        ("postgres", "PGS001", needing("database")),
        ("nats", "NAT001", {*needing("nats"), "CHN001"}),
        ("models", "MOD002", {"MOD001", "MOD005", "MOD006"}),
        ("worker", "WRK001", set()),
    ],
)
@pytest.mark.parametrize("how", ["stop", "pause"])
def test_a_dead_service_is_one_finding_and_blocks_its_dependents(healthy, service, code, blocked, how):
    getattr(healthy, how)(service)
    try:
        run = await_finding(healthy, code)  # a frozen worker's last request for tasks stays open for a second
    finally:
        healthy.start(service)
    assert roots(run) == [code]
    assert exit_code(run) is ExitCode.FINDINGS
    assert run.duration < OUTAGE_DEADLINE
    assert {result.code for result in run.before if result.blocked_by == code} == blocked
    assert not [result.code for result in run.before if result.status is Status.UNKNOWN]


@pytest.mark.parametrize(
    "change",
    [("sandbox:", "sandbox:wrong"), ("127.0.0.1", "no-such-host.invalid"), ("/sandbox_", "/other_")],
    ids=["password", "host", "database"],
)
def test_a_wrong_address_of_the_database_is_a_finding(healthy, change, monkeypatch):
    url = healthy.environment()["DATABASE_URL"]
    assert change[0] in url
    monkeypatch.setenv("DATABASE_URL", url.replace(*change, 1))
    run = check(healthy)
    assert roots(run) == ["PGS001"]
    assert exit_code(run) is ExitCode.FINDINGS


def test_no_secret_appears_in_any_output_or_record(healthy):
    break_all(healthy)
    send_and_await_saved(healthy)
    environment = healthy.environment()
    password = environment["DATABASE_URL"].partition("://")[2].partition("@")[0].partition(":")[2]
    secrets = (password, environment["TELEGRAM_WEBHOOK_SECRET"])
    outputs = [doctor(healthy, "check", "--format", name) for name in ("text", "json", "markdown")]
    outputs += [doctor(healthy, "fix", "--yes"), doctor(healthy, "verify"), doctor(healthy, "report")]
    texts = [part for output in outputs for part in (output.stdout, output.stderr)]
    files = [path for path in (healthy.directory / ".doctor").rglob("*") if path.is_file()]
    texts += [path.read_bytes().decode("utf-8", "replace") for path in files]  # the cache is no text
    assert not [secret for secret in secrets for text in texts if secret in text]
    modes = {path.stat().st_mode & 0o777 for path in (healthy.directory / ".doctor").rglob("journal.jsonl")}
    assert modes == {0o600}


def test_json_is_one_document_and_nothing_else(healthy):
    result = doctor(healthy, "check", "--format", "json")
    assert json.loads(result.stdout)["exit_code"] == result.returncode == 0
    assert result.stderr == ""

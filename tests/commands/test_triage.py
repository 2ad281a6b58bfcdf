"""`doctor triage` as people and programs call it."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
from pathlib import Path
from select import select

import pytest
from click.testing import CliRunner, Result

from doctor.cli import doctor
from tests import command_line
from tests.signatures.test_signatures import WRITTEN

SOURCE = Path(__file__).parents[2] / "pipeline"
KIQ = "Failed to queue scoring task: 'function' object has no attribute 'kiq'"
LINES = "".join(f"{line}\n" for line in WRITTEN)


def triage(*words: str | Path, given: str | bytes | None = None) -> Result:
    arguments = ["triage", *map(str, words)]
    return CliRunner().invoke(doctor, arguments, input=given, standalone_mode=False, catch_exceptions=False)


def document(*words: str | Path, given: str | bytes | None = None) -> dict:
    return json.loads(triage(*words, "--format", "json", given=given).stdout)


def next_line(process: subprocess.Popen[str]) -> str:
    """Wait for the next line that a command writes."""
    assert process.stdout is not None
    ready, _, _ = select([process.stdout], [], [], command_line.DEADLINE)
    assert ready, "nothing was written"
    return process.stdout.readline()


def signatures(found: dict, kind: str = "issues") -> dict[str, int]:
    return {one["signature"]: one["occurrences"]["count"] for one in found[kind]}


def test_the_lines_of_the_casebook_become_issues_signals_and_noise(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text(LINES)
    found = document(log, "--source", SOURCE)
    assert signatures(found) == {
        "index-not-initialised": 1,
        "task-has-no-kiq": 1,
        "token-rejected": 1,
        "token-verification-failed": 1,
        "agent-config-missing": 1,
        "hf-model-not-found": 2,
        "hf-call-failed": 1,
        "hf-structured-failed": 1,
        "provider-failed": 1,
        "name-not-resolved": 1,
        "embedding-not-queued": 1,
        "template-not-filled-in": 2,
    }
    assert sum(signatures(found, "progress").values()) == 7
    assert signatures(found, "noise") == {"reload-of-development-server": 1}
    issues = {one["signature"]: one for one in found["issues"]}
    assert issues["provider-failed"]["caused_by"] == ["hf-call-failed", "hf-model-not-found", "hf-structured-failed"]
    assert "task-has-no-kiq" in issues["token-rejected"]["independent_of"]
    assert {one["confidence"] for one in found["issues"]} == {"low", "medium"}
    group = next(one for one in found["groups"] if one["id"] in issues["task-has-no-kiq"]["groups"])
    assert [(site["path"], site["line"]) for site in group["sites"]] == [("app/tasks/ingestion.py", 40)]


def test_what_a_person_sees(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text(LINES)
    shown = triage(log, "--source", SOURCE).stdout
    assert "2  task-has-no-kiq   error · low   source   ×1" in shown
    assert "app/tasks/ingestion.py:40  in pipeline.app.tasks.ingestion.queue_scoring" in shown
    assert "may be         TSK001   a decorator stands above the one that registers the task" in shown
    assert "explains       hf-call-failed ×1 · hf-structured-failed ×1 · provider-failed ×1" in shown
    assert "NOISE         reload-of-development-server ×1" in shown
    assert "doctor check --select AGT001,AUT005,AUT007" in shown
    assert "\x1b" not in shown


def test_standard_input_gzip_and_a_folder_tell_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    (folder / "deep").mkdir(parents=True)
    half = len(LINES.splitlines()) // 2
    (folder / "deep" / "worker.log.1.gz").write_bytes(gzip.compress("".join(LINES.splitlines(True)[:half]).encode()))
    (folder / "worker.log").write_text("".join(LINES.splitlines(True)[half:]))
    (folder / "notes.md").write_text(KIQ)
    in_folder = document(folder)
    assert signatures(in_folder) == signatures(document("-", given=LINES))
    assert in_folder["problems"] == [f"{folder}: 1 files passed over, whose names are not those of logs"]
    assert {group["id"] for group in in_folder["groups"]} == {one["id"] for one in document("-", given=LINES)["groups"]}


def test_services_of_compose_are_told_apart_and_their_tracebacks_put_together(tmp_path: Path) -> None:
    error = [
        "2026-11-20 19:45:15.717 | ERROR    | app.tasks:score:15 - failed",
        "Traceback (most recent call last):",
        '  File "/srv/app/tasks.py", line 15, in score',
        "KeyError: 'x'",
    ]
    lines = []
    for line in error:
        lines += [f"worker-1    | {line}", '\x1b[36mapi-1       |\x1b[0m INFO:     1.2.3.4:1 - "GET / HTTP/1.1" 200 OK']
    lines += [f"worker-2    | {line}" for line in error]
    log = tmp_path / "compose.log"
    log.write_text("\n".join(lines))
    found = document(log)
    (group,) = [one for one in found["groups"] if one["kind"] == "exception"]
    assert group["occurrences"]["services"] == {"worker-1": 1, "worker-2": 1}
    assert [one["occurrences"]["count"] for one in found["groups"]] == [2, 4]


@pytest.mark.parametrize(
    "content, words, code",
    [
        ("all is well\n", [], 0),
        (KIQ, [], 1),
        (KIQ, ["--fail-on", "critical"], 0),
        (KIQ, ["--fail-on", "never"], 0),
        ("", [], 3),
        (bytes(range(256)), [], 3),
    ],
)
def test_the_exit_code_says_what_was_found(tmp_path: Path, content: str | bytes, words: list[str], code: int) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert triage(log, *words).return_value == code


def test_what_cannot_be_read_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "good.log").write_text("all is well\n")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"one\n" * 10_000)[:60])
    (tmp_path / "packed.log").write_bytes(b"\xfd7zXZ\x00\x00\x00\x00\x00\x00")
    result = triage(tmp_path / "good.log", tmp_path / "cut.gz", tmp_path / "packed.log", tmp_path / "missing.log")
    assert result.return_value == 3
    for part in (
        "missing.log: No such file",
        "packed.log: packed with xz; unpack it",
        "cut.gz: the packed file ends too early",
    ):
        assert part in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    "hostile",
    [
        b"\x1b]0;owned\x07\x1b[2J trouble\n",
        b"x" * 3_000_000 + b"\nnext\n",
        b"Traceback (most recent call last):\n" + b'  File "x.py", line 1, in f\n' * 50_000,
        "€\u202e\u2066\U0001f600 %%{init}%% --> <script>|`\n".encode(),
        b"a\r\nb\rc\nd\n",
        b'{"event": ' * 3000 + b"\n",
        b"2026-99-99 99:99:99 - app - ERROR - no such day\n",
        b"\x1f\x8b\x08\x00garbage",
        b"Traceback (most recent call last):",
    ],
    ids=range(9),
)
def test_hostile_text_harms_nobody(tmp_path: Path, hostile: bytes) -> None:
    log = tmp_path / "hostile.log"
    log.write_bytes(hostile)
    result = triage(log)
    assert result.return_value in (0, 3)
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout
    assert len(result.stdout) < 20_000
    json.loads(triage(log, "--format", "json").stdout)


def test_a_day_is_given_to_times_without_one(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("19:45:16 | ERROR    | failed\n")
    found = document(log, "--date", "2026-11-20")
    assert found["first"] == "2026-11-20T19:45:16Z"
    assert len(found["notes"]) == 2
    assert "is no date" in command_line.run("triage", str(log), "--date", "yesterday", cwd=tmp_path).stderr


def test_a_log_that_grows_is_followed_through_a_truncation(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text("starting\n")
    words = command_line.command("triage", "--follow", str(log))
    process = subprocess.Popen(
        words, cwd=tmp_path, env=command_line.environment(), stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert process.stdout is not None
    try:
        with log.open("a") as file:
            file.write(f"{KIQ}\n")
        assert next_line(process).startswith("error  task-has-no-kiq")
        log.write_text("Unverified token rejected (production).\n")
        assert next_line(process).startswith("error  token-rejected")
        os.kill(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=command_line.DEADLINE)
    finally:
        process.kill()
    assert process.returncode == 1
    shown = " ".join(rest.split())
    assert "3 lines, 3 records" in shown
    assert "began anew while it was followed" in shown


def test_a_pipe_is_followed_to_its_end(tmp_path: Path) -> None:
    words = command_line.command("triage", "--follow", "-")
    process = subprocess.Popen(
        words, cwd=tmp_path, env=command_line.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    process.stdin.write(f"{KIQ}\n")
    process.stdin.flush()
    assert next_line(process).startswith("error  task-has-no-kiq")
    rest, _ = process.communicate("Unverified token rejected (production).\n", timeout=command_line.DEADLINE)
    assert "token-rejected" in rest
    assert process.returncode == 1


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text(f"{LINES}2026-11-20 19:45:16 | ERROR    | password=hunter2 of nats://u:p@h refused\n" * 3)
    one = command_line.run("triage", str(log), "--format", "json", cwd=tmp_path)
    assert one.stdout == triage(log, "--format", "json").stdout
    assert one.stderr == ""
    assert "hunter2" not in one.stdout
    assert json.loads(one.stdout)["redactions"]


def test_a_signature_of_a_plugin_counts_like_ones_own(tmp_path: Path) -> None:
    plugin = """
from doctor.api import Hypothesis, KnownSignature, hookimpl


@hookimpl
def doctor_signatures():
    return [KnownSignature("disk-full", "the disk is full", "No space left", r"No space left", ("No space left",),
                           hypotheses=(Hypothesis("it is full"),)),
            KnownSignature("broken", "broken", "x", "(", ())]
"""
    plugins = command_line.install(tmp_path / "plugins", "lines", plugin)
    log = tmp_path / "x.log"
    log.write_text("OSError: No space left on device\n")
    done = command_line.run("triage", str(log), "--format", "json", cwd=tmp_path, plugins=plugins)
    found = json.loads(done.stdout)
    assert signatures(found) == {"disk-full": 1}
    assert [problem for problem in found["problems"] if problem.startswith("signature broken: the pattern")]

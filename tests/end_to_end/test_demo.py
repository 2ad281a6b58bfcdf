"""``make demo`` as a newcomer runs it: it holds, it says what it found, and it leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from doctor.pipeline.sandbox.fault import find_fault
from doctor.pipeline.sandbox.processes import find
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.pipeline.sandbox.state import SandboxState, Status, read_state
from tests.command_line import command, environment, run
from tests.end_to_end.patient import ask, eventually

DEADLINE = 90.0
"""Seconds: the budget of the whole demo on two cores."""

ROOTS = ["TSK001 task-decorator-order", "AGT001 agent-config-missing", "MOD001 model-not-available"]


class Told:
    """A demo that runs in a folder of its own, with a folder of its own for temporary files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "newcomer"
        self.temporary = folder / "temporary"
        self.folder.mkdir()
        self.temporary.mkdir()
        self.process: subprocess.Popen[str] | None = None

    def begin(self, *words: str, **extra: str) -> subprocess.Popen[str]:
        """Start it as the leader of a process group, as a shell does, with ``extra`` variables."""
        self.process = subprocess.Popen(
            command("demo", *words),
            cwd=self.folder,
            env=environment(TMPDIR=str(self.temporary), **extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            process_group=0,
        )
        return self.process

    def state(self, below: Path) -> SandboxState | None:
        """Return the state of the sandbox that it has made below a folder."""
        return next((read_state(path) for path in below.glob("**/sandbox.json")), None)

    def ready_state(self) -> SandboxState:
        """Wait until its sandbox is up, and return its processes."""

        def ready() -> SandboxState | None:
            state = self.state(self.temporary)
            return state if state is not None and state.status is Status.READY else None

        state: SandboxState = eventually(ready, "the sandbox of the demo is up")
        return state


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    demo = Told(tmp_path)
    yield demo
    if demo.process is not None and demo.process.poll() is None:
        demo.process.kill()
        demo.process.communicate()


def running(state: SandboxState) -> list[int]:
    records = [state.supervisor, state.guardian, *(service.process for service in state.services.values())]
    assert len([record for record in records if record is not None]) == 7
    return [record.pid for record in records if record is not None and find(record) is not None]


def test_it_tells_the_whole_story_and_leaves_nothing_running(told: Told) -> None:
    process = told.begin()
    state = told.ready_state()
    output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, output
    assert running(state) == []
    assert list(told.temporary.iterdir()) == []
    assert sorted(path.name for path in told.folder.iterdir()) == ["RCA.json", "RCA.md"]

    report = (told.folder / "RCA.md").read_text()
    assert re.findall(r"^### \d+\. (\w+ [\w-]+)$", report, re.MULTILINE)[:3] == ROOTS
    for wanted in (
        "`app/tasks/scoring.py:",
        "`app/tasks/extraction.py:",
        "+@broker.task",
        "UPDATE public.agent_configs SET is_active = true",
        "UPDATE public.agent_configs SET model_name = ",
        "237 of 252 rows",
        "125 of 125 rows",
        "| before | after |",
        "## Success criteria",
        "`task-has-no-kiq`",
        "it is not silence alone",
        "This report was read against the run record",
    ):
        assert wanted in report
    record = json.loads((told.folder / "RCA.json").read_text())
    assert [repair["status"] for repair in record["repairs"]] == ["verified"] * 7
    assert record["verification"]["passed"] is True


def test_the_act_of_the_models_tells_where_one_looks_from_and_which_404_it_is(told: Told) -> None:
    process = told.begin("--act", "models")
    output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, output
    assert "cannot tell from here: `ollama` is a service of docker-compose.yml" in output
    assert "✓ no outage is claimed" in output
    report = (told.folder / "RCA.md").read_text()
    assert re.findall(r"^### \d+\. (\w+ [\w-]+)$", report, re.MULTILINE)[:1] == ["MOD005 model-base-url-wrong"]
    assert "UPDATE public.llm_providers SET base_url = " in report
    assert "This report was read against the run record" in report
    assert list(told.temporary.iterdir()) == []


def test_interrupted_it_takes_everything_down(told: Told) -> None:
    # Warnings as a newcomer has them: an import that is interrupted leaves its file to the interpreter, which says so.
    process = told.begin(PYTHONWARNINGS="ignore")
    state = told.ready_state()
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    eventually(lambda: running(state) == [], "every process of the sandbox has ended")
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert list(told.temporary.iterdir()) == []
    assert list(told.folder.iterdir()) == []


def test_what_it_repaired_can_be_taken_back_byte_for_byte(told: Told, tmp_path: Path) -> None:
    broken = Sandbox.create(tmp_path / "broken", name="broken", environment={})
    for fault in ("decorator-order", "enqueue-error-swallowed"):
        find_fault(fault).break_(broken)
    expected = {path.relative_to(broken.layout.app): path.read_bytes() for path in broken.layout.app.rglob("*.py")}

    process = told.begin("--keep")
    output, _ = process.communicate(timeout=DEADLINE)
    (folder,) = (told.folder / ".doctor" / "sandboxes").iterdir()
    sandbox = Sandbox.open(folder)
    try:
        assert process.returncode == 0, output
        stuck = "SELECT count(topic_id) >= 10 FROM messages WHERE chat_id = -1001"
        assert ask(sandbox, stuck) == [(True,)]
        assert run("check", str(folder), cwd=told.folder).returncode == 0
        undone = run("undo", "--path", str(folder), cwd=told.folder)
        assert undone.returncode == 0, undone.stdout + undone.stderr
        found = {path.relative_to(sandbox.layout.app): path.read_bytes() for path in sandbox.layout.app.rglob("*.py")}
        assert found == expected
        assert ask(sandbox, "SELECT is_active, model_name FROM agent_configs") == [(False, "llama3.2:3b")]
        history = "SELECT count(*), count(embedding) FROM messages WHERE created_at < now() - interval '1 day'"
        assert ask(sandbox, history) == [(237, 0)]
        assert ask(sandbox, "SELECT count(*), count(embedding) FROM atoms WHERE extraction_id IS NULL") == [(125, 0)]
        assert ask(sandbox, stuck) == [(True,)]
    finally:
        state = sandbox.state()
        assert run("sandbox", "down", folder.name, cwd=told.folder).returncode == 0
    assert running(state) == []

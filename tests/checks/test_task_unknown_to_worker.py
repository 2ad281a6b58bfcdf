"""A task that the worker does not import is dropped: found by the worker's command line, and by what waits."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from taskiq import TaskiqMessage
from taskiq.formatters.json_formatter import JSONFormatter
from taskiq.receiver import Receiver
from taskiq_nats import PullBasedJetStreamBroker

from doctor.model import Status
from tests.checks.conftest import Ask, AskAll, ruled_out, the_finding

FILES = {
    "app/__init__.py": "",
    "app/broker.py": "from taskiq_nats import PullBasedJetStreamBroker\n\nbroker = PullBasedJetStreamBroker()\n",
    "app/tasks/__init__.py": "from . import scoring\n",
    "app/tasks/scoring.py": "from ..broker import broker\n\n\n@broker.task\nasync def score() -> None: ...\n",
    "app/tasks/mails.py": "from ..broker import broker\n\n\n@broker.task\nasync def mail() -> None: ...\n",
    "app/main.py": "from .tasks.mails import mail\nfrom .tasks.scoring import score\n\n\n"
    "async def receive() -> None:\n    await score.kiq()\n    await mail.kiq()\n",
}
SLEEPER = "import time\n\nprint('ready', flush=True)\ntime.sleep(600)  # a stand-in: only its command line is read\n"


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Callable[..., None]]:
    started = []

    def start(*words: str) -> None:
        (tmp_path / "taskiq").write_text(SLEEPER)
        command = [sys.executable, str(tmp_path / "taskiq"), "worker", *words]
        one = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        started.append(one)
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"

    yield start
    for one in started:
        one.kill()
        one.communicate()


@pytest.fixture
async def receiver(queue_server, jetstream) -> AsyncIterator[None]:
    """TaskIQ's own receiver, which knows no task."""
    broker, finish = PullBasedJetStreamBroker(queue_server.url, pull_consume_timeout=1), asyncio.Event()
    listening = asyncio.create_task(Receiver(broker, ThreadPoolExecutor(1)).listen(finish))
    async with asyncio.timeout(10):
        while not await jetstream.streams_info() or not await jetstream.consumers_info("taskiq_jetstream"):
            await asyncio.sleep(0.02)
    yield
    finish.set()
    await listening
    await broker.shutdown()


async def dropped(jetstream, caplog: pytest.LogCaptureFixture) -> None:
    """Send a task, and wait until it is acknowledged although nobody knows it."""
    message = TaskiqMessage(task_id="1", task_name="app.tasks.mails:mail", labels={}, args=[], kwargs={})
    await jetstream.publish("taskiq_tasks", JSONFormatter().dumps(message).message)
    async with asyncio.timeout(10):
        while (await jetstream.consumer_info("taskiq_jetstream", "taskiq_durable")).ack_floor.stream_seq != 1:
            await asyncio.sleep(0.02)
    assert "Maybe you forgot to import it?" in caplog.text


@pytest.mark.symptom("16f")
async def test_a_task_that_is_sent_and_that_no_worker_imports_is_named(
    ask_all: AskAll, worker, receiver, jetstream, caplog, told
):
    await dropped(jetstream, caplog)
    worker("app.broker:broker", "app.tasks", "--workers", "1")
    results = await ask_all(FILES)
    told(results)
    finding = the_finding(next(result for result in results if result.code == "WRK002"))
    assert finding.resource.key == "task:app.tasks.mails.mail"
    assert "`app.tasks.mails:mail` is sent" in finding.symptom
    assert [one.source for one in finding.evidence][1:] == ["app/main.py:7"]


@pytest.mark.parametrize(
    "words", [("app.tasks", "app.tasks.mails"), ("-fsd", "--tasks-pattern", "**/mails.py", "app.tasks")]
)
@pytest.mark.variation("16f", None)
async def test_a_module_that_the_command_names_or_finds_is_known(ask: Ask, worker, words, told):
    worker("app.broker:broker", *words)
    result = await ask("WRK002", FILES)
    told([result])
    assert (result.status, ruled_out(result)) == (Status.PASS, {"unknown task dropped"})


async def test_a_second_worker_may_know_what_the_first_does_not(ask: Ask, worker):
    worker("app.broker:broker", "app.tasks")
    worker("app.broker:broker", "app.tasks.mails")
    assert (await ask("WRK002", FILES)).status is Status.PASS


async def test_what_is_imported_by_name_at_run_time_counts(ask: Ask, worker):
    worker("app.broker:broker", "app.tasks")
    dynamic = "import importlib\nimport pkgutil\n\nfor one in pkgutil.iter_modules(__path__):\n"
    dynamic += '    importlib.import_module(f"{__name__}.{one.name}")\n'
    assert (await ask("WRK002", {**FILES, "app/tasks/__init__.py": dynamic})).status is Status.PASS


async def test_a_worker_elsewhere_cannot_be_asked(ask: Ask):
    result = await ask("WRK002", FILES)
    assert result.status is Status.SKIP
    assert "run the doctor where the worker runs" in result.reason


async def test_a_task_that_waits_under_an_old_name_is_found_without_taking_it(ask: Ask, jetstream):
    await jetstream.add_stream(name="taskiq_jetstream", subjects=["taskiq_tasks"])
    for name in ("app.tasks.scoring:score", "app.tasks.scoring:rate", "elsewhere:job"):
        await jetstream.publish("taskiq_tasks", json.dumps({"task_name": name}).encode())
    finding = the_finding(await ask("WRK002", FILES))
    assert finding.symptom == ("1 task in `taskiq_jetstream` with a name that no task has: `app.tasks.scoring:rate`")
    assert (await jetstream.stream_info("taskiq_jetstream")).state.messages == 3


async def test_messages_that_are_no_tasks_are_left_alone(ask: Ask, jetstream):
    await jetstream.add_stream(name="taskiq_jetstream", subjects=["taskiq_tasks"])
    for data in (b"", b"\xff\xfe", b"[" * 100_000, b'{"task_name": 5}', b"[]"):
        await jetstream.publish("taskiq_tasks", data)
    assert (await ask("WRK002", FILES)).status is Status.SKIP

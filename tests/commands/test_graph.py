"""The graph shows what leads to a task, what a task leads to, and which task nothing leads to."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from doctor.cli import doctor

SOURCE = {
    "app/broker.py": "from taskiq_nats import PullBasedJetStreamBroker\n\nbroker = PullBasedJetStreamBroker()\n",
    "app/models.py": 'class Message:\n    __tablename__ = "messages"\n',
    "app/store.py": (
        'SAVE = """INSERT INTO messages (text) VALUES (%s)"""\n\n\n'
        "class Store:\n    def save(self, text):\n        self.write(SAVE, text)\n\n    def write(self, sql, text):\n"
        "        print(\"UPDATE topics SET name = 'x'\")\n"
    ),
    "app/tasks.py": (
        "from app.broker import broker\nfrom app.store import Store\n\nstore = Store()\n\n\n"
        "@broker.task\nasync def save(text):\n    store.save(text)\n    await hand_on(text)\n\n\n"
        "async def hand_on(text):\n    await score.kiq(text)\n\n\n"
        "@broker.task\nasync def score(text):\n    pass\n\n\n"
        "@broker.task\nasync def embed(text):\n    pass\n\n\n"
        '@broker.task(schedule=[{"cron": "* * * * *"}])\nasync def sweep():\n    pass\n'
    ),
    "app/api.py": (
        "from fastapi import APIRouter\nfrom app.tasks import save\n\nrouter = APIRouter()\n\n\n"
        '@router.post("/webhook")\nasync def receive(text):\n    await save.kiq(text)\n'
    ),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for path, text in SOURCE.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def graph(*words: str) -> Result:
    return CliRunner().invoke(doctor, ["graph", *words], standalone_mode=False, catch_exceptions=False)


def test_every_arrow_is_there_and_no_other(project: Path) -> None:
    document = json.loads(graph(str(project), "--format", "json").output)
    names = [node["name"] for node in document["nodes"]]
    arrows = {(names[edge["from"]], names[edge["to"]]) for edge in document["edges"]}
    assert arrows == {
        ("POST /webhook", "app.tasks.save"),
        ("app.tasks.save", "app.tasks.score"),
        ("app.tasks.save", "messages"),
        ("app.tasks.save", "topics"),
        ("schedule of sweep", "app.tasks.sweep"),
    }
    assert document["never_enqueued"] == ["app.tasks.embed"]
    assert [(names[edge["from"]], names[edge["to"]]) for edge in document["missing"]] == [
        ("app.tasks.score", "app.tasks.embed")
    ]
    place = next(edge["place"] for edge in document["edges"] if names[edge["to"]] == "app.tasks.score")
    assert place == "app/tasks.py:14"


def test_mermaid_marks_the_task_that_nothing_enqueues(project: Path) -> None:
    shown = graph(str(project)).output
    assert shown.startswith("flowchart LR\n")
    (node,) = [line.split("[")[0].strip() for line in shown.splitlines() if '"tasks.embed"' in line]
    assert f"    {node} -.- {node}x[/never enqueued/]" in shown
    assert f" -. missing, so nothing new is embedded .-> {node}\n" in shown


def test_dot_goes_to_a_file_when_asked(project: Path, tmp_path: Path) -> None:
    result = graph(str(project), "--format", "dot", "-o", str(tmp_path / "tasks.dot"))
    text = (tmp_path / "tasks.dot").read_text()
    assert result.return_value == 0
    assert text.startswith("digraph tasks {")
    assert text.count("->") == 6
    assert text.count("missing") == 1
    assert text.count("never enqueued") == 1


def test_a_folder_without_tasks_is_incomplete(tmp_path: Path) -> None:
    result = graph(str(tmp_path))
    assert result.return_value == 3
    assert result.stdout == "flowchart LR\n"
    assert result.stderr.startswith("no task of a queue that doctor reads is in ")


def test_what_does_not_lead_to_a_task_is_left_out(project: Path) -> None:
    (project / "app/send.py").write_text(
        "from app.tasks import embed\n\nHANDLERS = {'x': embed}\n\n\n"
        "async def by_key():\n    await HANDLERS['x'].kiq(1)\n\n\nasync def given(task):\n    await task.kiq(1)\n"
    )
    names = [node["name"] for node in json.loads(graph(str(project), "--format", "json").stdout)["nodes"]]
    assert not [name for name in names if "?" in name or name == "task" or "send" in name]


def test_a_route_cannot_write_into_the_drawing(tmp_path: Path) -> None:
    (tmp_path / "api.py").write_text(
        SOURCE["app/broker.py"]
        + "\n\n@broker.task\nasync def run():\n    pass\n\n\n"
        + '@router.get("/x\\"]; click r0 \\"javascript:1\\"<script>")\nasync def receive():\n    await run.kiq()\n'
    )
    for form in ("mermaid", "dot"):
        shown = graph(str(tmp_path), "--format", form).output
        assert "<script>" not in shown
        assert '/x"' not in shown

"""What the command line of a worker says it imports."""

from __future__ import annotations

import pytest

from doctor.worker_command import WorkerCommand, worker_command


@pytest.mark.parametrize(
    ("command", "modules", "patterns"),
    [
        ("taskiq worker app.broker:broker app.tasks --workers 1", ("app.broker", "app.tasks"), ()),
        ("python -m taskiq worker --workers 1 --log-level=INFO app.broker:broker", ("app.broker",), ()),
        ("/v/bin/taskiq worker -r app:b -fsd", ("app",), ("**/tasks.py",)),
        ("taskiq worker app:b --fs-discover --tasks-pattern '**/jobs.py' -tp=x.py", ("app",), ("**/jobs.py", "x.py")),
        ("taskiq worker app:b --tasks-pattern '**/jobs.py'", ("app",), ()),
    ],
)
def test_modules_are_told_from_options(command: str, modules: tuple[str, ...], patterns: tuple[str, ...]):
    assert worker_command(command) == WorkerCommand(modules, patterns)


@pytest.mark.parametrize("command", ["", "taskiq scheduler app:s", "taskiq worker", "celery worker app", "taskiq 'wor"])
def test_any_other_command_is_none(command: str):
    assert worker_command(command) is None


def test_a_pattern_finds_files_in_every_folder():
    files = ["tasks.py", "a/b/tasks.py", "a/tasks.py.txt", "a/mytasks.py"]
    assert WorkerCommand((), ("**/tasks.py",)).files_found(files) == ["tasks.py", "a/b/tasks.py"]

"""Names under which tasks are sent: which of them nobody registers, and where that is not known."""

from __future__ import annotations

import pytest

TASKS = """
    from celery import Celery, shared_task
    app = Celery("app")

    @shared_task
    def clean(): ...

    def plain(): ...
"""


def names(project, sent: str, files: dict[str, str]) -> list[tuple[str, str, str]]:
    send = f"def later(app):\n    app.send_task('{sent}')\n"
    source = project({"app/__init__.py": "", "app/tasks.py": TASKS, "app/send.py": send, **files})
    return [(one.name, one.defined, one.same) for one in source.unregistered()]


def test_a_name_that_its_module_does_not_have_is_told(project) -> None:
    assert names(project, "app.tasks.gone", {}) == [("app.tasks.gone", "", "")]


def test_a_plain_function_is_told_with_its_place(project) -> None:
    assert names(project, "app.tasks.plain", {}) == [("app.tasks.plain", "app/tasks.py:8", "")]


def test_a_task_that_was_moved_is_told_with_the_one_that_is_there(project) -> None:
    assert names(project, "app.old.clean", {}) == [("app.old.clean", "", "app.tasks.clean")]


def test_a_task_goes_by_the_module_that_defines_it(project) -> None:
    files = {"app/jobs.py": "from .tasks import clean\n"}
    assert names(project, "app.jobs.clean", files) == [("app.jobs.clean", "app/tasks.py:6", "app.tasks.clean")]


NOT_TOLD = {
    "a task": ("app.tasks.clean", {}),
    "a task, imported from another folder": ("tasks.clean", {}),
    "another package's": ("worker.tasks.clean", {}),
    "another worker's": ("app.resize", {}),
    "registered by a call": ("app.tasks.plain", {"app/a.py": "from .tasks import app, plain\njob = app.task(plain)"}),
    "a class": ("app.big.Big", {"app/big.py": "from celery import Task\nclass Big(Task): ..."}),
    "a class with a name": ("app.tasks.big", {"app/big.py": "class Big(Task):\n    name = 'app.tasks.big'"}),
    "a name from a variable": (
        "app.tasks.big",
        {"app/a.py": "from .tasks import app\n@app.task(name=NAME)\ndef big(): ..."},
    ),
    "all names made up": (
        "app.tasks.big",
        {"app/a.py": "class C(Celery):\n    def gen_task_name(s, n, m): ...\n# .task"},
    ),
    "an unknown decorator": ("app.a.big", {"app/a.py": "from elsewhere import job\n@job\ndef big(): ..."}),
    "a branch without the decorator": (
        "app.a.big",
        {
            "app/a.py": "from celery import shared_task\nif x:\n    @shared_task\n    def big(): ...\n"
            "else:\n    def big(): ..."
        },
    ),
    "a task of a factory": (
        "app.a.big",
        {"app/a.py": "from .tasks import app\ndef make():\n    @app.task\n    def big(): ...\n    return big"},
    ),
    "a library's function": ("app.a.big", {"app/a.py": "from elsewhere import big"}),
    "a text elsewhere": ("app.tasks.big", {"app/a.py": "NAMES = ['app.tasks.big']"}),
    "sent by a test": ("app.tasks.clean", {"tests/test_a.py": "def test(app):\n    app.send_task('app.tasks.gone')"}),
    "a name with other uses in its file": (
        "app.tasks.clean",
        {"app/a.py": "NAME = 'app.tasks.gone'\ndef later(app):\n    app.send_task('app.tasks.gone')"},
    ),
}


@pytest.mark.parametrize(("sent", "files"), NOT_TOLD.values(), ids=NOT_TOLD)
def test_where_somebody_may_register_the_name_nothing_is_said(project, sent: str, files: dict[str, str]) -> None:
    assert names(project, sent, files) == []

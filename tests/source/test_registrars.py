"""Which decorators register a task, and with which queue."""

from __future__ import annotations

import pytest

from doctor.source.facts import Wrapping

TASKIQ = {
    "a broker of the module": "from taskiq_nats import NatsBroker\nb = NatsBroker()\n@b.task\ndef job(): ...",
    "with arguments": "from taskiq_nats import NatsBroker\nb = NatsBroker()\n@b.task(task_name='x')\ndef job(): ...",
    "built in a chain": "from taskiq import ListQueueBroker as L\nimport taskiq\n"
    "b = taskiq.ListQueueBroker('x').with_result_backend(None).with_middlewares()\n@b.task\ndef job(): ...",
    "chosen by a condition": "from taskiq import InMemoryBroker, ZBroker\nb = InMemoryBroker() if 1 else ZBroker()\n"
    "@b.task\ndef job(): ...",
    "annotated": "b: AsyncBroker = make()\n@b.task\ndef job(): ...",
    "of a class of the project": "from .settings import Queue\nq = Queue()\n@q.task\ndef job(): ...",
    "imported relatively": "from .queue import q\n@q.task\ndef job(): ...",
    "imported absolutely under another name": "from app.queue import q as jobs\n@jobs.task\ndef job(): ...",
    "an attribute of a module": "from . import queue\n@queue.q.task\ndef job(): ...",
    "re-exported": "from app import q\n@q.task\ndef job(): ...",
    "a name for the method": "from .queue import q\ntask = q.task\n@task\ndef job(): ...",
    "a function that hands on": "from .queue import q\ndef background(**o):\n    return q.task(**o)\n"
    "@background(a=1)\ndef job(): ...",
    "made by a function": "from .make import bus\nq = bus(1)\n@q.task\ndef job(): ...",
    "made by a function that calls another": "from .make import line\nq = line()\n@q.task\ndef job(): ...",
    "an attribute of a class": "from .make import Lines\n@Lines.first.task\ndef job(): ...",
    "an attribute of an object's class": "from .make import Lines\nq = Lines()\n@q.first.task\ndef job(): ...",
    "told by its name alone": "from elsewhere import nats_broker\n@nats_broker.task\ndef job(): ...",
    "a parameter told by its name": "def register(broker):\n    @broker.task\n    def job(): ...",
    "an attribute told by its name": "@state.broker.task\ndef job(): ...",
    "a method's import": "def register():\n    from .queue import q\n    @q.task\n    def job(): ...",
}
CELERY = {
    "shared_task": "from celery import shared_task\n@shared_task\ndef job(): ...",
    "shared_task with arguments": "import celery\n@celery.shared_task(bind=True)\ndef job(): ...",
    "an application": "from celery import Celery\napp = Celery('x')\n@app.task\ndef job(): ...",
    "an application of a subclass": "import celery\nclass Mine(celery.Celery): ...\napp = Mine()\n"
    "@app.task\ndef job(): ...",
    "a periodic task of a subclass": "import celery\nclass Mine(celery.Celery):\n    def periodic_task(self): ...\n"
    "app = Mine()\n@app.periodic_task()\ndef job(): ...",
    "made by a function that says so": "from .make import named\nq = named('x')\n@q.task\ndef job(): ...",
    "made by a function that says so in quotes": "from .make import quoted as n\nq = n('x')\n@q.task\ndef job(): ...",
    "told by its name alone": "from elsewhere import celery_app\n@celery_app.task\ndef job(): ...",
    "of a module named after the queue": "from .celery import app\n@app.task\ndef job(): ...",
    "the current application": "from celery import current_app\n@current_app.task\ndef job(): ...",
}
DRAMATIQ = {
    "actor": "import dramatiq\n@dramatiq.actor\ndef job(): ...",
    "actor with arguments": "from dramatiq import actor\n@actor(max_retries=1)\ndef job(): ...",
}
HUEY = {
    "a task": "from huey import RedisHuey\nhuey = RedisHuey()\n@huey.task()\ndef job(): ...",
    "under another name": "import huey as h\nq = h.SqliteHuey()\n@q.task(retries=2)\ndef job(): ...",
    "a period": "from huey import MemoryHuey\nq = MemoryHuey()\n@q.periodic_task(always)\ndef job(): ...\n# .task",
    "of a subclass": "from huey import Huey\nclass Mine(Huey): ...\nq = Mine()\n@q.task()\ndef job(): ...",
    "in Django": "from huey.contrib.djhuey import db_task\n@db_task()\ndef job(): ...\n# .task",
    "told by its name alone": "from elsewhere import huey\n@huey.task()\ndef job(): ...",
}
RQ = {
    "a job": "from rq.decorators import job as j\n@j('default')\ndef job(): ...\n# .task",
    "in Django": "import django_rq\n@django_rq.job\ndef job(): ...\n# .task",
    "in Flask": "from flask_rq2 import RQ\nrq = RQ()\n@rq.job\ndef job(): ...\n# .task",
}
NONE = {
    "a patch": "from unittest import mock\n@mock.patch('a.b')\ndef job(): ...",
    "a router": "from fastapi import APIRouter\nrouter = APIRouter()\n@router.patch('/task')\ndef job(): ...",
    "prefect": "from prefect import task\n@task\ndef job(): ...",
    "a task of an object that is none of Huey": "from mine import tasks\nhuge = tasks()\n@huge.task()\ndef job(): ...",
    "a periodic task of something else": "from mine import f\nq = f()\n@q.periodic_task(1)\ndef job(): ...",
    "a job of something else": "from mine import job as j\n@j('x')\ndef job(): ...",
    "a broker has no job": "from taskiq import InMemoryBroker\nb = InMemoryBroker()\n@b.job\ndef job(): ...",
    "a method called task of something else": "client = make()\n@client.task\ndef job(): ...",
    "made by a function, but no broker": "from .make import runner\nq = runner()\n@q.task\ndef job(): ...",
    "an attribute that is no broker": "from .make import Lines\n@Lines.second.task\ndef job(): ...",
    "an attribute of unknown make": "from .make import Lines\n@Lines.third.task\ndef job(): ...",
    "an actor of one's own": "def actor(f): return f\n@actor\ndef job(): ...",
    "a broker's events": "from taskiq import InMemoryBroker\nb = InMemoryBroker()\n@b.on_event('x')\ndef job(): ...",
}
MAKE = """
import functools
from celery import Celery
from taskiq_nats import NatsBroker

class Runner:
    def task(self, function): return function

class Lines:
    first = NatsBroker()
    second = Runner()
    third = make_huey_runner()

def bus(test):
    if test:
        return None
    made = NatsBroker().with_result_backend(1)
    made.x = 1
    return made

def line():
    return bus(0)

def runner():
    return Runner()

@functools.cache
def named(name) -> Celery:
    return registry[name]

def quoted(name) -> "Celery":
    return registry[name]
"""
OTHERS = {
    "app/__init__.py": "from .queue import q",
    "app/make.py": MAKE,
    "app/settings.py": "from taskiq import AsyncBroker\nclass Base(AsyncBroker): ...\nclass Queue(Base): ...",
    "app/celery.py": "from elsewhere import import_string\nkind = import_string('a.B')\napp = kind('x')",
    "app/queue.py": "from taskiq_nats import PullBasedJetStreamBroker\nq = PullBasedJetStreamBroker()",
}


def library(project, text: str) -> str | None:
    functions = project({**OTHERS, "app/jobs.py": text}).decorated_functions()
    return next((function.library for function in functions if function.name == "job"), None)


@pytest.mark.parametrize("text", TASKIQ.values(), ids=TASKIQ)
def test_a_task_of_a_taskiq_broker_is_recognised(project, text: str) -> None:
    assert library(project, text) == "taskiq"


@pytest.mark.parametrize("text", CELERY.values(), ids=CELERY)
def test_a_task_of_a_celery_application_is_recognised(project, text: str) -> None:
    assert library(project, text) == "celery"


@pytest.mark.parametrize("text", DRAMATIQ.values(), ids=DRAMATIQ)
def test_a_dramatiq_actor_is_recognised(project, text: str) -> None:
    assert library(project, text) == "dramatiq"


@pytest.mark.parametrize("text", HUEY.values(), ids=HUEY)
def test_a_task_of_huey_is_recognised(project, text: str) -> None:
    assert library(project, text) == "huey"


@pytest.mark.parametrize("text", RQ.values(), ids=RQ)
def test_a_job_of_rq_is_recognised(project, text: str) -> None:
    assert library(project, text) == "rq"


@pytest.mark.parametrize("text", NONE.values(), ids=NONE)
def test_what_merely_looks_like_a_registrar_is_none(project, text: str) -> None:
    assert library(project, text) is None


def test_a_registrar_of_ones_own_is_found_in_files_that_name_no_queue(project) -> None:
    source = project(
        {
            **OTHERS,
            "app/background.py": "from .queue import q\ndef background(**options):\n    return q.task(**options)\n",
            "app/jobs.py": "from .background import background\n@background(a=1)\ndef job(): ...\n",
        }
    )
    assert [task.id for task in source.tasks()] == ["app.jobs.job"]


def test_a_broker_and_a_decorator_that_are_re_exported_twice_in_a_src_layout_are_followed(project) -> None:
    source = project(
        {
            "src/app/__init__.py": "from .infra import deco, work",
            "src/app/infra/__init__.py": "from .queue import q as work\nfrom .wrap import deco",
            "src/app/infra/queue.py": "import taskiq\nq = taskiq.InMemoryBroker()",
            "src/app/infra/wrap.py": "def deco(function):\n    def run():\n        return function()\n    return run",
            "src/app/jobs.py": "from app import work as w, deco as d\n@d\n@w.task\ndef job(): ...",
        }
    )
    (task,) = source.tasks()
    assert (task.id, task.library) == ("app.jobs.job", "taskiq")
    assert [(use.definition, use.wrapping) for use in task.above_registrar] == [
        ("src/app/infra/wrap.py:1", Wrapping.OPAQUE)
    ]


def test_a_library_that_stands_in_the_tree_is_recognised_all_the_same(project) -> None:
    source = project(
        {
            "celery/__init__.py": "from .app import shared_task",
            "celery/app.py": "def shared_task(*args):\n    return make(*args)",
            "jobs.py": "from celery import shared_task\n@shared_task\ndef job(): ...",
        }
    )
    assert [(task.id, task.library) for task in source.tasks()] == [("jobs.job", "celery")]

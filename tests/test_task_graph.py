"""Every queue, scheduler, table of routes and way to write a table draws its arrows, and its look-alikes draw none."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from doctor.source.index import Source
from doctor.task_graph import NodeKind, TaskGraph, task_graph

HUEY = """\
    from huey import RedisHuey, crontab

    huey = RedisHuey("jobs")


    @huey.task()
    def count(n):
        tidy.schedule(args=(n,), delay=60)


    @huey.task(retries=2)
    def tidy(n):
        pass


    @huey.task()
    def notify(n):
        pass


    @huey.periodic_task(crontab(minute="0"))
    def every_hour():
        pipeline = count.s(1).then(notify)
        huey.enqueue(pipeline)
"""
ARQ = """\
    from arq import cron, func


    async def clean(context):
        await context["redis"].enqueue_job("report", 1)


    async def write_report(context, n):
        pass


    async def nightly(context):
        pass


    class WorkerSettings:
        functions = [clean, func(write_report, name="report")]
        cron_jobs = [cron(nightly, hour=3)]
"""
QUEUES: dict[str, tuple[dict[str, str], set[tuple[str, str]]]] = {
    "huey: a plain call, .schedule, .s, a period": (
        {
            "jobs.py": HUEY,
            "main.py": """\
                from jobs import count

                def start():
                    count(3)

                if __name__ == "__main__":
                    count(5)
            """,
        },
        {
            ("code main.start", "task jobs.count"),
            ("code main.<module>", "task jobs.count"),
            ("task jobs.count", "task jobs.tidy"),
            ("task jobs.every_hour", "task jobs.count"),
            ("schedule schedule of every_hour", "task jobs.every_hour"),
        },
    ),
    "huey: who calls a task does not run it": (
        {
            "jobs.py": HUEY,
            "api.py": """\
                from flask import Flask
                from jobs import count

                app = Flask(__name__)


                @app.route("/count", methods=["POST"])
                def receive():
                    count(3)
            """,
        },
        {
            ("route POST /count", "task jobs.count"),
            ("task jobs.count", "task jobs.tidy"),
            ("task jobs.every_hour", "task jobs.count"),
            ("schedule schedule of every_hour", "task jobs.every_hour"),
        },
    ),
    "huey in Django": (
        {
            "jobs.py": """\
                from huey.contrib.djhuey import db_periodic_task, db_task

                @db_task()
                def save(n): ...

                @db_periodic_task(crontab(hour=1))
                def sweep():
                    save(1)
            """
        },
        {
            ("task jobs.sweep", "task jobs.save"),
            ("schedule schedule of sweep", "task jobs.sweep"),
        },
    ),
    "rq: functions by reference and by name, a decorated one, with a delay": (
        {
            "jobs.py": """\
                from rq.decorators import job

                def count(n): ...
                def later(n): ...
                def named(n): ...

                @job("default", connection=None)
                def decorated(n): ...
            """,
            "start.py": """\
                from datetime import timedelta
                from redis import Redis
                from rq import Queue
                import jobs

                q = Queue(connection=Redis())

                def start():
                    q.enqueue(jobs.count, 1)
                    q.enqueue_in(timedelta(minutes=1), jobs.later, 1)
                    q.enqueue("jobs.named", 1)
                    jobs.decorated.delay(1)
            """,
        },
        {
            ("code start.start", "task jobs.count"),
            ("code start.start", "task jobs.later"),
            ("code start.start", "task jobs.named"),
            ("code start.start", "task jobs.decorated"),
        },
    ),
    "rq: a queue that is a parameter, in a job": (
        {
            "jobs.py": """\
                import django_rq
                from rq import Queue

                def first(queue: Queue):
                    queue.enqueue_call(func=second)

                def second(): ...

                def start():
                    django_rq.get_queue("high").enqueue(first)
                    django_rq.enqueue(second)
            """
        },
        {
            ("task jobs.first", "task jobs.second"),
            ("code jobs.start", "task jobs.first"),
            ("code jobs.start", "task jobs.second"),
        },
    ),
    "a queue that is none of a library": (
        {
            "jobs.py": """\
                from celery import shared_task
                from mine import Bus

                bus = Bus()

                @shared_task
                def run(): ...

                def handler(): ...

                def start(queue):
                    bus.enqueue(handler)
                    queue.enqueue(handler)
            """
        },
        set(),
    ),
    "arq: settings, names of its own, a cron job": (
        {
            "worker.py": ARQ,
            "api.py": """\
                from fastapi import FastAPI

                app = FastAPI()

                @app.post("/clean")
                async def clean_now():
                    await app.state.redis.enqueue_job("clean")
            """,
        },
        {
            ("route POST /clean", "task worker.clean"),
            ("task worker.clean", "task worker.write_report"),
            ("schedule schedule of nightly", "task worker.nightly"),
        },
    ),
    "taskiq: a label, a schedule made at run time, a name": (
        {
            "jobs.py": """\
                from taskiq import InMemoryBroker, AsyncKicker

                broker = InMemoryBroker()

                @broker.task(schedule=[{"cron": "* * * * *"}])
                async def by_label(): ...

                @broker.task
                async def by_call(): ...

                @broker.task
                async def by_name(): ...

                async def start(source):
                    await by_call.schedule_by_cron(source, "* * * * *")
                    await AsyncKicker("jobs:by_name", broker, {}).kiq()
            """
        },
        {
            ("schedule schedule of by_label", "task jobs.by_label"),
            ("schedule schedule of by_call", "task jobs.by_call"),
            ("code jobs.start", "task jobs.by_name"),
        },
    ),
    "celery: a beat schedule, a periodic task, a name": (
        {
            "jobs.py": """\
                from celery import Celery

                app = Celery()
                app.conf.beat_schedule = {"clean-every-night": {"task": "app.jobs.clean", "schedule": 30.0}}

                @app.task
                def clean(): ...

                @app.task
                def ping(n): ...

                @app.task
                def named(): ...

                @app.on_after_configure.connect
                def set_up(sender, **options):
                    sender.add_periodic_task(10.0, ping.s(1), name="every 10 s")

                def start():
                    app.send_task("jobs.named")
            """.replace("app.jobs.clean", "jobs.clean")
        },
        {
            ("schedule schedule of clean", "task jobs.clean"),
            ("schedule schedule of ping", "task jobs.ping"),
            ("code jobs.start", "task jobs.named"),
        },
    ),
    "dramatiq and APScheduler: a task's method, a function, a decorator": (
        {
            "jobs.py": """\
                import dramatiq
                from apscheduler.schedulers.blocking import BlockingScheduler
                from apscheduler.triggers.cron import CronTrigger

                scheduler = BlockingScheduler()

                @dramatiq.actor
                def count(): ...

                @dramatiq.actor
                def sweep(): ...

                @dramatiq.actor
                def ping(): ...

                def tick():
                    sweep.send()

                @scheduler.scheduled_job("interval", seconds=5)
                def beat():
                    ping.send()

                def main():
                    scheduler.add_job(count.send, CronTrigger.from_crontab("* * * * *"))
                    scheduler.add_job(tick, "interval", minutes=1)
            """
        },
        {
            ("schedule schedule of count", "task jobs.count"),
            ("schedule schedule of tick", "code jobs.tick"),
            ("code jobs.tick", "task jobs.sweep"),
            ("schedule schedule of beat", "code jobs.beat"),
            ("code jobs.beat", "task jobs.ping"),
        },
    ),
}
TASK = """\
    from celery import shared_task


    @shared_task
    def run(): ...
"""
ROUTES: dict[str, tuple[str, set[str]]] = {
    "starlette: a table": (
        """\
        from starlette.applications import Starlette
        from starlette.endpoints import HTTPEndpoint
        from starlette.routing import Mount, Route
        from jobs import run

        async def start(request):
            run.delay()

        class Jobs(HTTPEndpoint):
            async def put(self, request):
                run.delay()

        app = Starlette(routes=[Route("/start", start, methods=["POST"]), Mount("/x", routes=[Route("/jobs", Jobs)])])
        """,
        {"POST /start", "PUT /jobs"},
    ),
    "starlette and fastapi: a call": (
        """\
        from fastapi import FastAPI
        from jobs import run

        app = FastAPI()

        async def start():
            run.delay()

        app.add_route("/a", start)
        app.add_api_route("/b", endpoint=start, methods=["POST", "PUT"])
        """,
        {"GET /a", "POST,PUT /b"},
    ),
    "flask: decorators, a call, a class": (
        """\
        from flask import Blueprint, Flask
        from flask.views import MethodView
        from jobs import run

        app = Flask(__name__)
        bp = Blueprint("bp", __name__)

        @app.route("/a")
        def a():
            run.delay()

        @bp.post("/b")
        def b():
            run.delay()

        def c():
            run.delay()

        class D(MethodView):
            def delete(self):
                run.delay()

        app.add_url_rule("/c", "c", c)
        app.add_url_rule("/d", view_func=D.as_view("d"))
        """,
        {"GET /a", "POST /b", "GET /c", "DELETE /d"},
    ),
    "django: functions, wrapped ones, classes, expressions": (
        """\
        from django.urls import include, path, re_path
        from django.views import View
        from django.views.decorators.csrf import csrf_exempt
        from jobs import run

        def a(request):
            run.delay()

        def b(request):
            run.delay()

        class C(View):
            def post(self, request):
                self.send()

            def send(self):
                run.delay()

        urlpatterns = [
            path("a/", a, name="a"),
            re_path(r"^b/$", csrf_exempt(b)),
            path("c/<int:n>", C.as_view()),
            path("other/", include("other.urls")),
        ]
        """,
        {"ANY /a/", "ANY ^b/$", "POST /c/<int:n>"},
    ),
    "a path that is a file's": (
        """\
        from os import path
        from mine import Route
        from jobs import run

        def a():
            run.delay()

        path("/a", a)
        Route("/b", a)
        """,
        set(),
    ),
}
STORE = """\
    from celery import shared_task
    from sqlalchemy import MetaData, Table, insert, update
    from sqlalchemy.orm import Session
    from sqlmodel import SQLModel
    from psycopg import sql
    import models
    import statements
    from models import Message, atoms

    OWN = sql.SQL("UPDATE {table} SET x = 1")


    @shared_task
    def run(session: Session, query):
        {body}
"""
WRITES: dict[str, tuple[str, set[str]]] = {
    "a text": ("session.execute('INSERT INTO messages (x) VALUES (1)')", {"messages"}),
    "copy": ("session.copy('COPY public.messages (a, b) FROM STDIN')", {"public.messages"}),
    "copying out only reads": ("session.copy('COPY messages TO STDOUT')", set()),
    "truncate": ("session.execute('TRUNCATE messages CASCADE')", {"messages"}),
    "a composition": ("session.execute(sql.SQL('DELETE FROM {}').format(sql.Identifier('a', 'b')))", {"a.b"}),
    "a composition of a constant": ("session.execute(OWN.format(table=sql.Identifier('messages')))", {"messages"}),
    "a composition that nobody can tell": ("session.execute(OWN.format(table=sql.Identifier(query)))", set()),
    "a constant of another file": ("session.execute(statements.SAVE)", {"messages"}),
    "a file with SQL": ("session.execute(open('save.sql').read())", {"topics"}),
    "a file that is elsewhere": ("session.execute(open('../../etc/save.sql').read())", set()),
    "a row": ("session.add(Message(x=1))", {"messages"}),
    "a row in a variable": ("message = models.Message()\n    session.add(message)", {"messages"}),
    "several rows": ("session.add_all([Message(), models.Hero()])", {"messages", "hero"}),
    "an insert": ("session.execute(insert(Message).values(x=1))", {"messages"}),
    "an update of a table": ("session.execute(update(atoms))", {"atoms"}),
    "a method of a table": ("session.execute(atoms.delete())", {"atoms"}),
    "a deleting query": ("session.query(Message).filter().delete()", {"messages"}),
    "a query only reads": ("session.query(Message).all()", set()),
    "prose": ("print('please update messages when you can')", set()),
    "a set": ("seen = set()\n    seen.add(query)", set()),
}
MODELS = """\
    from sqlalchemy import MetaData, Table
    from sqlmodel import SQLModel

    class Message(Base):
        __tablename__ = "messages"

    class Hero(SQLModel, table=True):
        name: str

    atoms = Table("atoms", MetaData())
"""


def drawn(root: Path, files: dict[str, str]) -> TaskGraph:
    for name, text in files.items():
        (root / name).write_text(dedent(text), encoding="utf-8")
    return task_graph(Source.read(root, for_graph=True))


def arrows(graph: TaskGraph) -> set[tuple[str, str]]:
    return {(f"{e.cause.kind} {e.cause.name}", f"{e.effect.kind} {e.effect.name}") for e in graph.edges}


@pytest.mark.parametrize(("files", "expected"), QUEUES.values(), ids=QUEUES)
def test_a_queue_or_a_scheduler_draws_its_arrows(
    tmp_path: Path, files: dict[str, str], expected: set[tuple[str, str]]
) -> None:
    assert arrows(drawn(tmp_path, files)) == expected


@pytest.mark.parametrize(("text", "expected"), ROUTES.values(), ids=ROUTES)
def test_a_route_leads_to_the_task(tmp_path: Path, text: str, expected: set[str]) -> None:
    graph = drawn(tmp_path, {"jobs.py": TASK, "api.py": text})
    routes = {edge.cause.name for edge in graph.edges if edge.cause.kind is NodeKind.ROUTE}
    assert routes == expected


@pytest.mark.parametrize(("body", "expected"), WRITES.values(), ids=WRITES)
def test_a_task_leads_to_the_tables_that_it_writes(tmp_path: Path, body: str, expected: set[str]) -> None:
    (tmp_path / "save.sql").write_text("-- saves\nUPDATE topics SET name = 'x';\n")
    files = {
        "jobs.py": dedent(STORE).replace("{body}", body),
        "models.py": MODELS,
        "statements.py": 'SAVE = """INSERT INTO messages (x) VALUES (1)"""\n',
    }
    graph = drawn(tmp_path, files)
    assert {edge.effect.name for edge in graph.edges if edge.effect.kind is NodeKind.TABLE} == expected


def test_where_something_was_defined_is_known(tmp_path: Path) -> None:
    graph = drawn(tmp_path, {"worker.py": ARQ})
    places = {node.name: (node.path, node.line) for node in graph.nodes if node.kind is NodeKind.TASK}
    assert places["worker.write_report"] == ("worker.py", 8)
    assert [edge.place for edge in graph.edges if edge.effect.name == "worker.write_report"] == ["worker.py:5"]


def test_what_nothing_enqueues_stands_alone(tmp_path: Path) -> None:
    graph = drawn(tmp_path, {"jobs.py": HUEY, "worker.py": ARQ})
    assert [node.name for node in graph.without_cause()] == ["jobs.notify", "worker.clean"]

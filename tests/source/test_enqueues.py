"""Who enqueues what, and what becomes of a failure."""

from __future__ import annotations

import pytest

from doctor.source.facts import Enqueue, Outcome

OTHERS = {
    "app/__init__.py": "",
    "app/tasks/__init__.py": "from .scoring import score",
    "app/tasks/scoring.py": """
        from taskiq import InMemoryBroker
        broker = InMemoryBroker()
        @broker.task
        async def score(key): ...
    """,
    "app/celery_jobs.py": """
        from celery import shared_task
        @shared_task
        def clean(): ...
    """,
    "app/actors.py": """
        import dramatiq
        @dramatiq.actor
        def mail(): ...
    """,
}

TARGETS = {
    "from .tasks.scoring import score\nasync def f(): await score.kiq(1)": "app.tasks.scoring.score",
    "from .tasks import score\nasync def f(): await score.kiq(1)": "app.tasks.scoring.score",
    "from . import tasks\nasync def f(): await tasks.scoring.score.kiq(1)": "app.tasks.scoring.score",
    "import app.tasks.scoring\nasync def f(): await app.tasks.scoring.score.kiq(1)": "app.tasks.scoring.score",
    "import app.tasks.scoring as s\nasync def f(): await s.score.kiq(1)": "app.tasks.scoring.score",
    "async def f():\n    from .tasks import score as job\n    await job.kiq(1)": "app.tasks.scoring.score",
    "from .tasks import score\nasync def f():\n    job = score\n    await job.kiq(1)": "app.tasks.scoring.score",
    "from .tasks import score\nasync def f(): await score.kicker().with_labels(a=1).kiq(1)": "app.tasks.scoring.score",
    "from .tasks import *\nasync def f(): await score.kiq(1)": "app.tasks.scoring.score",
    "try:\n    from .tasks import score\nexcept ImportError:\n    score = None\nasync def f(): await score.kiq(1)": (
        "app.tasks.scoring.score"
    ),
    "if 1:\n    from .tasks import score as job\nelse:\n    job = None\nasync def f(): await job.kiq(1)": (
        "app.tasks.scoring.score"
    ),
    "from .celery_jobs import clean\ndef f(): clean.delay()": "app.celery_jobs.clean",
    "from .celery_jobs import clean\ndef f(): clean.s().apply_async()": "app.celery_jobs.clean",
    "from .celery_jobs import clean\ndef f(): clean.delay_on_commit()": "app.celery_jobs.clean",
    "from .actors import mail\ndef f(): mail.send()": "app.actors.mail",
    "async def f(score): await score.kiq(1)": None,
    "from .tasks import score\nasync def f(jobs): return [await score.kiq(1) for score in jobs] or score.kiq(1)": (
        "app.tasks.scoring.score"
    ),
}


@pytest.mark.parametrize(("text", "task"), TARGETS.items(), ids=range(len(TARGETS)))
def test_the_task_of_an_enqueue_is_followed_to_its_definition(project, text: str, task: str | None) -> None:
    (enqueue,) = project({**OTHERS, "app/caller.py": text}).enqueues()
    assert (enqueue.task, enqueue.function, enqueue.direct) == (task, "f", True)


@pytest.mark.parametrize(
    "text",
    [
        "from .celery_jobs import clean\ndef f(x): x.delay(); sleep.delay(3)",
        "def f(pool): pool.apply_async(print)",
        "def f(socket): socket.send(b'')",
        "import dramatiq\ndef f(client): client.send(1)",
        "from .plain import work\ndef f(): work.delay()",
        "from .tasks import score\ndef f(): score.send(1)",
    ],
)
def test_methods_of_the_same_name_on_other_objects_are_no_enqueues(project, text: str) -> None:
    assert project({**OTHERS, "app/plain.py": "def work(): ...", "app/caller.py": text}).enqueues() == ()


def test_building_a_message_is_not_sending_it(project) -> None:
    (enqueue,) = project(
        {**OTHERS, "app/caller.py": "from .celery_jobs import clean\ndef f(): return clean.s()"}
    ).enqueues()
    assert (enqueue.task, enqueue.direct) == ("app.celery_jobs.clean", False)


HELPERS = """
import logging

log = logging.getLogger(__name__)

def only_logs(error):
    log.error("failed: %s", str(error))

def describe(error):
    return " ".join(str(error).split())

def raises(error):
    raise RuntimeError from error

def two_deep(error):
    writes(error)

def writes(error):
    database.execute("INSERT INTO failed VALUES (%s)", [str(error)])
"""

HANDLERS = {
    "logger.warning('x: {}', error)": Outcome.LOGS_ONLY,
    "logger.warning(f'x: {error}')": Outcome.LOGS_ONLY,
    "pass": Outcome.LOGS_ONLY,
    "self.logger.exception('x')": Outcome.LOGS_ONLY,
    "logging.getLogger('a').error('x')": Outcome.LOGS_ONLY,
    "print(error)": Outcome.LOGS_ONLY,
    "logger.opt(exception=True).error('x')": Outcome.LOGS_ONLY,
    "text = describe(error); logger.warning(text)": Outcome.LOGS_ONLY,
    "only_logs(error)": Outcome.LOGS_ONLY,
    "sentry_sdk.capture_exception(error)": Outcome.LOGS_ONLY,
    "return": Outcome.LOGS_ONLY,
    "return {'ok': True}": Outcome.LOGS_ONLY,
    "logger.warning('x'); raise": Outcome.RAISES,
    "raise HTTPException(503)": Outcome.RAISES,
    "raises(error)": Outcome.RAISES,
    "sys.exit(1)": Outcome.RAISES,
    "writes(error)": Outcome.RECORDS,
    "two_deep(error)": Outcome.RECORDS,
    "session.add(Failure(error))": Outcome.RECORDS,
    "await database.execute('INSERT')": Outcome.RECORDS,
    "message.status = 'failed'": Outcome.REPORTS,
    "state['failed'] += 1": Outcome.REPORTS,
    "return False": Outcome.REPORTS,
    "return str(error)": Outcome.REPORTS,
    "return JSONResponse({}, status_code=503)": Outcome.REPORTS,
    "return {'status': 'error'}": Outcome.REPORTS,
    "logger.warning('x'); notify_somebody(error)": Outcome.UNKNOWN,
    "await run_it_here(key)": Outcome.UNKNOWN,
    "logger.warning('x'); await score(key)": Outcome.UNKNOWN,
    "if transient(error): raise": Outcome.RAISES,
}


def test_what_is_a_task_in_one_branch_is_no_plain_function(project) -> None:
    text = """
        try:
            from celery import shared_task
        except ImportError:
            shared_task = None
        if shared_task:
            @shared_task
            def job(x): ...
        else:
            def job(x): ...
        def plain(x): ...
        def go():
            job.delay(1)
            plain.delay(1)
    """
    assert [found.target for found in project({"app.py": text}).non_tasks()] == ["plain"]


def enqueue_handled(project, handler: str, after: str = "") -> Enqueue:
    text = (
        "from .tasks import score\nfrom .helpers import describe, only_logs, raises, two_deep, writes\n\n"
        f"async def f(self, key):\n    try:\n        await score.kiq(key)\n"
        f"    except Exception as error:\n        {handler}\n{after}"
    )
    (enqueue,) = project({**OTHERS, "app/helpers.py": HELPERS, "app/caller.py": text}).enqueues()
    return enqueue


@pytest.mark.parametrize(("handler", "outcome"), HANDLERS.items())
def test_a_handler_is_read_for_what_it_leaves_behind(project, handler: str, outcome: Outcome) -> None:
    found = enqueue_handled(project, handler).handler
    assert found is not None
    assert found.outcome is outcome


def test_a_flag_that_is_read_after_the_handler_tells_somebody(project) -> None:
    found = enqueue_handled(project, "queued = False", "    return queued\n").handler
    assert found is not None
    assert found.outcome is Outcome.REPORTS


def test_none_tells_the_caller_when_success_returns_something(project) -> None:
    found = enqueue_handled(project, "return None", "    return 'queued'\n").handler
    assert found is not None
    assert found.outcome is Outcome.REPORTS


@pytest.mark.parametrize(
    ("after", "outcome"),
    [
        ("    return 'welcome'\n", Outcome.LOGS_ONLY),
        ("    return queued\n", Outcome.REPORTS),
        ("    return queued.id if True else None\n", Outcome.REPORTS),
        ("    score.clean()\n", Outcome.LOGS_ONLY),
    ],
)
def test_a_handler_that_goes_on_to_the_usual_answer_tells_nobody(project, after: str, outcome: Outcome) -> None:
    text = (
        "from .tasks import score\nasync def save(log):\n    queued = None\n    try:\n"
        "        queued = await score.kiq(1)\n    except Exception:\n        log.warning('not queued')\n"
    )
    found = project({**OTHERS, "app/caller.py": text + after}).enqueues()[0].handler
    assert found is not None
    assert found.outcome is outcome


def test_the_log_line_is_kept_for_showing(project) -> None:
    found = enqueue_handled(project, "logger.warning(f'Failed to queue {key}: {error}')").handler
    assert found is not None
    assert found.log is not None
    assert (found.log.level, found.log.text) == ("warning", "Failed to queue {key}: {error}")


TRIED = "from .tasks import score\nasync def f():\n    try:\n        await score.kiq(1)\n    except{}:\n        pass\n"


@pytest.mark.parametrize(
    "caught", ["", " Exception", " BaseException as e", " (ValueError, Exception)", " builtins.Exception"]
)
def test_broad_handlers_count(project, caught: str) -> None:
    text = TRIED.format(caught)
    (enqueue,) = project({**OTHERS, "app/caller.py": text}).enqueues()
    assert enqueue.is_swallowed


@pytest.mark.parametrize("caught", [" ValueError", " (OSError, KeyError) as e", " module.Exception2"])
def test_narrow_handlers_do_not(project, caught: str) -> None:
    text = TRIED.format(caught)
    (enqueue,) = project({**OTHERS, "app/caller.py": text}).enqueues()
    assert enqueue.handler is None


def test_an_inner_handler_that_raises_leaves_it_to_the_outer_one(project) -> None:
    text = """
        from .tasks import score
        async def f():
            try:
                try:
                    await score.kiq(1)
                except Exception:
                    raise
            except Exception:
                log.error("x")
    """
    (enqueue,) = project({**OTHERS, "app/caller.py": text}).enqueues()
    assert enqueue.is_swallowed


@pytest.mark.parametrize(
    "place", ["except Exception:\n        await score.kiq(1)", "finally:\n        await score.kiq(1)"]
)
def test_an_enqueue_outside_the_tried_block_is_not_guarded_by_it(project, place: str) -> None:
    text = f"from .tasks import score\nasync def f():\n    try:\n        work()\n    {place}\n"
    (enqueue,) = project({**OTHERS, "app/caller.py": text}).enqueues()
    assert enqueue.handler is None


def test_a_handler_does_not_reach_into_a_function_that_is_only_defined_in_its_block(project) -> None:
    text = """
        from .tasks import score
        try:
            async def f():
                await score.kiq(1)
        except Exception:
            pass
    """
    (enqueue,) = project({**OTHERS, "app/caller.py": text}).enqueues()
    assert enqueue.handler is None


QUEUE = "from .tasks import score\nasync def queue(key):\n    await score.kiq(key)\n"


def test_a_swallowed_call_of_a_function_that_enqueues_is_an_indirect_enqueue(project) -> None:
    caller = """
        from .ingestion import queue
        async def save(key):
            try:
                await queue(key)
            except Exception:
                log.error("x")
    """
    source = project({**OTHERS, "app/ingestion.py": QUEUE, "app/caller.py": caller})
    (indirect,) = (enqueue for enqueue in source.enqueues(indirect=True) if enqueue.via)
    assert (indirect.function_id, indirect.via, indirect.task) == (
        "app.caller.save",
        "app.ingestion.queue",
        "app.tasks.scoring.score",
    )
    assert indirect.is_swallowed
    assert all(enqueue.via is None for enqueue in source.enqueues())


def test_a_loop_around_such_a_call_will_try_again(project) -> None:
    caller = """
        from .ingestion import queue
        async def poll():
            while True:
                try:
                    await queue(1)
                except Exception:
                    log.error("x")
    """
    source = project({**OTHERS, "app/ingestion.py": QUEUE, "app/caller.py": caller})
    assert [enqueue.via for enqueue in source.enqueues(indirect=True)] == [None]


@pytest.mark.parametrize(
    ("route", "shown"),
    [
        ('@router.post("/webhook")', "POST /webhook"),
        ('@app.route("/hook", methods=["POST"])', "POST /hook"),
        ('@mock.patch("app.now")', None),
        ("@router.message()", None),
    ],
)
def test_the_route_that_calls_an_enqueuing_function_is_known(project, route: str, shown: str | None) -> None:
    caller = f"from .ingestion import queue\n{route}\nasync def receive(update):\n    await queue(update)\n"
    source = project({**OTHERS, "app/ingestion.py": QUEUE, "app/routes.py": caller})
    (enqueue,) = source.enqueues()
    assert [f"{one.method} {one.url}" for one in enqueue.routes] == ([] if shown is None else [shown])


def test_an_enqueue_at_module_level_belongs_to_the_module(project) -> None:
    (enqueue,) = project({**OTHERS, "app/caller.py": "from .celery_jobs import clean\nclean.delay()\n"}).enqueues()
    assert enqueue.function_id == "app.caller.<module>"

"""Functions that are given to a library instead of being decorated: jobs of RQ and arq, schedules, tables of routes.

Only the task graph asks for these, and only then are files looked at for their sake.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from doctor.source.collector import Collector, Module
from doctor.source.expressions import dotted
from doctor.source.facts import MODULE_LEVEL, Purpose
from doctor.source.libraries import VERBS
from doctor.source.route_tables import LITERALS as ROUTE_LITERALS
from doctor.source.route_tables import route_entry


@dataclass(frozen=True, slots=True)
class HandOver:
    """``target`` is the function as written, or its name as a text (``by_name``). ``function`` is what hands it over.

    ``owner`` is the object whose method takes it, as written, where that decides: it must then be of ``libraries``.
    ``label`` is what it is registered as: ``POST /x``, or the name of an arq job.
    """

    path: str
    line: int
    function: str
    purpose: Purpose
    target: str
    text: str
    by_name: bool = False
    owner: str = ""
    libraries: tuple[str, ...] = ()
    label: str = ""


class _Taker(NamedTuple):
    """A method that takes a function: at which place or keyword, and of which libraries its object must be.

    No libraries: no other object has such a method.
    """

    purpose: Purpose
    place: int
    keyword: str
    libraries: tuple[str, ...]


_RQ = ("rq", "django_rq", "flask_rq2")
_RQ_SCHEDULER = ("rq_scheduler", "django_rq")
_TAKERS = {
    "enqueue": (_Taker(Purpose.ENQUEUE, 0, "f", _RQ),),
    "enqueue_call": (_Taker(Purpose.ENQUEUE, 0, "func", _RQ),),
    "enqueue_in": (_Taker(Purpose.ENQUEUE, 1, "func", _RQ), _Taker(Purpose.SCHEDULE, 1, "func", ("rq_scheduler",))),
    "enqueue_at": (_Taker(Purpose.ENQUEUE, 1, "func", _RQ), _Taker(Purpose.SCHEDULE, 1, "func", ("rq_scheduler",))),
    "cron": (_Taker(Purpose.SCHEDULE, 1, "func", _RQ_SCHEDULER),),
    "schedule": (_Taker(Purpose.SCHEDULE, 1, "func", _RQ_SCHEDULER),),
    "add_job": (_Taker(Purpose.SCHEDULE, 0, "func", ("apscheduler",)),),
    "add_schedule": (_Taker(Purpose.SCHEDULE, 0, "func_or_task_id", ("apscheduler",)),),
    "add_periodic_task": (_Taker(Purpose.SCHEDULE, 1, "sig", ()),),
}
_SENT_BY_NAME = {"send_task": "name", "enqueue_job": "function", "AsyncKicker": "task_name", "signature": "varies"}
"""Calls whose first argument is the task's name as a text, and the keyword for the same."""

_SCHEDULED_BY = re.compile(r"schedule_by_(?:cron|interval|time)")
_SCHEDULING_DECORATORS = ("scheduled_job", "repeat_every")
_WRAPPERS = frozenset({"csrf_exempt", "func", "login_required", "never_cache", "partial", "staff_member_required"})


def _collect(module: Module) -> Iterator[HandOver]:
    for node in module.nodes:
        if isinstance(node, ast.Call):
            yield from _of_call(module, node)
        elif isinstance(node, ast.Dict):
            yield from _of_beat_entry(module, node)
        elif isinstance(node, ast.ClassDef):
            yield from _of_worker_settings(module, node)
    for name, function in module.functions:
        for decorator in function.decorator_list:
            used = dotted(decorator.func if isinstance(decorator, ast.Call) else decorator)
            if used.rpartition(".")[2] in _SCHEDULING_DECORATORS:
                yield _made(module, decorator.lineno, Purpose.SCHEDULE, name, function=MODULE_LEVEL, own=True)


def _of_call(module: Module, node: ast.Call) -> Iterator[HandOver]:
    owner, _, method = dotted(node.func).rpartition(".")
    for taker in _TAKERS.get(method, ()) if owner else ():
        for value in _argument(node, taker.place, taker.keyword):
            yield from _given(module, node.lineno, taker.purpose, value, owner, taker.libraries)
    if method in _SENT_BY_NAME:
        for value in _argument(node, 0, _SENT_BY_NAME[method]):
            if isinstance(value, ast.Constant):
                yield from _given(module, node.lineno, Purpose.ENQUEUE, value)
    if _SCHEDULED_BY.fullmatch(method):
        yield _made(module, node.lineno, Purpose.SCHEDULE, owner)
    if module.origin(node.func) in ("arq.Worker", "arq.worker.Worker", "arq.run_worker"):
        for keyword in node.keywords:
            yield from _of_worker(module, keyword.arg or "", keyword.value)
    entry = route_entry(module, node)
    if entry is not None:
        yield from _given(module, node.lineno, Purpose.ROUTE, entry.endpoint, label=entry.label)


def _of_beat_entry(module: Module, node: ast.Dict) -> Iterator[HandOver]:
    """Read one entry of Celery's ``beat_schedule``: a dictionary with a task and a schedule."""
    entry = {
        key.value: value for key, value in zip(node.keys, node.values, strict=True) if isinstance(key, ast.Constant)
    }
    if {"task", "schedule"} <= entry.keys():
        task = entry["task"]
        # ``clean.name`` is the name of the task, as text
        named = task.value if isinstance(task, ast.Attribute) and task.attr == "name" else task
        yield from _given(module, node.lineno, Purpose.SCHEDULE, named)


def _of_worker_settings(module: Module, node: ast.ClassDef) -> Iterator[HandOver]:
    """Read the settings of an arq worker: any class with such attributes in a file that imports arq."""
    if node.name != "WorkerSettings" and not any(o.startswith("arq.") for o in module.origins.values()):
        return
    for statement in node.body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                yield from _of_worker(module, dotted(target), statement.value)


def _of_worker(module: Module, name: str, value: ast.expr) -> Iterator[HandOver]:
    if name not in ("functions", "cron_jobs") or not isinstance(value, (ast.List, ast.Tuple)):
        return
    for element in value.elts:
        given = element
        label = ""
        if isinstance(element, ast.Call):
            label = next((_text(k.value) for k in element.keywords if k.arg == "name"), "")
            given = next(_argument(element, 0, "coroutine"), element)
        if name == "cron_jobs":
            yield from _given(module, element.lineno, Purpose.SCHEDULE, given)
        yield from _given(module, element.lineno, Purpose.TASK, given, label=label)


def _given(
    module: Module,
    line: int,
    purpose: Purpose,
    value: ast.expr,
    owner: str = "",
    libraries: tuple[str, ...] = (),
    label: str = "",
) -> Iterator[HandOver]:
    """Yield what an expression hands over: a function, a task's method that sends it, a message, or a name."""
    if isinstance(value, ast.Lambda):
        value = value.body
    if isinstance(value, ast.Constant):
        if isinstance(value.value, str):
            yield _made(module, line, purpose, value.value, True, owner, libraries, label)
        return
    name = _function(value)
    if "?" not in name and "(" not in name:
        yield _made(module, line, purpose, name, False, owner, libraries, label)


def _function(value: ast.expr) -> str:
    """Return the function or task behind ``task.send``, ``task.s(1)``, ``View.as_view()`` and ``partial(function)``."""
    if isinstance(value, ast.Call):
        owner, _, method = dotted(value.func).rpartition(".")
        if method in _WRAPPERS and value.args:
            return _function(value.args[0])
        if method == "as_view" or method in VERBS:
            return owner
        return _function(value.args[0]) if isinstance(value.func, ast.Call) and value.args else dotted(value.func)
    owner, _, method = dotted(value).rpartition(".")
    return owner if method in VERBS and owner else dotted(value)


def _made(
    module: Module,
    line: int,
    purpose: Purpose,
    target: str,
    by_name: bool = False,
    owner: str = "",
    libraries: tuple[str, ...] = (),
    label: str = "",
    function: str = "",
    own: bool = False,
) -> HandOver:
    site = function or module.enclosing(line)
    name = f"{module.name}.{target}" if own else target
    return HandOver(module.path, line, site, purpose, name, module.line(line), by_name or own, owner, libraries, label)


def _argument(call: ast.Call, index: int, keyword: str) -> Iterator[ast.expr]:
    yield from call.args[index : index + 1]
    yield from (given.value for given in call.keywords if given.arg == keyword)


def _text(value: ast.expr) -> str:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


COLLECTOR = Collector(
    "hand-overs",
    1,
    (
        b".enqueue",
        b".cron(",
        b"add_job(",
        b"add_schedule(",
        b"add_periodic_task(",
        b"scheduled_job(",
        b"repeat_every(",
        b".schedule",
        b".periodic_task",
        b"send_task(",
        b"AsyncKicker(",
        b"beat_schedule",
        b"BEAT_SCHEDULE",
        b"WorkerSettings",
        b"cron_jobs",
        b"rq.decorators",
        b"django_rq",
        b"djhuey",
        *ROUTE_LITERALS,
    ),
    _collect,
    for_graph=True,
)

"""The task graph: routes and schedules → tasks → enqueues → tasks → tables, as far as the source shows it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from doctor.source.collectors.table_writes import COLLECTOR as TABLE_WRITES
from doctor.source.facts import DecoratedFunction
from doctor.source.index import Source

_SCHEDULE = re.compile(r"\bschedule\s*=|\bcron|\bcrontab|\bperiodic")


class NodeKind(StrEnum):
    """What a node of the graph is."""

    ROUTE = "route"
    SCHEDULE = "schedule"
    CODE = "code"
    """A function outside of tasks and routes that enqueues: a command line, a start-up hook."""
    TASK = "task"
    TABLE = "table"


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """One node. ``name`` is unique within its kind: ``POST /webhook``, a task's identity, a table's name."""

    kind: NodeKind
    name: str
    path: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """``cause`` enqueues or writes ``effect``, at ``place`` (``path:line``)."""

    cause: Node
    effect: Node
    place: str


@dataclass(frozen=True, slots=True)
class TaskGraph:
    """Nodes and edges, sorted."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def without_cause(self) -> tuple[Node, ...]:
        """Return the tasks to which no arrow leads."""
        reached = {edge.effect for edge in self.edges}
        return tuple(node for node in self.nodes if node.kind is NodeKind.TASK and node not in reached)


def is_scheduled(task: DecoratedFunction) -> bool:
    """Whether a decorator of the task names a schedule."""
    return any(_SCHEDULE.search(use.text) for use in task.decorators)


def never_enqueued(source: Source) -> list[DecoratedFunction]:
    """Return the tasks that nothing in the source enqueues, schedules or names."""
    enqueued = {enqueue.task for enqueue in source.enqueues()}
    named = source.named_tasks()
    return [
        task for task in source.tasks() if task.id not in enqueued and not is_scheduled(task) and task.name not in named
    ]


def chain_ends(source: Source, leaving_out: Collection[str] = ()) -> list[DecoratedFunction]:
    """Return the tasks at which a chain of tasks ends: enqueued by another task, and enqueuing none themselves.

    The tasks ``leaving_out`` are taken not to be there.
    """
    tasks = {task.id: task for task in source.tasks() if task.id not in leaving_out}
    enqueuing: set[str] = set()
    enqueued: set[str | None] = set()
    for enqueue in source.enqueues():
        if enqueue.task in leaving_out:
            continue
        causes = {caller for caller in enqueue.reached_from if caller in tasks and caller != enqueue.task}
        enqueuing |= causes
        if causes:
            enqueued.add(enqueue.task)
    return [task for identity, task in tasks.items() if identity in enqueued and identity not in enqueuing]


def task_graph(source: Source) -> TaskGraph:
    """Build the graph from what the source says."""
    tasks = {task.id: Node(NodeKind.TASK, task.id, task.path, task.line) for task in source.tasks()}
    routes = {
        route.function: Node(NodeKind.ROUTE, f"{route.method} {route.url}", route.path, route.line)
        for route in source.routes()
    }
    edges = set()
    for enqueue in source.enqueues():
        effect = tasks.get(enqueue.task or "", Node(NodeKind.TASK, enqueue.task or enqueue.target))
        causes = [tasks.get(caller) or routes.get(caller) for caller in sorted(enqueue.reached_from)]
        known = [cause for cause in causes if cause is not None and cause != effect]
        for cause in known or [Node(NodeKind.CODE, enqueue.function_id, enqueue.path)]:
            edges.add(Edge(cause, effect, f"{enqueue.path}:{enqueue.line}"))
    for task in source.tasks():
        if is_scheduled(task):
            schedule = Node(NodeKind.SCHEDULE, f"schedule of {task.name}", task.path, task.line)
            edges.add(Edge(schedule, tasks[task.id], f"{task.path}:{task.line}"))
    edges |= set(_writes(source, tasks))
    nodes = {*tasks.values(), *(edge.cause for edge in edges), *(edge.effect for edge in edges)}
    return TaskGraph(tuple(sorted(nodes)), tuple(sorted(edges)))


def _writes(source: Source, tasks: dict[str, Node]) -> Iterator[Edge]:
    for write in source.collected(TABLE_WRITES):
        table = Node(NodeKind.TABLE, write.table)
        for caller in source.reached_from(write.path, write.function) & tasks.keys():
            yield Edge(tasks[caller], table, f"{write.path}:{write.line}")

"""The task graph: routes and schedules → tasks → enqueues → tasks → tables, as far as the source shows it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from doctor.source.facts import Enqueue, HandedOver, Purpose
from doctor.source.index import Source
from doctor.task_chain import is_scheduled, unreached_embeddings


class NodeKind(StrEnum):
    """What a node of the graph is."""

    ROUTE = "route"
    SCHEDULE = "schedule"
    CODE = "code"
    """A function outside of tasks and routes that enqueues: a command line, a start-up hook, what a scheduler calls."""
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
    """Nodes and edges, sorted. ``missing`` are arrows that are wanted and that the source does not have."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    missing: tuple[Edge, ...] = ()

    def without_cause(self) -> tuple[Node, ...]:
        """Return the tasks to which no arrow leads."""
        reached = {edge.effect for edge in self.edges}
        return tuple(node for node in self.nodes if node.kind is NodeKind.TASK and node not in reached)


def task_graph(source: Source) -> TaskGraph:
    """Build the graph from what the source says."""
    drawing = _Drawing(source)
    edges = {*drawing.enqueues(), *drawing.handed_over(), *drawing.schedules(), *drawing.writes()}
    missing = tuple(sorted(drawing.missing()))
    nodes = {*drawing.tasks.values(), *(node for edge in (*edges, *missing) for node in (edge.cause, edge.effect))}
    return TaskGraph(tuple(sorted(nodes)), tuple(sorted(edges)), missing)


class _Drawing:
    """What can stand at either end of an arrow, by the identity of its function."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.tasks = {task.id: Node(NodeKind.TASK, task.id, task.path, task.line) for task in source.tasks()}
        self.given: dict[Purpose, list[HandedOver]] = defaultdict(list)
        for one in source.handed_over():
            self.given[one.purpose].append(one)
        for one in (*self.given[Purpose.TASK], *self.given[Purpose.ENQUEUE]):
            node = Node(NodeKind.TASK, one.target, one.defined_path, one.defined_line)
            self.tasks.setdefault(one.target, node)
        self.routes: dict[str, set[Node]] = defaultdict(set)
        for route in source.routes():
            self.routes[route.function].add(Node(NodeKind.ROUTE, f"{route.method} {route.url}", route.path, route.line))
        for one in self.given[Purpose.ROUTE]:
            self.routes[one.target].add(Node(NodeKind.ROUTE, one.label, one.defined_path, one.defined_line))
        self.called_by_schedule = {
            one.target: Node(NodeKind.CODE, one.target, one.defined_path, one.defined_line)
            for one in self.given[Purpose.SCHEDULE]
            if one.target not in self.tasks
        }

    def enqueues(self) -> Iterator[Edge]:
        """Yield an arrow from each task, route or scheduled function that leads to an enqueue."""
        scheduled = {(one.function, one.target) for one in self.given[Purpose.SCHEDULE]}
        for enqueue in self.source.enqueues():
            if not enqueue.direct and (enqueue.function_id, enqueue.task) in scheduled:
                continue  # the message that a schedule is given
            if enqueue.task is None:
                continue  # a parameter, an element of a dictionary: which task it is, the source does not say
            effect = self.tasks.get(enqueue.task, Node(NodeKind.TASK, enqueue.task))
            yield from self._arrows(effect, enqueue)

    def handed_over(self) -> Iterator[Edge]:
        """Yield the arrows of functions that are enqueued by reference or by name."""
        for one in self.given[Purpose.ENQUEUE]:
            yield from self._arrows(self.tasks[one.target], one)

    def _arrows(self, effect: Node, site: Enqueue | HandedOver) -> Iterator[Edge]:
        causes = {cause for caller in site.reached_from for cause in self._causes(caller)} - {effect}
        function = site.function if isinstance(site, HandedOver) else site.function_id
        for cause in causes or {Node(NodeKind.CODE, function, site.path)}:
            yield Edge(cause, effect, f"{site.path}:{site.line}")

    def _causes(self, function: str) -> Iterator[Node]:
        yield from self.routes.get(function, ())
        for nodes in (self.tasks, self.called_by_schedule):
            if function in nodes:
                yield nodes[function]

    def schedules(self) -> Iterator[Edge]:
        """Yield the arrows of schedulers, which are nodes of their own."""
        for task in self.source.tasks():
            if is_scheduled(task):
                yield self._schedule(self.tasks[task.id], task.path, task.line)
        for one in self.given[Purpose.SCHEDULE]:
            effect = self.tasks.get(one.target) or self.called_by_schedule[one.target]
            yield self._schedule(effect, one.path, one.line)

    def _schedule(self, effect: Node, path: str, line: int) -> Edge:
        schedule = Node(NodeKind.SCHEDULE, f"schedule of {effect.name.rpartition('.')[2]}", path, line)
        return Edge(schedule, effect, f"{path}:{line}")

    def writes(self) -> Iterator[Edge]:
        """Yield an arrow from each task, or function that a scheduler calls, to the tables that it writes."""
        for write in self.source.table_writes():
            table = Node(NodeKind.TABLE, write.table)
            for caller in self.source.reached_from(write.path, write.function):
                for nodes in (self.tasks, self.called_by_schedule):
                    if caller in nodes:
                        yield Edge(nodes[caller], table, f"{write.path}:{write.line}")

    def missing(self) -> Iterator[Edge]:
        """Yield the arrow from the end of the chain to each embedding task that the chain never enqueues (C6)."""
        for unreached in unreached_embeddings(self.source):
            effect = self.tasks[unreached.task.id]
            for end in unreached.ends:
                yield Edge(self.tasks[end.id], effect, f"{end.path}:{end.line}")

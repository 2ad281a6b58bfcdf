"""``doctor graph``: the task graph, as the source shows it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click

from doctor.commands.options import configuration_option, open_target, path_argument, presentation_options
from doctor.commands.output import Output, write_file
from doctor.redaction import printable
from doctor.source.index import Source
from doctor.task_graph import Edge, Node, NodeKind, TaskGraph, task_graph
from doctor.verdict import ExitCode
from doctor.wording import counted

_MERMAID = {
    NodeKind.ROUTE: '{id}(["{text}"])',
    NodeKind.SCHEDULE: '{id}{{{{"{text}"}}}}',
    NodeKind.CODE: '{id}>"{text}"]',
    NodeKind.TASK: '{id}["{text}"]',
    NodeKind.TABLE: '{id}[("{text}")]',
}
_DOT = {
    NodeKind.ROUTE: "oval",
    NodeKind.SCHEDULE: "hexagon",
    NodeKind.CODE: "cds",
    NodeKind.TASK: "box",
    NodeKind.TABLE: "cylinder",
}
MISSING = "missing, so nothing new is embedded"
"""On the arrow that leads from the end of a chain to an embedding task, where the source has none."""


@click.command("graph")
@path_argument
@click.option(
    "--format", "form", type=click.Choice(["mermaid", "dot", "json"]), default="mermaid", help="Which one (mermaid)."
)
@click.option("-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
@configuration_option
@presentation_options
def graph_command(path: Path, form: str, file: Path | None, configuration: Path | None, output: Output) -> int:
    """Draw routes and schedules, the tasks that they enqueue, and the tables that tasks write.

    Reads the source and nothing else. A task to which no arrow leads stands alone, marked as never enqueued; a dotted
    arrow is one that is missing: the chain ends without enqueuing an embedding task (TSK005). Mermaid is shown by
    GitHub, GitLab and most editors; DOT is for Graphviz.

    \b
    Queues:    TaskIQ, Celery, Dramatiq, Huey, RQ, arq
    Routes:    FastAPI, Starlette, Flask, Django; decorators and tables
    Schedules: TaskIQ labels, Celery beat, APScheduler, Huey, RQ scheduler, arq
    Tables:    SQL in texts and files, SQLAlchemy and SQLModel

    \b
    Exit codes: 0 drawn   3 there are no tasks here
    """
    target = open_target(path, configuration)
    source = Source.read(target.source_folder, for_graph=True)
    graph = task_graph(source)
    forms: dict[str, Callable[[TaskGraph], str]] = {"mermaid": mermaid, "dot": dot, "json": as_json}
    text = forms[form](graph)
    if file is None:
        output.write(text)
    else:
        write_file(file, text)
        output.tell(f"wrote {file}")
    if unread := len(source.unparsable()):
        output.tell(f"{counted(unread, 'file')} could not be read, so what is in there is not drawn; see DOC010")
    if any(node.kind is NodeKind.TASK for node in graph.nodes):
        return int(ExitCode.OK)
    output.tell(f"no task of a queue that doctor reads is in {target.source_folder}")
    return int(ExitCode.INCOMPLETE)


def mermaid(graph: TaskGraph) -> str:
    """Return a Mermaid flowchart; texts are reduced to what Mermaid cannot misread."""
    names = _ids(graph)
    lines = ["flowchart LR"]
    lines += [f"    {_MERMAID[node.kind].format(id=names[node], text=_in_mermaid(node))}" for node in graph.nodes]
    lines += [
        f"    {names[cause]} --> {names[effect]}"
        for cause, effect in dict.fromkeys((edge.cause, edge.effect) for edge in graph.edges)
    ]
    lines += [f"    {names[edge.cause]} -. {MISSING} .-> {names[edge.effect]}" for edge in graph.missing]
    for node in graph.without_cause():
        lines += [f"    {names[node]} -.- {names[node]}x[/never enqueued/]"]
    return "\n".join(lines) + "\n"


def dot(graph: TaskGraph) -> str:
    """Return a Graphviz digraph."""
    names = _ids(graph)
    alone = set(graph.without_cause())
    lines = ["digraph tasks {", "    rankdir=LR;"]
    for node in graph.nodes:
        style = ', style=dashed, xlabel="never enqueued"' if node in alone else ""
        lines.append(f'    {names[node]} [label="{_in_dot(node)}", shape={_DOT[node.kind]}{style}];')
    lines += [
        f"    {names[cause]} -> {names[effect]};"
        for cause, effect in dict.fromkeys((edge.cause, edge.effect) for edge in graph.edges)
    ]
    lines += [
        f'    {names[edge.cause]} -> {names[edge.effect]} [style=dashed, color=red, label="{MISSING}"];'
        for edge in graph.missing
    ]
    return "\n".join([*lines, "}"]) + "\n"


def as_json(graph: TaskGraph) -> str:
    """Return nodes, edges by the numbers of their nodes, the edges that are missing, and the tasks never enqueued."""
    place = {node: number for number, node in enumerate(graph.nodes)}
    document = {
        "nodes": [asdict(node) for node in graph.nodes],
        "edges": [_edge(edge, place) for edge in graph.edges],
        "missing": [_edge(edge, place) for edge in graph.missing],
        "never_enqueued": [node.name for node in graph.without_cause()],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _edge(edge: Edge, place: dict[Node, int]) -> dict[str, int | str]:
    return {"from": place[edge.cause], "to": place[edge.effect], "place": edge.place}


def _ids(graph: TaskGraph) -> dict[Node, str]:
    return {node: f"{node.kind[0]}{number}" for number, node in enumerate(graph.nodes)}


def _text(node: Node) -> str:
    """Return a short name: of a task or function the last two parts, which are its module and its own name."""
    if node.kind in (NodeKind.TASK, NodeKind.CODE):
        return ".".join(node.name.split(".")[-2:])
    return node.name


def _in_mermaid(node: Node) -> str:
    return _plain(_text(node)).replace("\\", "#92;")


def _in_dot(node: Node) -> str:
    return _plain(_text(node)).replace("\\", r"\\")  # `\n` alone would be a new line


def _plain(text: str) -> str:
    return re.sub(r"[^\w .,:;/{}*+=\\-]", "", printable(text)).replace("{", "(").replace("}", ")")[:90]

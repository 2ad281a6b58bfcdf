"""A task is sent that the worker does not know: it is acknowledged and dropped.

## What it finds
- A task that the code enqueues, in a module that a running worker does not import: neither its command line
  (`taskiq worker app.broker:broker app.tasks`) nor what is imported from there leads to it.
- A task that waits in the stream under the name of a module of this source that has no such task: it was renamed, or
  the sender runs other code.

## Why it hurts
TaskIQ looks a task up by its name. One that it does not know is acknowledged with a single warning, "task … is not
found. Maybe you forgot to import it?", and is gone. The sender has its receipt, the queue is empty, nothing has
happened. With `InMemoryBroker`, so in most tests, the same raises an error.

## How it is told from its look-alikes
A task that no worker was given waits (WRK001); this one has been given out and acknowledged. A task that runs and fails
leaves a dead letter or a row in the log of executions. Where the worker runs elsewhere, its command line cannot be
seen, and the check does not apply. What a module imports at run time by name, and what `--fs-discover` finds, counts as
imported.

## How to fix
Import the module where the worker starts: name it on the command line, or import it in the package that is named.

## False positives
A worker that leaves some tasks to another worker with its own command line on another machine.
"""

from collections.abc import AsyncIterator

from doctor.api import (
    Chain,
    DecoratedFunction,
    Environment,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    Nats,
    NotApplicableError,
    Observation,
    Process,
    Resource,
    Severity,
    Source,
    StoredMessage,
    check,
    counted,
    imported,
    queue_state,
    queue_subject,
    task_name,
    waiting_messages,
    worker_command,
)


@check(
    "WRK002",
    "task-unknown-to-worker",
    severity=Severity.ERROR,
    tags=["live"],
    after=["NAT002"],
    mechanisms=[Mechanism("WRK002", "CHN001", "the worker drops the task that would do it", ("task", "stage"))],
)
async def task_unknown_to_worker(
    source: Source, environment: Environment, nats: Nats, chain: Chain | None = None
) -> AsyncIterator[Finding | Observation]:
    """Compare what is enqueued with what the workers import, and what waits with what there is."""
    tasks = {f"{task.module}:{task.name}": task for task in source.tasks() if task.library == "taskiq"}
    sent = [task for task in tasks.values() if source.enqueues(task.id)]
    if not tasks:
        raise NotApplicableError("no tasks of TaskIQ in the source")
    state = await queue_state(nats, queue_subject(chain, source))
    modules = {task.module for task in tasks.values()}
    renamed = [
        message
        for message in await waiting_messages(nats, state)
        if (name := task_name(message)).partition(":")[0] in modules and name not in tasks and _is_plain(tasks)
    ]
    if renamed:
        yield _renamed(renamed)
    workers = [(one, told) for one in environment.processes() if (told := worker_command(one.command)) is not None]
    if not workers and not renamed:
        raise NotApplicableError("no worker's command line can be seen from here: run the doctor where the worker runs")
    known = set[str]()
    for _, told in workers:
        reached = imported(source.root, source.files, told.modules)
        known |= reached | imported(source.root, source.files, _modules(told.files_found(source.files)))
    unknown = [task for task in sent if workers and task.path not in known]
    for task in unknown:
        yield _unknown(source, task, [process for process, _ in workers])
    if not unknown and not renamed:
        yield Observation(f"all {len(sent)} tasks that are sent are imported", "unknown task dropped")


def _is_plain(tasks: dict[str, DecoratedFunction]) -> bool:
    """Tell whether every task has the name of its function."""
    uses = (task.decorators[task.registrar] for task in tasks.values() if task.registrar is not None)
    return not any("task_name" in use.text for use in uses)


def _modules(files: list[str]) -> list[str]:
    return [path.removesuffix(".py").replace("/", ".") for path in files]


def _unknown(source: Source, task: DecoratedFunction, workers: list[Process]) -> Finding:
    sites = source.enqueues(task.id)
    return Finding(
        code="WRK002",
        resource=Resource("task", task.id, task.path, task.line),
        symptom=f"`{task.module}:{task.name}` is sent, and the worker (pid {workers[0].pid}) does not know it",
        cause=f"nothing that the worker starts with imports `{task.module}`",
        severity=Severity.ERROR,
        group="not imported",
        related=(Resource("service", "worker"),),
        impacts=("the task is acknowledged and dropped; only a warning in the worker's log tells of it",),
        evidence=(
            *(Evidence(EvidenceKind.PROCESS, f"pid {one.pid}", one.command) for one in workers[:2]),
            *(Evidence(EvidenceKind.CODE, f"{site.path}:{site.line}", site.text) for site in sites[:3]),
        ),
        rule="TaskIQ acknowledges a message whose task it cannot find",
        fixes=(
            FixOption.by_hand(
                f"import `{task.module}` in the package that the worker is given, or name it on its command line",
                "how the worker is started is written outside of the source",
            ),
        ),
        validation="doctor check --select WRK002",
    )


def _renamed(messages: list[StoredMessage]) -> Finding:
    names = sorted({task_name(message) for message in messages})
    shown = ", ".join(f"`{name}`" for name in names[:3])
    return Finding(
        code="WRK002",
        resource=Resource("stream", messages[0].stream),
        symptom=f"{counted(len(messages), 'task')} in `{messages[0].stream}` with a name that no task has: {shown}",
        cause="the task was renamed, or the sender runs other code than this",
        severity=Severity.ERROR,
        group="renamed",
        related=(Resource("service", "worker"),),
        impacts=("the worker will acknowledge and drop them",),
        evidence=(Evidence(EvidenceKind.NATS, f"sequence {messages[0].sequence}", names[0]),),
        rule="TaskIQ acknowledges a message whose task it cannot find",
        fixes=(FixOption.by_hand("keep a task under the old name until they are done", "they hold work of the past"),),
        validation="doctor check --select WRK002",
    )

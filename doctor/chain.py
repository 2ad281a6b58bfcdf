"""The chain of the target: its stages in order, and the columns by which a row's progress is read.

Comes from ``[chain]`` in ``doctor.toml``; nothing about any particular pipeline is known here.
"""

from __future__ import annotations

from dataclasses import dataclass

from doctor.model import Resource

QUEUE_SUBJECT = "taskiq_tasks"
"""The subject of the tasks where nothing else is said: that of taskiq-nats 0.7."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. A row of ``table`` has passed it when ``column`` is not NULL.

    ``task`` is the name under which the queue knows the task that fills the column (``module:function``). ``agent``
    is the agent configuration that the task needs. ``threshold`` stages wait until enough rows are ready.
    ``taken_by`` is a column that is set once the task has taken the row, even where it then leaves ``column`` NULL.
    ``produced_by`` is, for a stage of another table, the column that this table and the message table share.
    ``requeue_argument`` is the parameter of the task that takes a row's key; without it the stage cannot be requeued.
    """

    name: str
    task: str | None = None
    table: str | None = None
    column: str | None = None
    key: str = "id"
    agent: str | None = None
    taken_by: str | None = None
    produced_by: str | None = None
    threshold: bool = False
    requeue_argument: str | None = None

    @property
    def task_resource(self) -> str | None:
        """The task as a resource id: ``app.tasks.scoring.score_message_task``."""
        return None if self.task is None else self.task.replace(":", ".")


def same_table(one: str | None, other: str | None) -> bool:
    """Tell whether two names mean one table: ``messages`` and ``public.messages`` do.

    Capital letters count, as in the catalog: names of a configuration are quoted wherever they enter a statement.
    """
    if one is None or other is None:
        return False
    if ("." in one) == ("." in other):
        return one == other
    return _without_schema(one) == other or _without_schema(other) == one


def _without_schema(name: str) -> str:
    """Return the table of ``schema.table``; a schema with a dot in its name stands in quotes."""
    return name.rpartition('".')[2] if name.startswith('"') else name.partition(".")[2]


@dataclass(frozen=True, slots=True)
class AgentTemplate:
    """What a missing agent configuration is made from: only its owner can know the prompt."""

    name: str
    model: str
    system_prompt: str


@dataclass(frozen=True, slots=True)
class Chain:
    """The whole chain. ``lookback_hours`` bounds which waiting rows still count; ``entry`` is ``METHOD /path``."""

    entry: str
    message_table: str
    stages: tuple[Stage, ...]
    created_at: str = "created_at"
    content: str = "content"
    isolated_by: str | None = None
    lookback_hours: float = 24.0
    message_threshold: int = 1
    failed_tasks_table: str | None = None
    executions_table: str | None = None
    queue_subject: str = QUEUE_SUBJECT
    search: str | None = None
    secret_header: str | None = None
    secret_env: str | None = None
    agents: tuple[AgentTemplate, ...] = ()

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The names in chain order."""
        return tuple(stage.name for stage in self.stages)

    def stage_of_column(self, table: str, column: str) -> Stage | None:
        """Return the stage that fills a column of ``schema.table``."""
        return next((one for one in self.stages if one.column == column and same_table(one.table, table)), None)

    def is_of_messages(self, stage: Stage) -> bool:
        """Whether a stage fills a column of the message table itself."""
        return same_table(stage.table, self.message_table)

    def stage_of_task(self, task: str) -> Stage | None:
        """Return the stage that runs this task, named ``module.function`` or ``module:function``."""
        wanted = task.replace(":", ".")
        return next((stage for stage in self.stages if stage.task_resource == wanted), None)

    def needs_of_task(self, task: str) -> tuple[Resource, ...]:
        """Return what a task cannot do its work without: the services of a chain, and its stage's agent."""
        stage = self.stage_of_task(task)
        services = tuple(Resource("service", name) for name in ("worker", "nats", "models"))
        return services if stage is None or stage.agent is None else (*services, Resource("agent", stage.agent))

    def stage_of_agent(self, agent: str) -> Stage | None:
        """Return the stage that needs this agent configuration."""
        return next((stage for stage in self.stages if stage.agent == agent), None)

    def position(self, stage: str | None) -> int:
        """Return the place of a stage in the chain; what belongs to no stage comes last."""
        names = self.stage_names
        return names.index(stage) if stage in names else len(names)

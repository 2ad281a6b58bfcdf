"""Dead letters are sent again: with the arguments that they failed with, to the task of that name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from .broker import broker


class ReplayError(Exception):
    """This application cannot run the dead letter: it has no such task, or one that takes other arguments."""


async def replay(task_name: str, arguments: Mapping[str, object]) -> None:
    """Enqueue the task. The dead letter stays until the work is done, so nothing is lost when that fails again.

    Raises:
        ReplayError: there is no such task, or the arguments do not fit it.
        taskiq.SendTaskError: the queue cannot be reached.
    """
    task = broker.find_task(task_name)
    if task is None:
        raise ReplayError(f"there is no task '{task_name}'")
    try:
        inspect.signature(task.original_func).bind(**arguments)
    except TypeError as error:
        raise ReplayError(f"the arguments do not fit '{task_name}': {error}") from None
    await task.kicker().kiq(**arguments)

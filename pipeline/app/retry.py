"""The decorator around every task: attempts with back-off, then a dead letter; each execution is logged.

It goes *below* ``@broker.task``. Above it, the module's name would be bound to the wrapper, which has no ``kiq``::

    @broker.task
    @task_retry_with_dlq(max_attempts=3)
    async def score_message_task(message_id: int) -> None: ...
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeVar

from loguru import logger
from psycopg import Error as DatabaseError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from .dead_letters import clear_failure, is_recorded, record_failure
from .delivery import current_delivery
from .errors import FailureNotRecordedError, StoppedByOutageError, describe, is_outage, is_permanent
from .executions import Execution, current_execution, record_execution
from .settings import get_settings

P = ParamSpec("P")
R = TypeVar("R")

# No single pause is longer, so that three attempts stay far below the deadline.
LONGEST_DELAY_SECONDS = 30.0


def task_retry_with_dlq(
    *, max_attempts: int = 3
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Run a task up to ``max_attempts`` times, then write it to ``failed_tasks`` and raise its last error.

    All attempts together end within ``TASK_TIMEOUT_SECONDS``. An error that no retry can cure ends them at once. When a
    server is away, the task goes back to the queue instead, until ``TASK_OUTAGE_PATIENCE_SECONDS`` have passed.
    ``functools.wraps`` keeps the task's name and parameters: without it two tasks would share the name of the wrapper,
    and arguments would no longer be converted.
    """

    def decorate(function: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        task = f"{function.__module__}:{function.__name__}"
        signature = inspect.signature(function)

        @functools.wraps(function)
        async def run(*args: P.args, **kwargs: P.kwargs) -> R:
            execution = Execution(task, datetime.now(UTC))
            token = current_execution.set(execution)
            try:
                result = await _attempt(execution, max_attempts, functools.partial(function, *args, **kwargs))
            except Exception as error:
                await _give_up(execution, _named(signature, args, kwargs), error)
                raise
            else:
                await _finish(execution, _named(signature, args, kwargs))
                return result
            finally:
                current_execution.reset(token)

        return run

    return decorate


async def _attempt(execution: Execution, max_attempts: int, call: Callable[[], Awaitable[R]]) -> R:
    """Try until it works, the attempts are used up, the error is permanent, or the deadline has passed."""
    seconds = get_settings().task_timeout_seconds
    retrying = AsyncRetrying(
        stop=stop_after_attempt(max_attempts),
        wait=lambda state: delay_before(state.attempt_number + 1),
        retry=retry_if_exception(_may_be_cured),
        before_sleep=functools.partial(_announce_retry, execution, max_attempts),
        reraise=True,  # the last error itself, which the dead letter describes; not tenacity's RetryError
    )

    async def attempt() -> R:
        execution.attempts += 1
        return await call()

    try:
        async with asyncio.timeout(seconds) as deadline:
            return await retrying(attempt)
    except TimeoutError:
        if deadline.expired():
            raise TimeoutError(f"not done within {seconds:g} s, all attempts together") from None
        raise


def _may_be_cured(error: BaseException) -> bool:
    return isinstance(error, Exception) and not is_permanent(error)


def _announce_retry(execution: Execution, max_attempts: int, state: RetryCallState) -> None:
    error = None if state.outcome is None else state.outcome.exception()
    logger.warning(
        "Task {} failed (attempt {} of {}), trying again in {:.1f} s: {}",
        execution.task,
        execution.attempts,
        max_attempts,
        state.upcoming_sleep,
        "" if error is None else describe(error),
    )


def delay_before(attempt: int, randomness: Callable[[], float] = random.random) -> float:
    """Return the pause before an attempt (the second is 2), in seconds: doubling, bounded, with jitter of a half.

    The jitter keeps tasks that failed together from coming back together.
    """
    longest = get_settings().task_retry_delay_seconds * 2 ** (attempt - 2)
    return float(min(LONGEST_DELAY_SECONDS, longest) * (0.5 + 0.5 * randomness()))


async def _give_up(execution: Execution, arguments: Mapping[str, object], error: Exception) -> None:
    """Clean up, write the dead letter and the log row; or leave it all as it is, when an outage will pass.

    Raises:
        StoppedByOutageError: the task is given back to the queue, and keeps what it has claimed.
        FailureNotRecordedError: the database is away; the message stays unacknowledged and will be delivered again.
    """
    text = describe(error)
    delivery = current_delivery.get()
    patience = get_settings().task_outage_patience_seconds
    if delivery is not None and is_outage(error) and delivery.age_seconds < patience:
        logger.warning("Task {} is stopped by an outage and goes back to the queue: {}", execution.task, text)
        raise StoppedByOutageError(text) from error
    logger.error("Task {} failed after {} attempts: {}", execution.task, execution.attempts, text)
    try:
        if execution.when_given_up is not None:
            await execution.when_given_up(error)
        if is_recorded(error):  # what is left to do is another task's; this one has done its part
            await clear_failure(execution.task, arguments)
        else:
            await record_failure(execution.task, arguments, error, execution.attempts)
        await record_execution(execution, text)
    except (DatabaseError, OSError) as outage:
        raise FailureNotRecordedError(
            f"{execution.task} failed ({text}), and that could not be written down: {describe(outage)}"
        ) from error


async def _finish(execution: Execution, arguments: Mapping[str, object]) -> None:
    """Log the execution and remove its dead letter; the work is done, so a failure here is only reported."""
    try:
        await record_execution(execution)
        await clear_failure(execution.task, arguments)
    except (DatabaseError, OSError) as error:
        logger.warning("Task {} succeeded, but that could not be logged: {}", execution.task, describe(error))


def _named(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, object]:
    """Return the arguments by name; those that do not fit the task as they came."""
    try:
        return dict(signature.bind(*args, **kwargs).arguments)
    except TypeError:
        return {"args": list(args), "kwargs": dict(kwargs)}

"""The source as a resource: opened once per run, in a process of its own, and queried by checks."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from doctor.redaction import redact
from doctor.source.collector import Collector
from doctor.source.collectors.named_tasks import COLLECTOR as NAMED_TASKS
from doctor.source.facts import (
    DecoratedFunction,
    Enqueue,
    Facts,
    HandedOver,
    Handler,
    NonTask,
    Route,
    TableWrite,
    Unparsable,
)


class SourceError(Exception):
    """The source could not be read as a whole; the message says why and what to do."""


class Source:
    """The Python source under ``root``: facts with names resolved and texts redacted."""

    def __init__(self, facts: Facts) -> None:
        self.facts = _redacted(facts)

    @classmethod
    def read(cls, root: Path, *, for_graph: bool = False) -> Source:
        """Read the source in this process; :func:`open_source` does it beside a run's probes.

        ``for_graph``: with the tables that functions write.
        """
        from doctor.source.build import build_facts

        return cls(build_facts(root.absolute(), for_graph=for_graph))

    @property
    def root(self) -> Path:
        """The folder to which all paths are relative."""
        return Path(self.facts.root)

    @property
    def files(self) -> tuple[str, ...]:
        """All Python files of the target, in order."""
        return self.facts.files

    def decorated_functions(self) -> tuple[DecoratedFunction, ...]:
        """Return the functions with decorators, of every file that was searched, in the order of files and lines."""
        return self.facts.functions

    def tasks(self) -> tuple[DecoratedFunction, ...]:
        """Return the functions that are registered with a task queue."""
        return tuple(function for function in self.facts.functions if function.registrar is not None)

    def enqueues(self, task: str | None = None, *, indirect: bool = False) -> tuple[Enqueue, ...]:
        """Return the places that send tasks, or only those that send ``task`` (``module.qualname``).

        With ``indirect``, also the guarded calls of functions whose enqueue may raise.
        """
        return tuple(
            enqueue
            for enqueue in self.facts.enqueues
            if (task is None or enqueue.task == task) and (indirect or enqueue.via is None)
        )

    def routes(self) -> tuple[Route, ...]:
        """Return the HTTP routes of every file that was searched."""
        return self.facts.routes

    def non_tasks(self) -> tuple[NonTask, ...]:
        """Return the calls of a task's verb on functions that are no tasks."""
        return self.facts.non_tasks

    def handed_over(self) -> tuple[HandedOver, ...]:
        """Return the functions that are given to a library; read for the task graph only."""
        return self.facts.handed_over

    def table_writes(self) -> tuple[TableWrite, ...]:
        """Return the tables that functions write; read for the task graph only."""
        return self.facts.table_writes

    def reached_from(self, path: str, function: str) -> frozenset[str]:
        """Return from which functions (``module.qualname``) one is reached; known for what the task graph asks."""
        return self.facts.reached_from.get((path, function), frozenset())

    def named_tasks(self) -> frozenset[str]:
        """Return the names, without modules, under which tasks are sent or scheduled as a text."""
        return frozenset(self.collected(NAMED_TASKS))

    def collected(self, collector: Collector) -> tuple[Any, ...]:
        """Return what a collector found, in the order of files and lines."""
        return self.facts.collected.get(collector.name, ())

    def unparsable(self) -> tuple[Unparsable, ...]:
        """Return the files that could not be read as Python."""
        return self.facts.unparsable


_PACKAGE_FOLDER = str(Path(__file__).absolute().parents[2])
_START = "import sys; sys.path.append(sys.argv.pop(1)); from doctor.source.worker import main; sys.exit(main())"


def _command(root: Path) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", _START, _PACKAGE_FOLDER, str(root.absolute()))


async def open_source(root: Path, timeout: float) -> Source:
    """Read the source under ``root`` in another process; parsing here would delay the probes a hundredfold.

    The process runs isolated (``-I -S``): nothing of the target, and no module beside it, can be imported by accident.

    Raises:
        SourceError: when it takes longer than ``timeout`` seconds, or the process dies.
    """
    process = await asyncio.create_subprocess_exec(
        *_command(root),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(timeout):
            output, errors = await process.communicate()
    except TimeoutError as error:
        raise SourceError(
            f"reading the source took longer than {timeout:g} s; narrow it with `source` under [target] in doctor.toml"
        ) from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        lines = redact(errors.decode("utf-8", "replace")).strip().splitlines()
        raise SourceError(
            f"the reader of the source died ({process.returncode}): {lines[-1] if lines else 'no message'}"
        )
    # The bytes come from our own process, which never runs code of the target.
    return Source(pickle.loads(output))  # noqa: S301


def _redacted(facts: Facts) -> Facts:
    functions = tuple(
        replace(function, decorators=tuple(replace(use, text=redact(use.text)) for use in function.decorators))
        for function in facts.functions
    )
    enqueues = tuple(
        replace(enqueue, text=redact(enqueue.text), handler=_redacted_handler(enqueue.handler))
        for enqueue in facts.enqueues
    )
    unparsable = tuple(
        replace(
            found,
            message=redact(found.message),
            imported_by=tuple(replace(site, text=redact(site.text)) for site in found.imported_by),
        )
        for found in facts.unparsable
    )
    handed_over = tuple(replace(one, text=redact(one.text), label=redact(one.label)) for one in facts.handed_over)
    return replace(facts, functions=functions, enqueues=enqueues, handed_over=handed_over, unparsable=unparsable)


def _redacted_handler(handler: Handler | None) -> Handler | None:
    if handler is None or handler.log is None:
        return handler
    return replace(handler, log=replace(handler.log, text=redact(handler.log.text)))

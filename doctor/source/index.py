"""The source as a resource: opened once per run, in a process of its own, and queried by checks."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import IO, Any

from doctor.file_names import located
from doctor.redaction import redact
from doctor.source import ahead, process
from doctor.source.cache import loads
from doctor.source.collector import Collector
from doctor.source.collectors.named_tasks import COLLECTOR as NAMED_TASKS
from doctor.source.facts import (
    DecoratedFunction,
    Enqueue,
    Facts,
    HandedOver,
    NonTask,
    Route,
    TableWrite,
    Unparsable,
    UnregisteredName,
)

KEEPING_TIMEOUT = 2.0
"""Seconds that a reader has for writing its cache after everything else is done."""


class SourceError(Exception):
    """The source could not be read as a whole; the message says why and what to do."""


class Source:
    """The Python source under ``root``: facts with names resolved and texts redacted."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    @classmethod
    def read(cls, root: Path, *, for_graph: bool = False) -> Source:
        """Read the source in this process; :func:`open_source` does it beside a run's probes.

        ``for_graph``: with the tables that functions write.
        """
        from doctor.source.build import build_facts

        return cls(build_facts(root.absolute(), for_graph=for_graph))

    @property
    def root(self) -> Path:
        """The folder to which all paths are relative; :meth:`locate` finds them."""
        return Path(self.facts.root)

    def locate(self, path: str) -> Path:
        """Return where a file lies: paths are written so that they can be shown (:mod:`doctor.file_names`)."""
        return located(self.root, path)

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

    def examples(self) -> tuple[DecoratedFunction, ...]:
        """Return the task functions that the examples of docstrings show."""
        return self.facts.examples

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
        return frozenset(one.name.replace(":", ".").rpartition(".")[2] for one in self.collected(NAMED_TASKS))

    def unregistered(self) -> tuple[UnregisteredName, ...]:
        """Return the names under which tasks are sent or scheduled, and that no task is registered under."""
        return self.facts.unregistered

    def spoken_of(self) -> frozenset[str]:
        """Return the identities of what may be sent or called in a way that cannot be seen: of tasks that no verb
        sends, of tasks that make vectors, and of functions that lead to these."""
        return self.facts.spoken_of

    def attached(self) -> frozenset[str]:
        """Return the names of the functions that the source itself gives methods of tasks: ``clean.delay = …``."""
        return self.facts.attached

    def collected(self, collector: Collector) -> tuple[Any, ...]:
        """Return what a collector found, in the order of files and lines."""
        return self.facts.collected.get(collector.name, ())

    def unparsable(self) -> tuple[Unparsable, ...]:
        """Return the files that could not be read as Python."""
        return self.facts.unparsable


class SourceReader:
    """Reads the source under ``root`` in another process; parsing here would delay the probes a hundredfold.

    The process starts at once, unless :mod:`doctor.source.ahead` has started it already. It keeps facts for the next
    run in ``cache`` (None: nowhere).
    """

    def __init__(self, root: Path, cache: Path | None = None) -> None:
        words = process.command(root, cache)
        self._process = ahead.taken(words) or process.started(words)
        self._errors: asyncio.StreamReader | None = None
        self._transports: list[asyncio.ReadTransport] = []

    async def source(self, timeout: float) -> Source:
        """Wait for the facts; to be called once.

        Raises:
            SourceError: when it takes longer than ``timeout`` seconds, or the process dies.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._source()
        except TimeoutError as error:
            raise SourceError(
                f"reading the source took longer than {timeout:g} s; narrow it with `source` under [target] in "
                "doctor.toml"
            ) from error

    async def _source(self) -> Source:
        output = await self._stream(self._process.stdout)
        self._errors = await self._stream(self._process.stderr)
        payload = await output.read()
        facts = None
        with contextlib.suppress(Exception):  # what is no whole pickle was cut short; why, the process has said
            facts = loads(payload)
        if isinstance(facts, Facts):
            return Source(facts)
        lines = redact((await self._errors.read()).decode("utf-8", "replace")).strip().splitlines()
        raise SourceError(
            f"the reader of the source died ({self._process.wait()}): {lines[-1] if lines else 'no message'}"
        )

    async def _stream(self, pipe: IO[bytes] | None) -> asyncio.StreamReader:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
        self._transports.append(transport)
        return reader

    async def close(self) -> None:
        """Let it keep its facts, if it has come that far; else end it."""
        if self._errors is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KEEPING_TIMEOUT):
                    await self._errors.read()
        self.end()

    def end(self) -> None:
        """End it, whatever it does."""
        process.end(self._process)
        for transport in self._transports:
            transport.close()


async def open_source(root: Path, timeout: float, cache: Path | None = None) -> Source:
    """Read the source under ``root`` in another process, and end the process.

    Raises:
        SourceError: when it takes longer than ``timeout`` seconds, or the process dies.
    """
    reader = SourceReader(root, cache)
    try:
        source = await reader.source(timeout)
        await reader.close()
        return source
    finally:
        reader.end()

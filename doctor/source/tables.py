"""Resolves which tables a function writes: statements and mapped classes of other files, files with SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from doctor.file_names import located
from doctor.source.collector import CollectedFrom
from doctor.source.collectors.table_writes import COLLECTOR, SqlFile, TableDefinition, TableUse
from doctor.source.facts import TableWrite
from doctor.source.parse import MAX_BYTES
from doctor.source.resolve import Resolver
from doctor.source.sql_texts import tables_written


@dataclass(frozen=True, slots=True)
class Tables:
    """Looks up the tables of ``paths``; files with SQL are looked for under ``root``."""

    root: Path
    resolver: Resolver
    paths: Iterable[str]
    collected: CollectedFrom

    def writes(self) -> Iterator[TableWrite]:
        """Yield each table with the function that writes it, in the order of files and lines."""
        for path in self.paths:
            for fact in self.collected(path, COLLECTOR):
                if isinstance(fact, TableWrite):
                    yield fact
                elif isinstance(fact, TableUse):
                    for table in self._tables(fact.name, path, fact.function):
                        yield TableWrite(path, fact.line, fact.function, table)
                elif isinstance(fact, SqlFile):
                    for table in self._tables_of_file(path, fact.file):
                        yield TableWrite(path, fact.line, fact.function, table)

    def _tables(self, name: str, path: str, function: str) -> tuple[str, ...]:
        file, defined = self.resolver.definition(name, path, function) or ("", "")
        for fact in self.collected(file, COLLECTOR) if file else ():
            if isinstance(fact, TableDefinition) and fact.name == defined:
                return fact.tables
        return ()

    def _tables_of_file(self, path: str, file: str) -> tuple[str, ...]:
        """Read a file with SQL beside the module; nothing when it is not there, or not in the target."""
        root = self.root.resolve()
        try:
            found = located(root, path).parent.joinpath(file).resolve()
            if not found.is_relative_to(root) or not found.is_file() or found.stat().st_size > MAX_BYTES:
                return ()
            text = found.read_text(encoding="utf-8", errors="replace")
        except (OSError, ValueError):
            return ()
        return tuple(dict.fromkeys(tables_written(text)))

"""The target's environment: its variables, as the target would see them, and its running processes.

``.env`` files are read with python-dotenv and without touching this process's environment. A variable of the process
environment wins over one of a file, as it does in the applications that read ``.env`` files.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from doctor.file_names import visible
from doctor.model import Resource, Secret
from doctor.redaction import bounded, redact
from doctor.resources.processes import Process, processes_of, stale, variables_of

PROCESS_ENVIRONMENT = "environment"
"""The origin of a variable that the doctor's own process environment sets."""

FILE_NAMES = (".env",)
FILE_LIMIT = 1_000_000
"""Bytes of a ``.env`` file beyond which it is not one."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable. ``origin`` is ``environment`` or ``file:line``; the value is not shown by repr."""

    name: str
    value: str = field(repr=False)
    origin: str

    @property
    def secret(self) -> Secret:
        """The value in the form in which secrets travel."""
        return Secret(self.value)

    @property
    def resource(self) -> Resource:
        """The variable as the subject of a finding; where it stands is evidence."""
        return Resource("variable", self.name)


class Environment:
    """Variables and processes of the target at ``root``.

    ``files`` are the ``.env`` files, later ones winning; by default the one in ``root``, else the nearest one above
    it in the same repository. ``process_environment`` is this process's unless given.
    """

    def __init__(
        self,
        root: Path,
        *,
        files: Sequence[Path] | None = None,
        process_environment: Mapping[str, str] | None = None,
    ) -> None:
        self.root = root.resolve()
        self.files = tuple(_nearest(self.root) if files is None else files)
        self.problems: tuple[str, ...] = ()
        """What in the files sets no variable, as ``file:line: what``; a folder of the name is no such file."""
        self.unread: tuple[str, ...] = ()
        """Files that could not be read at all, as ``file: why``: what they set is not known."""
        self.assignments: tuple[Variable, ...] = ()
        """Every line of the files that sets a variable, in order, those that are overwritten too."""
        self._variables: dict[str, Variable] = {}
        for file in self.files:
            self._read(file)
        for name, value in (os.environ if process_environment is None else process_environment).items():
            self._variables[name] = Variable(name, value, PROCESS_ENVIRONMENT)

    def get(self, name: str) -> Variable | None:
        """Return a variable, or None when nothing sets it. An empty value is a value."""
        return self._variables.get(name)

    def secret(self, name: str) -> Secret | None:
        """Return the value of a variable as a secret, or None when nothing sets it."""
        found = self.get(name)
        return None if found is None else found.secret

    def from_files(self) -> tuple[Variable, ...]:
        """Return the variables that the target's files set and the process environment does not, by name."""
        found = (variable for variable in self._variables.values() if variable.origin != PROCESS_ENVIRONMENT)
        return tuple(sorted(found, key=lambda variable: variable.name))

    def processes(self) -> tuple[Process, ...]:
        """Return the target's running processes that this user may see, by pid; the doctor's own are not among them."""
        return processes_of(self.root)

    def variables_of(self, process: Process, names: Collection[str]) -> dict[str, str]:
        """Return the named variables of a running process; none where this user may not see them."""
        return variables_of(process.pid, names)

    def running_old_code(self, path: Path) -> tuple[Process, ...]:
        """Return the API and worker processes that started before ``path`` was last changed.

        ``path`` is absolute or relative to the root. A file that is not there makes nobody old.
        """
        try:
            changed = (self.root / path).stat().st_mtime
        except OSError:
            return ()
        return stale(self.processes(), changed)

    def _read(self, file: Path) -> None:
        shown = _shown(file, self.root)
        try:
            state = file.stat()
            if not stat.S_ISREG(state.st_mode):
                self.problems += (f"{shown}: is not a regular file and was not read",)
                return
            if state.st_size > FILE_LIMIT:
                self.unread += (f"{shown}: is larger than {FILE_LIMIT:,} bytes and was not read",)
                return
            raw = file.read_bytes()
        except OSError as error:
            self.unread += (f"{shown}: cannot be read: {error.strerror}",)
            return
        text = raw.decode("utf-8-sig", "replace")
        lines: dict[str, int] = {}
        readable = []
        for binding in parse_stream(StringIO(text)):
            if binding.error:
                line = bounded(redact(binding.original.string.strip()), 60)
                self.problems += (f"{shown}:{binding.original.line}: is not NAME=value: {line}",)
                continue
            readable.append(binding.original.string)
            if binding.key is not None:
                # The value as it stands there; what it refers to is put in below, for the one that counts.
                leading = len(binding.original.string) - len(binding.original.string.lstrip())
                lines[binding.key] = binding.original.line + binding.original.string[:leading].count("\n")
                if binding.value is not None:
                    origin = f"{shown}:{lines[binding.key]}"
                    self.assignments += (Variable(binding.key, binding.value, origin),)
        # Only what parses is handed on: dotenv would log the rest, and there is no log that anybody reads.
        for name, value in dotenv_values(stream=StringIO("".join(readable))).items():
            if value is not None:
                self._variables[name] = Variable(name, value, f"{shown}:{lines[name]}")


def _nearest(root: Path) -> list[Path]:
    for folder in (root, *root.parents):
        if found := [folder / name for name in FILE_NAMES if os.path.lexists(folder / name)]:
            return found
        if (folder / ".git").exists():
            break
    return []


def _shown(file: Path, root: Path) -> str:
    try:
        return visible(str(file.resolve().relative_to(root)))
    except ValueError:
        return visible(str(file))

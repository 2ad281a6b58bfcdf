"""Names under which tasks are sent, and that no task of the target is registered under.

Silent wherever somebody may register the name after all: another package, a name that is made up when the program
runs, a file that holds the name as a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from doctor.source.collectors.named_tasks import NamedTask
from doctor.source.facts import DecoratedFunction, UnregisteredName
from doctor.source.libraries import CELERY, TASKIQ
from doctor.source.module_facts import ModuleFacts
from doctor.source.resolve import Resolver, Symbol, SymbolKind

_NAMED_BY = {CELERY.name, TASKIQ.name}
"""Queues that name a task by its module, unless it is given a name."""

_GIVEN = re.compile(r"""\b(?:task_)?name\s*=\s*(?:["']([^"'{]+)["'])?""")
_AT_RUN_TIME = frozenset({"gen_task_name", "register_func", "register_task", "shared_task()", "task()"})
"""Functions and last parts of calls that register or name tasks in a way that is not read here."""


@dataclass(slots=True)
class Unregistered:
    """The names that nobody registers among ``functions``. ``is_a_value`` tells whether a function is used as one."""

    resolver: Resolver
    modules: Mapping[str, ModuleFacts]
    functions: Iterable[DecoratedFunction]
    is_a_value: Callable[[str, str], bool]
    known: dict[str, DecoratedFunction] = field(default_factory=dict)
    """Each registered name, with dots, and its task."""

    def among(self, sites: Iterable[NamedTask]) -> list[UnregisteredName]:
        """Return the sites whose name nobody registers, as far as the task files tell."""
        certain = [one for one in sites if one.certain and "." in one.name.replace(":", ".")]
        if not certain or not self._read_names() or self._is_named_at_run_time():
            return []
        return [found for one in certain for found in self._looked_up(one)]

    def _read_names(self) -> bool:
        """Read all registered names; tell whether they could be read."""
        for task in self.functions:
            if task.library not in _NAMED_BY or task.registrar is None:
                continue
            text = task.decorators[task.registrar].text
            given = [match.group(1) for match in _GIVEN.finditer(text)]
            if text.endswith("…") or None in given:
                return False
            for name in (f"{task.module}.{task.name}", *(str(one).replace(":", ".") for one in given)):
                self.known[name] = task
        return True

    def _is_named_at_run_time(self) -> bool:
        return any(
            name.rpartition(".")[2] in _AT_RUN_TIME
            for module in self.modules.values()
            for function in (*module.functions.values(), *module.bodies)
            for name in (function.qualname, *function.calls)
        )

    def _looked_up(self, site: NamedTask) -> Iterator[UnregisteredName]:
        name = site.name.replace(":", ".")
        module, _, last = name.rpartition(".")
        if not self._is_own(name.partition(".")[0], site.path) or self._is_registered(name):
            return
        file = self.resolver.names.find(module, site.path)
        same = [task for one, task in self.known.items() if one.rpartition(".")[2] == last]
        defined = "" if file is None else self._defined(last, file)
        # Nothing of the name is there: then a task must show that the name would be that of a function.
        if defined or (defined == "" and (same if file is None else self._has_tasks(module))):
            yield UnregisteredName(
                path=site.path,
                line=site.line,
                module=self.resolver.names.name_of(site.path),
                function=site.function,
                name=site.name,
                text=site.text,
                defined=defined or "",
                same=same[0].id if len(same) == 1 else "",
            )

    def _is_own(self, package: str, path: str) -> bool:
        """Whether the names of the target's tasks begin with a package of it."""
        is_here = self.resolver.names.find(package, path) is not None
        return is_here and any(one.startswith(f"{package}.") for one in self.known)

    def _has_tasks(self, module: str) -> bool:
        return any(one.rpartition(".")[0] == module for one in self.known)

    def _is_registered(self, name: str) -> bool:
        """A worker may import the modules from another folder, so that their names begin elsewhere."""
        return any(f".{one}".endswith(f".{name}") or f".{name}".endswith(f".{one}") for one in self.known)

    def _defined(self, name: str, path: str) -> str | None:
        """Return where a plain function is defined that a module has under a name; empty: it has nothing of the name.

        None when something else may be registered under it.
        """
        module = self.resolver.load(path)
        if module is None or module.stars or "__getattr__" in module.functions:
            return None
        if name not in module.bindings:
            return ""
        symbols = tuple(self.resolver.resolve_all(name, path))
        function = self.resolver.function(symbols[0]) if len(symbols) == 1 else None
        return None if function is None or not self._is_plain(symbols[0]) else f"{symbols[0].path}:{function.line}"

    def _is_plain(self, symbol: Symbol) -> bool:
        """Whether a function is a task under another name, or has no decorator that may register it."""
        function = self.resolver.function(symbol)
        is_task = any((task.path, task.qualname) == (symbol.path, symbol.name) for task in self.known.values())
        undecorated = function is not None and not function.decorators
        return symbol.kind is SymbolKind.FUNCTION and (
            is_task or (undecorated and not self.is_a_value(symbol.path, symbol.name))
        )

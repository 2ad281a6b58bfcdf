"""Who waits for whom, backwards: from a function to the code that goes on only when the function is done.

Unlike :class:`~doctor.source.callers.Callers`, what is handed to a thread, started as a task or put into a lambda does
not count; what runs when a module is imported, or as a program, does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from doctor.source.callers import Callers, FunctionKey
from doctor.source.facts import MAIN_BLOCK, MODULE_LEVEL
from doctor.source.module_facts import FunctionFacts, ModuleFacts, RawImport
from doctor.source.resolve import Resolver


class Waiting(Callers):
    """The calls among ``modules`` that their callers wait for."""

    def __init__(
        self, resolver: Resolver, modules: Mapping[str, ModuleFacts], queued: Collection[FunctionKey] = ()
    ) -> None:
        super().__init__(resolver, modules, queued)
        self._importers: dict[str, set[FunctionKey]] | None = None

    def _functions(self, module: ModuleFacts) -> Iterable[FunctionFacts]:
        return (*module.functions.values(), *module.bodies)

    def _calls(self, function: FunctionFacts) -> Iterable[str]:
        at_once = (name for name in function.calls if name not in function.deferred)
        return dict.fromkeys((*at_once, *function.awaited, *function.made))

    def _found(self, function: FunctionKey) -> set[FunctionKey]:
        path, qualname = function
        if qualname == MODULE_LEVEL:
            return self._importing(path)
        if qualname == MAIN_BLOCK:
            return set()
        owner, _, name = qualname.rpartition(".")
        sites = self._sites_of(function, owner.rpartition(".")[2] if name == "__init__" else name)
        facts = self._modules[path].functions.get(qualname) if path in self._modules else None
        if facts is None or not facts.is_async:
            return sites
        return {site for site in sites if any(call.rpartition(".")[2] == name for call in self._awaited(site))}

    def _awaited(self, site: FunctionKey) -> tuple[str, ...]:
        path, qualname = site
        return next((one.awaited for one in self._functions(self._modules[path]) if one.qualname == qualname), ())

    def _importing(self, path: str) -> set[FunctionKey]:
        """Return the code that imports a module, or something in the package whose ``__init__.py`` it is."""
        if self._importers is None:
            self._importers = {}
            for importer, module in self._modules.items():
                for statement in module.imports:
                    for imported in self._imported(statement, importer) if statement.function else ():
                        if imported != importer:
                            self._importers.setdefault(imported, set()).add((importer, statement.function))
        return self._importers.get(path, set())

    def _imported(self, statement: RawImport, path: str) -> Iterator[str]:
        parts = statement.module.split(".") if statement.module else []
        prefixes = [".".join(parts[: length + 1]) for length in range(len(parts))]
        names = [f"{statement.module}.{name}".lstrip(".") for name in statement.names]
        find = self._resolver.names
        for name in (*prefixes, *names):
            level = statement.level
            found = find.find_relative(name, level, path) if level else find.find(name, path)
            if found is not None:
                yield found

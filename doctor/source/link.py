"""From what each file says to facts about the whole: who enqueues what, and what becomes of a failure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from doctor.source.callers import Callers
from doctor.source.collector import CollectedFrom
from doctor.source.collectors.attached_verbs import COLLECTOR as ATTACHED
from doctor.source.collectors.docstring_examples import COLLECTOR as EXAMPLES
from doctor.source.collectors.named_tasks import NamedTask
from doctor.source.collectors.task_values import COLLECTOR as VALUES
from doctor.source.decorators import Decorators
from doctor.source.facts import (
    MODULE_LEVEL,
    DecoratedFunction,
    Enqueue,
    HandedOver,
    NonTask,
    Outcome,
    Route,
    UnregisteredName,
)
from doctor.source.followed import Followed
from doctor.source.handed_over import HandOvers
from doctor.source.libraries import HUEY, LIBRARIES, UNMISTAKABLE
from doctor.source.module_facts import BindingKind, GuardedCall, ModuleFacts
from doctor.source.non_tasks import NonTasks
from doctor.source.outcomes import Outcomes
from doctor.source.resolve import Resolver, SymbolKind
from doctor.source.routes import route_of
from doctor.source.unregistered import Unregistered
from doctor.source.unseen import Unseen
from doctor.source.unsent import Unsent

_Key = tuple[str, str]
"""A function: path and qualified name."""

_REGISTRARS = frozenset({"task", "shared_task", "actor"})


class Linker:
    """Links the facts of ``modules`` (path → facts, in the order of the paths)."""

    def __init__(self, resolver: Resolver, modules: Mapping[str, ModuleFacts], collected: CollectedFrom) -> None:
        self.resolver = resolver
        self.collected = collected
        self.modules = modules
        self.decorators = Decorators(resolver)
        self.outcomes = Outcomes(resolver)
        self.functions = tuple(
            self.decorators.read(function, module.path) for module in modules.values() for function in module.decorated
        )
        self.decorated = {(function.path, function.qualname): function for function in self.functions}
        self.sent_by_a_call = {key for key, one in self.decorated.items() if one.library == HUEY.name}
        self.callers = Callers(resolver, modules, self.sent_by_a_call)
        self.followed = Followed(resolver, modules, self.sent_by_a_call, collected)
        self.direct = [found for module in modules.values() for found in self._enqueues(module)]
        self.plain = [found for module in modules.values() for found in self._plain_calls(module)]
        self.unsent = Unsent.of(self.functions, {one.task for one in self.direct})

    def reached_from(self, functions: Iterable[_Key]) -> dict[_Key, frozenset[str]]:
        """Return for each function the identities of those that lead to it by calls, itself among them.

        Also, for the functions of followed facts and all that wait for these, the identities of those that wait.
        """
        found = {key: frozenset(map(self._identity, waiting)) for key, waiting in self.followed.waiting().items()}
        return found | {key: self._leading_to(key) for key in functions}

    def _leading_to(self, function: _Key) -> frozenset[str]:
        return frozenset(map(self._identity, self.callers.of(function)))

    def names_elsewhere(self, others: Iterable[_Key] = ()) -> frozenset[_Key]:
        """Return path and name of what makes other files matter: functions that lead to an enqueue or to one of the
        ``others``, classes whose methods lead to vectors, registrars of one's own, tasks that nothing sends so far."""
        sites = set(others) | {
            (one.path, one.function)
            for one in (*self.direct, *self.plain)
            if one.direct and one.function != MODULE_LEVEL
        }
        enqueuing = {key for site in sites for key in self.callers.of(site) if "." not in key[1]}
        classes = {(path, name.partition(".")[0]) for path, name in self._leading_to_vectors() if "." in name}
        registrars = {(path, name) for path, module in self.modules.items() for name in _registrars(module)}
        sent_by_a_call = {key for key in self.sent_by_a_call if "." not in key[1]}
        elsewhere = self.followed.names_elsewhere() | self.unsent.names_elsewhere()
        elsewhere |= self._non_tasks.names_elsewhere()
        return frozenset(enqueuing | classes | registrars | sent_by_a_call | elsewhere)

    def enqueues(self) -> tuple[Enqueue, ...]:
        """Return the enqueues, then the guarded calls of functions whose enqueue may raise, each with its routes."""
        routes = self._routes()
        found = [*self.direct, *self.plain, *self._indirect()]
        return tuple(
            replace(e, routes=tuple(routes.get((e.path, e.function), ())), reached_from=self._reached_from(e))
            for e in found
        )

    def _reached_from(self, enqueue: Enqueue) -> frozenset[str]:
        if enqueue.function == MODULE_LEVEL:
            return frozenset()
        return self._leading_to((enqueue.path, enqueue.function))

    def routes(self) -> tuple[Route, ...]:
        """Return every HTTP route of the files that were searched."""
        return tuple(
            Route(*answer, self._identity((module.path, function.qualname)), module.path, function.line)
            for module in self.modules.values()
            for function in module.decorated
            for raw in function.decorators
            if (answer := route_of(raw)) is not None
        )

    def examples(self) -> tuple[DecoratedFunction, ...]:
        """Return the tasks that the examples of docstrings show, their names looked up in the module around them."""
        found = (self.decorators.read(fact, path) for path in self.modules for fact in self.collected(path, EXAMPLES))
        return tuple(one for one in found if one.registrar is not None)

    def handed_over(self) -> tuple[HandedOver, ...]:
        """Return the functions that are given to a library instead of being decorated."""
        tasks = [key for key, function in self.decorated.items() if function.registrar is not None]
        found = HandOvers(self.resolver, self.modules, tasks, self._leading_to, self.collected)
        return tuple(found.all())

    def spoken_of(self) -> frozenset[str]:
        """Return the identities of what may be sent or called in a way that cannot be seen: tasks that nothing sends,
        if they are used as a value or named in full, tasks that make vectors, and functions that lead to these."""
        leading = self._leading_to_vectors()
        if not self.unsent.tasks and not leading:
            return frozenset()
        called = {self._identity(key) for key in leading if self._unseen.may_call(key)}
        return self.unsent.spoken_of(self._unseen.users.keys()) | called

    @cached_property
    def _unseen(self) -> Unseen:
        by_file = {path: frozenset(self.collected(path, VALUES)) for path in self.modules}
        return Unseen(self.resolver, self.modules, self.callers, by_file)

    def _leading_to_vectors(self) -> set[_Key]:
        """Return the tasks that make vectors, and the functions that lead to an enqueue of one."""
        makers = {key: task.id for key, task in self.decorated.items() if task.makes_vectors}
        sites = {(one.path, one.function) for one in self.direct if one.task in makers.values()}
        return makers.keys() | {key for site in sites for key in self.callers.of(site)}

    def unregistered(self, sites: Iterable[NamedTask]) -> list[UnregisteredName]:
        """Return the sites that send a task by a name that no task of the files with tasks is registered under."""
        return Unregistered(self.resolver, self.modules, self.functions, self._unseen.is_a_value).among(sites)

    def non_tasks(self) -> tuple[NonTask, ...]:
        """Return the calls of a task's verb on a function of the target that is no task."""
        return self._non_tasks.without(self.attached(), self._unseen.is_a_value) if self._non_tasks.calls else ()

    def attached(self) -> frozenset[str]:
        """Return the names of functions that the source itself gives methods of tasks, ``=name`` of replaced ones."""
        return frozenset(name for path in self.modules for name in self.collected(path, ATTACHED))

    @cached_property
    def _non_tasks(self) -> NonTasks:
        return NonTasks(self.resolver, self.modules, self._is_task)

    def _is_task(self, key: _Key) -> bool:
        """Tell whether a function is a task in one of the branches that define it."""
        function = self.decorated.get(key)
        return function is not None and function.registrar is not None

    def _enqueues(self, module: ModuleFacts) -> Iterator[Enqueue]:
        for call in module.enqueues:
            key = self._function(call.target, module.path, call.function)
            if not self._is_enqueue(call.verb, key):
                continue
            yield Enqueue(
                path=module.path,
                line=call.line,
                module=self.resolver.names.name_of(module.path),
                function=call.function,
                verb=call.verb,
                target=call.target,
                task=None if key is None else self._identity(key),
                text=call.text,
                handler=self.outcomes.handler(call, module.path),
                direct=any(call.verb in library.verbs for library in LIBRARIES.values()),
            )

    def _plain_calls(self, module: ModuleFacts) -> Iterator[Enqueue]:
        """Yield the calls of Huey's tasks: whoever calls one sends it."""
        names = {name.rpartition(".")[2] for _, name in self.sent_by_a_call}
        calls = [(MODULE_LEVEL, module.calls), *((name, one.calls) for name, one in module.functions.items())]
        for scope, lines in calls if names else ():
            for name, line in lines.items():
                target = name.removesuffix(".schedule")
                key = self._function(target, module.path, scope) if target.rpartition(".")[2] in names else None
                if key is not None and key in self.sent_by_a_call:
                    yield Enqueue(
                        path=module.path,
                        line=line,
                        module=self.resolver.names.name_of(module.path),
                        function=scope,
                        verb="schedule" if name != target else "",
                        target=target,
                        task=self._identity(key),
                        text=f"{name}(…)",
                    )

    def _is_enqueue(self, verb: str, key: _Key | None) -> bool:
        """Tell whether the verb is a task's: other libraries have methods of these names too."""
        if verb in UNMISTAKABLE:
            return True
        function: DecoratedFunction | None = None if key is None else self.decorated.get(key)
        if function is None:
            return False
        if function.library is None:
            return verb in ("delay", "apply_async")  # a registrar of the target's own that could not be read
        library = LIBRARIES[function.library]
        return verb in library.verbs | library.builders

    def _function(self, target: str, path: str, scope: str) -> _Key | None:
        symbols = self.resolver.resolve_all(target, path, scope)
        return next(((one.path, one.name) for one in symbols if one.kind is SymbolKind.FUNCTION), None)

    def _identity(self, key: _Key) -> str:
        return f"{self.resolver.names.name_of(key[0])}.{key[1]}"

    def _indirect(self) -> Iterator[Enqueue]:
        escaping: dict[_Key, list[Enqueue]] = defaultdict(list)
        for enqueue in self.direct:
            if enqueue.direct and (enqueue.handler is None or enqueue.handler.outcome is Outcome.RAISES):
                escaping[enqueue.path, enqueue.function].append(enqueue)
        for module in self.modules.values():
            for call in module.guarded_calls:
                yield from self._through(call, module.path, escaping)

    def _through(self, call: GuardedCall, path: str, escaping: Mapping[_Key, Sequence[Enqueue]]) -> Iterator[Enqueue]:
        if call.in_loop or call.target.rpartition(".")[2] not in {name.rpartition(".")[2] for _, name in escaping}:
            return  # a loop that goes on will try again
        key = self._function(call.target, path, call.function)
        if key is None or key == (path, call.function):
            return
        by_target = {enqueue.target: enqueue for enqueue in escaping.get(key, ())}
        for enqueue in by_target.values():
            yield replace(
                enqueue,
                path=path,
                line=call.line,
                module=self.resolver.names.name_of(path),
                function=call.function,
                text=call.text,
                handler=self.outcomes.handler(call, path),
                via=self._identity(key),
            )

    def _routes(self) -> Mapping[_Key, list[Route]]:
        """Return the routes by the functions that they are or that they call."""
        found: dict[_Key, list[Route]] = defaultdict(list)
        enqueuing = {enqueue.function.rpartition(".")[2] for enqueue in self.direct}
        for module in self.modules.values():
            for function in module.decorated:
                answers = [answer for raw in function.decorators if (answer := route_of(raw)) is not None]
                calls = [name for name in function.calls if answers and name.rpartition(".")[2] in enqueuing]
                called = self._called(calls, module.path, function.qualname)
                for method, url in answers:
                    identity = self._identity((module.path, function.qualname))
                    route = Route(method, url, identity, module.path, function.line)
                    for key in ((module.path, function.qualname), *called):
                        found[key].append(route)
        return found

    def _called(self, names: Sequence[str], path: str, scope: str) -> list[_Key]:
        keys = (self._function(name, path, scope) for name in names)
        return [key for key in dict.fromkeys(keys) if key is not None]


def _registrars(module: ModuleFacts) -> Iterator[str]:
    """Yield the names under which a module may hand on a registrar: ``task = broker.task``, ``def background(): …``."""
    for name, bindings in module.bindings.items():
        for binding in bindings:
            if binding.kind is BindingKind.ALIAS and binding.attribute.rpartition(".")[2] in _REGISTRARS:
                yield name
    for name, function in module.functions.items():
        terms = () if function.definition is None else function.definition.applied + function.definition.called
        if "." not in name and any(term.name.rpartition(".")[2] in _REGISTRARS for term in terms):
            yield name

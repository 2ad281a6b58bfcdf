"""What a decorator gives back, in all the ways in which people write decorators."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from doctor.source.facts import DecoratedFunction, Wrapping
from doctor.source.index import Source

ATTACHES = """
        def deco(function):
            def wrapper(*args):
                return function(*args)
            {attach}
            return wrapper
"""

OPAQUE = {
    "plain": """
        def deco(function):
            def wrapper(*args):
                return function(*args)
            return wrapper
    """,
    "async wrapper with wraps": """
        import functools
        def deco(function):
            @functools.wraps(function)
            async def wrapper(*args):
                return await function(*args)
            return wrapper
    """,
    "wraps of a module that has another name here": """
        import functools as ft
        def deco(function):
            @ft.wraps(function)
            def wrapper(*args):
                return function(*args)
            return wrapper
    """,
    "cast": """
        from typing import cast
        def deco(function):
            def wrapper(*args):
                return function(*args)
            return cast("F", wrapper)
    """,
    "update_wrapper": """
        from functools import update_wrapper
        def deco(function):
            def wrapper(*args):
                return function(*args)
            return update_wrapper(wrapper, function)
    """,
    "wraps called": """
        from functools import wraps
        def deco(function):
            return wraps(function)(lambda *args: function(*args))
    """,
    "partial": """
        import functools
        def deco(function):
            return functools.partial(function, 1)
    """,
    "one wrapper for coroutines, one for functions": """
        import inspect
        def deco(function):
            def plain(*args):
                return function(*args)
            async def waiting(*args):
                return await function(*args)
            if inspect.iscoroutinefunction(function):
                return waiting
            return plain
    """,
    "used both ways": """
        def deco(function=None, *, attempts=3):
            def decorate(inner):
                def wrapper(*args):
                    return inner(*args)
                return wrapper
            if function is None:
                return decorate
            return decorate(function)
    """,
    "used both ways with partial": """
        from functools import partial
        def deco(function=None, attempts=3):
            if function is None:
                return partial(deco, attempts=attempts)
            def wrapper(*args):
                return function(*args)
            return wrapper
    """,
    "switched off by a setting": """
        from .settings import ENABLED
        def deco(function):
            if not ENABLED:
                return function
            def wrapper(*args):
                return function(*args)
            return wrapper
    """,
    "handed on to a library": """
        import tenacity
        def deco(function):
            return tenacity.retry(stop=3)(function)
    """,
    "handed on to another decorator": """
        from .other import inner
        def deco(function):
            return inner(function)
    """,
    "a name for a library's decorator": """
        from tenacity import retry
        deco = retry(stop=3)
    """,
    "a class with __call__": """
        class deco:
            def __init__(self, function):
                self.function = function
            def __call__(self, *args):
                return self.function(*args)
    """,
    "attaches something else": ATTACHES.format(attach="wrapper.calls, wrapper.name = 0, function.__name__"),
    "copies the namespace": ATTACHES.format(attach="wrapper.__dict__.update(function.__dict__)"),
    "imported under another name": "from .other import inner as deco",
    "re-exported by a package": "from .package import deco",
    "imported with a star": "from .package.definitions import *",
    "chosen by a condition": """
        try:
            from .other import inner as deco
        except ImportError:
            from .package import deco
    """,
}

TRANSPARENT = {
    "attaches two methods at once": ATTACHES.format(
        attach="wrapper.kiq, wrapper.kicker = function.kiq, function.kicker"
    ),
    "attaches what a call returns": ATTACHES.format(attach="wrapper.kiq, wrapper.kicker = methods(function)"),
    "attaches to a list of targets": ATTACHES.format(attach="[wrapper.kiq, wrapper.x] = [function.kiq, 1]"),
    "puts the method into the namespace": ATTACHES.format(attach='wrapper.__dict__["kiq"] = function.kiq'),
    "updates the namespace": ATTACHES.format(attach="wrapper.__dict__.update(kiq=function.kiq)"),
    "updates what vars returns": ATTACHES.format(attach='vars(wrapper).update({"kiq": function.kiq})'),
    "returns it": """
        REGISTRY = []
        def deco(function):
            REGISTRY.append(function)
            return function
    """,
    "attaches the method": """
        def deco(function):
            def wrapper(*args):
                return function(*args)
            wrapper.kiq = function.kiq
            return wrapper
    """,
    "attaches methods in a loop": """
        def deco(function):
            def wrapper(*args):
                return function(*args)
            for name in ("kiq", "kicker"):
                setattr(wrapper, name, getattr(function, name))
            return wrapper
    """,
    "wrapt": """
        import wrapt
        @wrapt.decorator
        def deco(wrapped, instance, args, kwargs):
            return wrapped(*args, **kwargs)
    """,
    "wrapt proxy": """
        import wrapt
        def deco(function):
            return wrapt.FunctionWrapper(function, print)
    """,
    "replaces the function inside the task": """
        def deco(task):
            original = task.original_func
            def wrapper(*args):
                return original(*args)
            task.original_func = wrapper
            return task
    """,
}

UNKNOWN = {
    "a function of its own may attach the method": ATTACHES.format(attach="copy_methods(function, wrapper)"),
    "looks at what it is given": """
        def deco(function):
            if hasattr(function, "kiq"):
                return function
            def wrapper(*args):
                return function(*args)
            return wrapper
    """,
    "wraps only what is no task": """
        def deco(function):
            def wrapper(*args):
                return function(*args)
            if not isinstance(function, Task):
                return wrapper
            return function
    """,
    "answers for the task": """
        class deco:
            def __init__(self, function):
                self.function = function
            def __call__(self, *args):
                return self.function(*args)
            def __getattr__(self, name):
                return getattr(self.function, name)
    """,
    "of an unknown library": "from somewhere import deco",
    "a parameter": "",
    "registers the wrapper itself": """
        from .broker import broker
        def deco(function):
            @broker.task
            def wrapper(*args):
                return function(*args)
            return wrapper
    """,
    "made by a decorator of decorators": """
        from somewhere import decorator_with_options
        @decorator_with_options
        def deco(function):
            def wrapper(*args):
                return function(*args)
            return wrapper
    """,
    "returns nothing": """
        def deco(function):
            print(function)
    """,
    "a name assigned from itself": """
        def deco(function):
            wrapped = function
            wrapped = wrapped or (lambda: wrapped)
            wrapped = wrapped(wrapped)
            return wrapped
    """,
    "two names assigned from each other": """
        def deco(function):
            one = two
            two = one
            return one
    """,
    "defined in terms of itself": """
        def deco(function):
            return deco(function)
    """,
}

CALLED_OPAQUE = {
    "factory": """
        def deco(attempts):
            def decorate(function):
                def wrapper(*args):
                    return function(*args)
                return wrapper
            return decorate
    """,
    "factory that returns a lambda": """
        def deco(attempts):
            return lambda function: lambda *args: function(*args)
    """,
    "factory of a library's decorator": """
        from tenacity import retry
        def deco(attempts):
            return retry(stop=attempts)
    """,
    "factory used both ways": OPAQUE["used both ways"],
    "factory with partial": OPAQUE["used both ways with partial"],
    "class whose instances decorate": """
        class deco:
            def __init__(self, attempts):
                self.attempts = attempts
            def __call__(self, function):
                def wrapper(*args):
                    return function(*args)
                return wrapper
    """,
    "context manager": """
        from contextlib import contextmanager
        @contextmanager
        def deco(attempts):
            yield
    """,
}

CALLED_TRANSPARENT = {
    "factory that marks": """
        def deco(attempts):
            def decorate(function):
                function.attempts = attempts
                return function
            return decorate
    """,
    "factory with wrapt": """
        import wrapt
        def deco(attempts):
            @wrapt.decorator
            def wrapper(wrapped, instance, args, kwargs):
                return wrapped(*args, **kwargs)
            return wrapper
    """,
}

OTHERS = {
    "app/__init__.py": "",
    "app/settings.py": "ENABLED = True",
    "app/broker.py": "from taskiq import InMemoryBroker\nbroker = InMemoryBroker()",
    "app/other.py": """
        def inner(function):
            def wrapper(*args):
                return function(*args)
            return wrapper
    """,
    "app/package/__init__.py": "from .definitions import deco",
    "app/package/definitions.py": "from ..other import inner\ndeco = inner",
}


def task_with(project: Callable[..., Source], definition: str, use: str) -> DecoratedFunction:
    tasks = f"from .decorators import deco\nfrom .broker import broker\n\n@{use}\n@broker.task\ndef job(): ...\n"
    (task,) = (
        task
        for task in project({**OTHERS, "app/decorators.py": definition, "app/tasks.py": tasks}).tasks()
        if task.name == "job"
    )
    return task


@pytest.mark.parametrize("definition", OPAQUE.values(), ids=OPAQUE)
def test_a_decorator_that_returns_another_function_is_opaque(project, definition: str) -> None:
    assert task_with(project, definition, "deco").above_registrar[0].wrapping is Wrapping.OPAQUE


@pytest.mark.parametrize("definition", TRANSPARENT.values(), ids=TRANSPARENT)
def test_a_decorator_that_returns_its_argument_is_transparent(project, definition: str) -> None:
    assert task_with(project, definition, "deco").above_registrar[0].wrapping is Wrapping.TRANSPARENT


@pytest.mark.parametrize("definition", UNKNOWN.values(), ids=UNKNOWN)
def test_where_the_source_does_not_tell_nothing_is_claimed(project, definition: str) -> None:
    assert task_with(project, definition, "deco").above_registrar[0].wrapping is Wrapping.UNKNOWN


@pytest.mark.parametrize("definition", CALLED_OPAQUE.values(), ids=CALLED_OPAQUE)
def test_a_factory_of_opaque_decorators_is_opaque_when_called(project, definition: str) -> None:
    assert task_with(project, definition, "deco(attempts=3)").above_registrar[0].wrapping is Wrapping.OPAQUE


@pytest.mark.parametrize("definition", CALLED_TRANSPARENT.values(), ids=CALLED_TRANSPARENT)
def test_a_factory_of_transparent_decorators_is_transparent_when_called(project, definition: str) -> None:
    assert task_with(project, definition, "deco(attempts=3)").above_registrar[0].wrapping is Wrapping.TRANSPARENT


def test_a_wrapper_with_functools_wraps_keeps_the_name_and_one_without_does_not(project) -> None:
    assert task_with(project, OPAQUE["async wrapper with wraps"], "deco").above_registrar[0].keeps_name
    assert not task_with(project, OPAQUE["plain"], "deco").above_registrar[0].keeps_name


def test_the_place_of_the_definition_is_known(project) -> None:
    assert (
        task_with(project, OPAQUE["imported under another name"], "deco").decorators[0].definition == "app/other.py:2"
    )


RENAMING = {
    "plain": """
        def deco(function):
            def wrapper(*args):
                return function(*args)
            return wrapper
    """,
    "a factory": """
        def deco(label=""):
            def decorate(function):
                async def wrapper(*args):
                    return await function(label, *args)
                return wrapper
            return decorate
    """,
    "by way of another": """
        def inner(function):
            def wrapper(*args):
                return function(*args)
            return wrapper
        def deco(function):
            return inner(function)
    """,
}
NOT_CERTAIN = {
    "wraps under another name": """
        from functools import wraps as keeping
        def deco(function):
            @keeping(function)
            def wrapper(*args):
                return function(*args)
            return wrapper
    """,
    "wraps of another module": """
        import six
        def deco(function):
            @six.wraps(function)
            def wrapper(*args):
                return function(*args)
            return wrapper
    """,
    "the name is set": """
        def deco(function):
            def wrapper(*args):
                return function(*args)
            wrapper.__name__ = function.__name__
            return wrapper
    """,
    "the name is set by setattr": """
        def deco(function):
            def wrapper(*args):
                return function(*args)
            for each in ("__name__", "__module__"):
                setattr(wrapper, each, getattr(function, each))
            return wrapper
    """,
    "a function gets hold of the wrapper": """
        from elsewhere import copy_identity
        def deco(function):
            def wrapper(*args):
                return function(*args)
            copy_identity(function, wrapper)
            return wrapper
    """,
    "one of two wrappers keeps it": """
        import functools, inspect
        def deco(function):
            def plain(*args):
                return function(*args)
            @functools.wraps(function)
            async def waiting(*args):
                return await function(*args)
            return waiting if inspect.iscoroutinefunction(function) else plain
    """,
    "an object of a class": """
        class deco:
            def __init__(self, function):
                self.function = function
            def __call__(self, *args):
                return self.function(*args)
    """,
}


@pytest.mark.parametrize("text", RENAMING.values(), ids=RENAMING)
def test_a_wrapper_that_goes_by_its_own_name_is_told(project, text: str) -> None:
    called = "()" if "label" in text else ""
    source = project({"deco.py": text, "jobs.py": USE.replace("@deco", f"@deco{called}")})
    assert [use.wrapper for use in source.tasks()[0].below_registrar] == ["deco:wrapper"]


@pytest.mark.parametrize("text", [*NOT_CERTAIN.values()], ids=NOT_CERTAIN)
def test_a_wrapper_that_may_take_the_name_over_is_left_alone(project, text: str) -> None:
    source = project({"deco.py": text, "jobs.py": USE})
    assert [use.wrapper for use in source.tasks()[0].below_registrar] == [None]


USE = """
    from taskiq import InMemoryBroker
    from deco import deco
    broker = InMemoryBroker()
    @broker.task
    @deco
    async def job(): ...
"""

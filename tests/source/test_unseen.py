"""From where a function is reached, and which functions may be called in a way that the source does not show."""

from __future__ import annotations

import pytest

TASKS = """
    from taskiq import InMemoryBroker
    broker = InMemoryBroker()

    @broker.task
    async def embed_rows(ids): ...
"""
QUEUE = """
    from .tasks import embed_rows

    class Embedder:
        async def queue(self, ids):
            await embed_rows.kiq(ids)
"""
CALLS = {
    "a method of a new object": "async def save():\n    await Embedder().queue([1])",
    "a method of an object": "embedder = Embedder()\nasync def save():\n    await embedder.queue([1])",
    "an inherited method": "class S(Embedder):\n    async def save(self):\n        await self.queue([1])",
    "the method of the base": "class S(Embedder):\n    async def save(self):\n        await super().queue([1])",
    "an inherited method of a new object": "class S(Embedder): ...\nasync def save():\n    await S().queue([1])",
}


@pytest.mark.parametrize("text", CALLS.values(), ids=CALLS)
def test_a_method_is_reached_from_what_calls_it(project, text: str) -> None:
    source = project(
        {
            "app/__init__.py": "",
            "app/tasks.py": TASKS,
            "app/queue.py": QUEUE,
            "app/other.py": f"from .queue import Embedder\n{text}",
        }
    )
    (enqueue,) = source.enqueues()
    caller = "app.other.S.save" if "self" in text else "app.other.save"
    assert enqueue.reached_from == {"app.queue.Embedder.queue", caller}


FUNCTION = "async def after():\n    await embed_rows.kiq(1)\n"
METHOD = "    async def after(self):\n        await embed_rows.kiq(1)\n"
UNSEEN = {
    "a table": f"{FUNCTION}HOOKS = {{'after': after}}",
    "a table of what calls it": f"{FUNCTION}async def hook():\n    await after()\nHOOKS = [hook]",
    "a method as a value": f"class S:\n{METHOD}    def hooks(self):\n        return [self.after]",
    "a foreign base": f"from elsewhere import Model\nclass S(Model):\n{METHOD}",
    "a base that calls its own": "class B:\n    async def run(self):\n        await self.after()\n"
    f"    async def after(self): ...\nclass S(B):\n{METHOD}",
    "an object of any kind": f"class S:\n{METHOD}async def run(s):\n    await s.after()",
    "a class of which an object is made": f"class S:\n{METHOD}s = S()",
}
SEEN = {
    "a function that nothing names": FUNCTION,
    "a function that is called": f"{FUNCTION}async def run():\n    await after()",
    "a class that nothing names": f"class S:\n{METHOD}",
}


def spoken_of(project, text: str) -> frozenset[str]:
    files = {"app/__init__.py": "", "app/tasks.py": TASKS, "app/hooks.py": f"from .tasks import embed_rows\n{text}"}
    return frozenset(one for one in project(files).spoken_of() if one.startswith("app.hooks."))


@pytest.mark.parametrize("text", UNSEEN.values(), ids=UNSEEN)
def test_these_functions_may_be_called_in_a_way_that_cannot_be_seen(project, text: str) -> None:
    assert spoken_of(project, text)


@pytest.mark.parametrize("text", SEEN.values(), ids=SEEN)
def test_of_these_all_calls_are_known(project, text: str) -> None:
    assert not spoken_of(project, text)

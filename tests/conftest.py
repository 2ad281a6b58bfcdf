"""What holds for every test."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from types import FrameType

    from doctor.model import CheckResult
    from tests.key_stand_in import KeyStandIn

# A gate says the same of the same commit; at the desk every run looks elsewhere. No test is one of how fast it is.
settings.register_profile("gate", derandomize=True, deadline=None)
settings.register_profile("desk", deadline=None)
settings.load_profile("gate" if os.environ.get("CI") else "desk")

# A job that a shell starts in the background ignores Ctrl-C, and so would every command that the tests start and
# interrupt: an ignored signal is inherited, a handled one is not.
signal.signal(signal.SIGINT, signal.default_int_handler)


LONGEST = ("tests/end_to_end/", "tests/pipeline/sandbox/", "tests/backfill/", "tests/test_main.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that at the end what is short fills the gaps and nobody waits for the last."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.fixture(scope="session", autouse=True)
def _own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the key of the fact cache out of the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _end_of_forked_doctor() -> Iterator[None]:
    yield
    from tests.forked_doctor import FORKED

    FORKED.end()


@pytest.fixture(scope="session")
def _key_stand_in() -> Iterator[KeyStandIn]:
    from tests.key_stand_in import serving

    with serving() as found:
        yield found


@pytest.fixture
def keys(_key_stand_in: KeyStandIn) -> KeyStandIn:
    """The identity provider's stand-in: it behaves well when a test begins, and nobody has asked it yet."""
    _key_stand_in.restore()
    return _key_stand_in


@pytest.fixture
def told(request: pytest.FixtureRequest) -> Callable[[Iterable[CheckResult]], None]:
    """Hold a run against what the test's marks say: which causes it names, and which it must not."""
    from tests.symptoms import CAUSES

    def hold(results: Iterable[CheckResult]) -> None:
        run = tuple(results)
        for cause in (CAUSES[number] for mark in request.node.iter_markers("symptom") for number in mark.args):
            assert cause.is_named_by(run), f"{cause.number} is not named: {cause.said_by(run)}"
            assert cause.left_open_by(run) == []
        for mark in request.node.iter_markers("variation"):
            number, verdict = mark.args
            assert not CAUSES[number].is_named_by(run)
            found = any(result.findings for result in run if result.code == (verdict or CAUSES[number].check))
            assert found == (verdict is not None), verdict

    return hold


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer() -> Generator[None, bool, bool]:
    """Have a test that hangs show where its coroutines wait: the stack of its thread ends in the event loop."""
    is_set = yield
    fail = signal.getsignal(signal.SIGALRM)

    def show_tasks_and_fail(number: int, frame: FrameType | None) -> None:
        for thing in gc.get_objects():
            if issubclass(type(thing), asyncio.Task) and not thing.done():
                thing.print_stack(file=sys.stdout)
        assert callable(fail)
        fail(number, frame)

    signal.signal(signal.SIGALRM, show_tasks_and_fail)
    return is_set

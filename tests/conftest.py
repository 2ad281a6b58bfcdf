"""What holds for every test."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.key_stand_in import KeyStandIn

# A gate says the same of the same commit; at the desk every run looks elsewhere.
settings.register_profile("gate", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("gate")

# A job that a shell starts in the background ignores Ctrl-C, and so would every command that the tests start and
# interrupt: an ignored signal is inherited, a handled one is not.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the key of the fact cache out of the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("home")))
        yield


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

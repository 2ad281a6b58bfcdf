"""One sandbox for all tests of this folder that need no folder of their own; each test gets it healthy and empty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from doctor.pipeline.sandbox.sandbox import Sandbox
from tests.end_to_end.patient import reset


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox that runs until the session ends, whatever happens."""
    made = Sandbox.create(tmp_path_factory.mktemp("patient") / "sandbox", name="patient")
    made.up(with_parent=True)
    yield made
    made.down(keep_data=False)


@pytest.fixture
def patient(running: Sandbox) -> Iterator[Sandbox]:
    """The sandbox without faults, without rows, with nothing to undo."""
    reset(running)
    yield running
    reset(running)

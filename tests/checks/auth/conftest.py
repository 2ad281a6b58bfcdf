"""A target that verifies tokens of the stand-in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.auth_target import HOST_SETTINGS, PATIENCE, Examined, examined
from tests.key_stand_in import KeyStandIn


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in HOST_SETTINGS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ask(keys: KeyStandIn, tmp_path: Path):
    """Examine a target that verifies tokens of the stand-in, with one of its tokens; keywords change the settings."""

    def run(token: str | None = None, patience: float = PATIENCE, **settings: str) -> Examined:
        usual = {"CLERK_PUBLISHABLE_KEY": keys.publishable_key}
        given = {name: value for name, value in (usual | settings).items() if value}
        return examined(tmp_path, given, token, patience=patience, clock=keys.server.clock)

    return run

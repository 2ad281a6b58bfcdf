"""A failure leaves the flag set only where nothing on its way resets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from doctor.api import Finding, Source
from doctor.checks.in_progress_flag_never_reset import in_progress_flag_never_reset

INDEX = """\
import contextlib
import threading

class Index:
    def __init__(self):
        self._loading = False
        self._shutdown_in_progress = False

    def use(self):
{body}
"""
GUARD = "if self._loading:\n    return\nself._loading = True\n"


def found(root: Path, body: str, more: str = "") -> list[Finding]:
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    (root / "index.py").write_text(INDEX.format(body=lines) + more, encoding="utf-8")
    return [one for one in in_progress_flag_never_reset.detect(Source.read(root)) if isinstance(one, Finding)]


@pytest.mark.parametrize(
    "body",
    [
        f"{GUARD}self.model = load_model()\nself._loading = False",
        f"{GUARD}self.model = load_model()",
        f"{GUARD}with open('x') as file:\n    self.model = file.read()\n    self._loading = False",
        f"{GUARD}try:\n    load_model()\n    self._loading = False\nexcept OSError:\n    print('no')",
        f"{GUARD}try:\n    load_model()\nexcept Exception:\n    print('no')\n    raise\nself._loading = False",
        "if not self._loading:\n    self._loading = True\n    load_model()\n    self._loading = False",
        "if self.model or self._loading:\n    return\nself._loading = True\nself.model = SentenceTransformer('x')",
    ],
)
def test_a_reset_that_a_failure_passes_by_is_found(tmp_path: Path, body: str) -> None:
    (finding,) = found(tmp_path, body)
    assert finding.subject == "_loading"


@pytest.mark.parametrize(
    "body",
    [
        f"{GUARD}try:\n    load_model()\nfinally:\n    self._loading = False",
        f"{GUARD}try:\n    load_model()\nexcept Exception:\n    print('no')\nself._loading = False",
        f"{GUARD}try:\n    load_model()\nexcept OSError:\n    self._loading = False\n    raise\nself._loading = False",
        f"{GUARD}with contextlib.suppress(Exception):\n    load_model()\nself._loading = False",
        f"{GUARD}self.model = 1\nself._loading = False\nload_model()",
        f"{GUARD}print('loading')\nself._loading = False",
        "self._loading = True\nload_model()\nself._loading = False",
        f"{GUARD}load_model()\nsetattr(self, '_loading', False)",
        "if self._shutdown_in_progress:\n    return\nself._shutdown_in_progress = True\nsend('bye')",
    ],
)
def test_a_reset_that_is_always_reached_is_silent(tmp_path: Path, body: str) -> None:
    assert found(tmp_path, body) == []


@pytest.mark.parametrize(
    "more",
    [
        "\n    def reset(self):\n        self._loading = False\n",
        "\ndef reset(index):\n    index._loading = False\n",
        "\ndef reset(index: Index):\n    index._loading = index.model is None\n",
    ],
)
def test_a_flag_that_somebody_else_resets_is_silent(tmp_path: Path, more: str) -> None:
    assert found(tmp_path, f"{GUARD}load_model(self.reset)", more) == []


def test_the_reset_in_a_thread_is_judged_where_it_stands(tmp_path: Path) -> None:
    body = f"{GUARD}threading.Thread(target=self._load).start()"
    plain = "\n    def _load(self):\n        self.model = load_model()\n        self._loading = False\n"
    (finding,) = found(tmp_path, body, plain)
    assert "self.model = load_model()" in [one.text for one in finding.evidence]
    always = "\n    def _load(self):\n        try:\n            load_model()\n        finally:\n"
    assert found(tmp_path, body, f"{always}            self._loading = False\n") == []

"""The three strengths of the race, and what keeps it silent, one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from doctor.api import Finding, Severity, Source
from doctor.checks.init_race import init_race

SERVICE = """\
import asyncio
import threading
from functools import partial

class Service:
    strict = True

    def __init__(self):
        self._ready = False
        self._done = threading.Event()
        self._model = None
        self._error = None
        self._texts = []

    def start(self):
        {start}

    def begin(self):
        self.start()

    def is_ready(self):
        return self._ready

    def _load(self):
        self._set(object())

    def _set(self, model):
        self._model = model
        self._ready = True
        self._done.set()

    async def _load_later(self):
        await asyncio.sleep(1)
        self._set(object())

    {head} use(self, text):
{body}
"""
THREAD = "threading.Thread(target=self._load, daemon=True).start()"


def found(root: Path, body: str, *, start: str = THREAD, head: str = "def", more: str = "") -> list[Finding]:
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    (root / "service.py").write_text(SERVICE.format(start=start, head=head, body=lines) + more, encoding="utf-8")
    return [one for one in init_race.detect(Source.read(root)) if isinstance(one, Finding)]


RAISES = "self.start()\nif not self._ready:\n    raise RuntimeError('not ready')"


@pytest.mark.parametrize(
    "start",
    [
        THREAD,
        "self._thread = threading.Thread(target=self._load); self._thread.start()",
        "thread = threading.Thread(None, target=lambda: self._load()); thread.start()",
        "threading.Thread(target=partial(self._load)).start()",
        "asyncio.get_event_loop().run_in_executor(None, self._load)",
        "self.pool.submit(self._load)",
        "self._task = asyncio.create_task(self._load_later())",
        "asyncio.ensure_future(self._load_later())",
        "with self._lock: threading.Thread(target=self._load).start()",
        "if not self._ready: threading.Thread(target=self._load).start()",
    ],
)
def test_every_way_to_start_in_the_background_counts(tmp_path: Path, start: str) -> None:
    (finding,) = found(tmp_path, RAISES, start=start)
    assert finding.severity is Severity.ERROR
    assert finding.subject == "_ready"


@pytest.mark.parametrize(
    ("body", "severity"),
    [
        (RAISES, Severity.ERROR),
        ("self.begin()\nif not self.is_ready():\n    raise RuntimeError", Severity.ERROR),
        ("self.start()\nassert self._ready", Severity.ERROR),
        ("self.start()\nif not self._done.is_set():\n    raise RuntimeError", Severity.ERROR),
        ("self.start()\nif self._model is None:\n    raise RuntimeError", Severity.ERROR),
        ("self.start()\nif self._ready:\n    return 1\nraise RuntimeError", Severity.ERROR),
        ("self.start()\nif not self._ready and self.strict:\n    print('no')\n    raise RuntimeError", Severity.ERROR),
        (
            "self.start()\nif not self._ready:\n    if self.strict:\n        raise RuntimeError\n    return []",
            Severity.ERROR,
        ),
        (
            "try:\n    self.start()\n    if not self._ready:\n        raise RuntimeError\nfinally:\n    pass",
            Severity.ERROR,
        ),
        (f"{THREAD}\nif not self._ready:\n    raise RuntimeError", Severity.ERROR),
        ("self.start()\nif not self._ready:\n    return []\nreturn self._texts", Severity.WARNING),
        ("self.start()\nif not self._ready:\n    return\nself._texts.append(text)", Severity.WARNING),
    ],
)
def test_what_raises_is_an_error_and_what_drops_is_a_warning(tmp_path: Path, body: str, severity: Severity) -> None:
    (finding,) = found(tmp_path, body)
    assert finding.severity is severity


@pytest.mark.parametrize(
    "body",
    [
        "self.start()\nself._done.wait()\nif not self._ready:\n    raise RuntimeError",
        "self.start()\nself.block(text)\nif not self._ready:\n    raise RuntimeError",
        "self.start()\nwhile not self._ready:\n    pass\nif not self._ready:\n    raise RuntimeError",
        "self.start()\nreturn self._ready",
        "self.start()\nif not self._ready:\n    return False\nreturn True",
        "self.start()\nif not self._ready:\n    self._texts.append(text)\n    return",
        "self.start()\nif not self._ready:\n    return {'status': 'loading'}",
        "self.start()\nif not self._ready:\n    raise Retry()",
        "self.start()\nif self._model is None:\n    return None",
        "self.start()\nif self._error:\n    raise self._error",
        "if not self._ready:\n    raise RuntimeError\nself.start()",
        "if text:\n    self.start()\n    return\nif not self._ready:\n    raise RuntimeError",
        "if text:\n    self.start()\nelif not self._ready:\n    raise RuntimeError",
        "with self.session() as s:\n    self.start()\nif not self._ready:\n    raise RuntimeError",
        "self._ready = True\nself.start()\nif not self._ready:\n    raise RuntimeError",
        "other.start()\nif not self._ready:\n    raise RuntimeError",
        "def later():\n    self.start()\nif not self._ready:\n    raise RuntimeError",
    ],
)
def test_what_waits_answers_or_defers_is_silent(tmp_path: Path, body: str) -> None:
    assert found(tmp_path, body) == []


@pytest.mark.parametrize(
    "start",
    [
        "t = threading.Thread(target=self._load); t.start(); t.join()",
        "self._load()",
        "self.pool.submit(self._load).result()",
        "asyncio.run(self._load_later())",
        "with self.pool as pool: pool.submit(self._load)",
        "threading.Thread(target=self._load).start(); self._done.wait(5)",
        "threading.Thread(target=self._load).start(); self._ready = True",
        "threading.Thread(target=self._load).start(); self._load()",
        "threading.Thread(target=print).start()",
        "multiprocessing.Process(target=self._load).start()",
    ],
)
def test_a_starter_that_waits_or_does_it_itself_is_none(tmp_path: Path, start: str) -> None:
    assert found(tmp_path, RAISES, start=start) == []


OUTSIDE = """
service = Service()


def handle(text):
    service.start()
    if not service._ready:
        raise RuntimeError("not ready")


def with_another(service: Service):
    service.start()
    if not service.is_ready():
        raise RuntimeError("not ready")


class Holder:
    def __init__(self):
        self.service = Service()

    def handle(self):
        self.service.start()
        if not self.service._ready:
            raise RuntimeError("not ready")


def with_a_stranger(service):
    service.start()
    if not service._ready:
        raise RuntimeError("not ready")
"""


def test_a_caller_outside_of_the_class_counts_when_its_object_is_known(tmp_path: Path) -> None:
    callers = [one.resource.id.partition(":")[2] for one in found(tmp_path, "return text", more=OUTSIDE)]
    assert callers == ["handle", "with_another", "Holder.handle"]


def test_a_coroutine_that_awaits_nothing_is_a_starter_too(tmp_path: Path) -> None:
    awaited = "await self.start_it()\nif not self._ready:\n    raise RuntimeError"
    more = "\n    async def start_it(self):\n        asyncio.create_task(self._load_later())\n"
    assert len(found(tmp_path, awaited, head="async def", more=more)) == 1
    waits = more.replace("asyncio.create_task", "await asyncio.create_task")
    assert found(tmp_path, awaited, head="async def", more=waits) == []

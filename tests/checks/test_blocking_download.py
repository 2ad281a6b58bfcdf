"""What runs before a server is up, what is waited for, and what counts as a download."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from doctor.api import Finding, Severity, Source
from doctor.checks.blocking_download import blocking_download

Findings = Callable[..., list[Finding]]
MODELS = """
    import asyncio
    from huggingface_hub import snapshot_download

    def fetch():
        snapshot_download("Qwen/Qwen2.5-3B-Instruct")

    async def fetch_slowly():
        fetch()

    class Registry:
        def __init__(self):
            self.ready = False

        def load(self):
            fetch()
            self.ready = True
"""


@pytest.fixture
def findings(tmp_path: Path) -> Findings:
    def read(**files: str) -> list[Finding]:
        for name, text in files.items():
            path = tmp_path / "app" / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        (tmp_path / "app" / "__init__.py").touch()
        found = blocking_download.detect(source=Source.read(tmp_path))
        return [each for each in found if isinstance(each, Finding)]  # type: ignore[union-attr]

    return read


STARTS = {
    "a handler of FastAPI's": """
        from fastapi import FastAPI
        from .models import fetch
        app = FastAPI()
        @app.on_event("startup")
        def start():
            fetch()
    """,
    "a handler that is added": """
        from fastapi import FastAPI
        from . import models
        def start():
            models.fetch()
        def create_app():
            app = FastAPI()
            app.add_event_handler("startup", start)
            return app
    """,
    "a handler of Starlette's": """
        from starlette.applications import Starlette
        from app.models import fetch
        def start():
            fetch()
        app = Starlette(on_startup=[start])
    """,
    "a lifespan inside of a factory": """
        import contextlib
        from fastapi import FastAPI
        from .models import fetch_slowly
        def create_app():
            @contextlib.asynccontextmanager
            async def lifespan(app):
                await fetch_slowly()
                yield
            return FastAPI(lifespan=lifespan)
    """,
    "a worker of TaskIQ's": """
        from taskiq import InMemoryBroker, TaskiqEvents
        from .models import fetch
        broker = InMemoryBroker()
        @broker.on_event(TaskiqEvents.WORKER_STARTUP)
        async def start(state):
            fetch()
    """,
    "a method of an object": """
        from fastapi import FastAPI
        from .models import Registry
        registry = Registry()
        app = FastAPI()
        @app.on_event("startup")
        def start():
            registry.load()
    """,
    "the module of the application": """
        from flask import Flask
        from .models import fetch
        app = Flask(__name__)
        fetch()
    """,
    "asyncio.run before the server": """
        import asyncio
        import uvicorn
        from .models import fetch_slowly
        if __name__ == "__main__":
            asyncio.run(fetch_slowly())
            uvicorn.run("app.api:app")
    """,
    "all at once, and waited for": """
        import asyncio
        from fastapi import FastAPI
        from .models import fetch_slowly
        async def lifespan(app):
            await asyncio.gather(fetch_slowly(), asyncio.sleep(0))
            yield
        app = FastAPI(lifespan=lifespan)
    """,
    "a context that is entered": """
        from contextlib import asynccontextmanager
        from fastapi import FastAPI
        from .models import fetch
        @asynccontextmanager
        async def models():
            fetch()
            yield
        async def lifespan(app):
            async with models():
                yield
        app = FastAPI(lifespan=lifespan)
    """,
}
NO_STARTS = {
    "a task": """
        import asyncio
        from fastapi import FastAPI
        from .models import fetch_slowly
        async def lifespan(app):
            app.state.loading = asyncio.create_task(fetch_slowly())
            yield
        app = FastAPI(lifespan=lifespan)
    """,
    "a task, and a bounded wait for it": """
        import asyncio
        from fastapi import FastAPI
        from .models import fetch_slowly
        async def lifespan(app):
            await asyncio.wait({asyncio.create_task(fetch_slowly())}, timeout=1)
            yield
        app = FastAPI(lifespan=lifespan)
    """,
    "a thread of a function inside": """
        from threading import Thread
        from fastapi import FastAPI
        from .models import fetch
        app = FastAPI()
        @app.on_event("startup")
        def start():
            def work():
                fetch()
            Thread(target=work, daemon=True).start()
    """,
    "a thread of a lambda": """
        from threading import Thread
        from fastapi import FastAPI
        from .models import fetch
        app = FastAPI()
        @app.on_event("startup")
        def start():
            Thread(target=lambda: fetch(), daemon=True).start()
    """,
    "the end of the server": """
        from fastapi import FastAPI
        from .models import fetch
        app = FastAPI()
        @app.on_event("shutdown")
        def stop():
            fetch()
    """,
    "a request": """
        from fastapi import FastAPI
        from .models import fetch
        app = FastAPI()
        @app.get("/")
        def get():
            fetch()
    """,
    "after the server": """
        import uvicorn
        from .models import fetch
        if __name__ == "__main__":
            uvicorn.run("app.api:app")
            fetch()
    """,
    "an import for types only": """
        from typing import TYPE_CHECKING
        from fastapi import FastAPI
        if TYPE_CHECKING:
            from .eager import model
        app = FastAPI()
    """,
    "an import of a function that a request calls": """
        from fastapi import FastAPI
        app = FastAPI()
        @app.get("/")
        def get():
            from .eager import model
            return model
    """,
    "a program of another file": """
        from fastapi import FastAPI
        from . import tool
        app = FastAPI()
    """,
}
EAGER = 'from sentence_transformers import SentenceTransformer\nmodel = SentenceTransformer("all-MiniLM-L6-v2")\n'
TOOL = 'from .models import fetch\nif __name__ == "__main__":\n    fetch()\n'


@pytest.mark.parametrize("api", STARTS.values(), ids=STARTS)
def test_what_a_start_waits_for_is_found(findings: Findings, api: str) -> None:
    (finding,) = findings(models=MODELS, api=api)
    assert finding.severity is Severity.ERROR
    assert finding.resource.id == "app.models.fetch"
    assert len(finding.fixes) == 3


@pytest.mark.parametrize("api", NO_STARTS.values(), ids=NO_STARTS)
def test_what_no_start_waits_for_is_silent(findings: Findings, api: str) -> None:
    assert findings(models=MODELS, api=api, eager=EAGER, tool=TOOL) == []


def test_the_way_from_the_start_is_shown(findings: Findings) -> None:
    middle = "from .models import Registry\ndef prepare():\n    Registry().load()\n"
    outer = "from .middle import prepare\ndef everything():\n    prepare()\n"
    api = "from flask import Flask\nfrom .outer import everything\ndef make():\n    everything()\n    return Flask()\n"
    loading = MODELS.replace("self.ready = False", "fetch()")
    (finding,) = findings(models=loading, middle=middle, outer=outer, api=api)
    assert [each.source for each in finding.evidence] == [
        "app/api.py:5",
        "app.outer.everything",
        "app.middle.prepare",
        "app.models.Registry.__init__",
        "app.models.Registry.load",
        "app/models.py:6",
    ]


def test_a_module_that_another_one_imports_runs_with_it(findings: Findings) -> None:
    services = "from app.eager import model\ndef embed(text):\n    return model.encode(text)\n"
    api = "from fastapi import FastAPI\nfrom app import services\napp = FastAPI()\n"
    (finding,) = findings(eager=EAGER, services=services, api=api)
    assert finding.severity is Severity.WARNING
    assert finding.evidence[1].source == "app.services.<module>"


CALLS = {
    'hf_hub_download("org/name", "config.json")': 1,
    'huggingface_hub.snapshot_download(repo_id="org/name")': 1,
    'AutoModel.from_pretrained("org/name")': 1,
    "AutoModel.from_pretrained(settings.model_name)": 1,
    "AutoModel.from_pretrained(settings.model_path)": 0,
    "AutoModel.from_pretrained(settings.model_name, local_files_only=True)": 0,
    "AutoModel.from_pretrained(settings.model_name, local_files_only=settings.offline)": 0,
    "AutoModel.from_pretrained(settings.model_name, **options)": 0,
    'AutoModel.from_pretrained("./model")': 0,
    'AutoModel.from_pretrained("/srv/model")': 0,
    'AutoModel.from_pretrained("models/bert")': 0,
    'Own.from_pretrained("org/name")': 0,
    'SentenceTransformer("all-MiniLM-L6-v2")': 1,
    "SentenceTransformer(modules=[first, second])": 0,
    'nltk.download("punkt", quiet=True)': 1,
    'downloads.download("punkt")': 0,
    '(lambda: nltk.download("punkt"))': 0,
}
APPLICATION = """\
import huggingface_hub
import nltk
from fastapi import FastAPI
from huggingface_hub import hf_hub_download
from sentence_transformers import SentenceTransformer
from transformers import AutoModel

from .own import Own, downloads, settings, options, first, second
app = FastAPI()
"""


@pytest.mark.parametrize(("call", "count"), CALLS.items(), ids=CALLS)
def test_only_what_asks_a_hub_counts(findings: Findings, call: str, count: int) -> None:
    assert len(findings(api=f"{APPLICATION}{call}\n")) == count


KEYS = {
    "PyJWKClient(URL).get_signing_keys()": 1,
    "client = jwt.PyJWKClient(URL)\nclient.get_jwk_set()": 1,
    "client = PyJWKClient(URL)": 0,
    "client = Own(URL)\nclient.get_signing_keys()": 0,
    "client = PyJWKClient(URL)\ndef verify(token):\n    return client.get_signing_key(token)": 0,
}


@pytest.mark.parametrize(("text", "count"), KEYS.items(), ids=KEYS)
def test_keys_that_are_fetched_before_the_server_is_up_are_found(findings: Findings, text: str, count: int) -> None:
    imports = "import jwt\nfrom fastapi import FastAPI\nfrom jwt import PyJWKClient\nfrom .own import Own, URL\n"
    found = findings(api=f"{imports}app = FastAPI()\n{text}\n")
    assert [finding.severity for finding in found] == [Severity.WARNING] * count
    assert all(str(finding.subject).startswith("PyJWKClient.get_") for finding in found)
    assert all("first token" in finding.fixes[0].reason for finding in found)


def test_a_queue_that_a_start_waits_for_is_not_judged(findings: Findings) -> None:
    api = """
        import nats
        from fastapi import FastAPI
        async def lifespan(app):
            app.state.queue = await nats.connect()
            yield
        app = FastAPI(lifespan=lifespan)
    """
    assert findings(api=api) == []


@pytest.mark.parametrize(
    ("line", "calls"),
    [
        ('os.environ["HF_HUB_OFFLINE"] = "1"', ["download"]),
        ('os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")', ["download"]),
        ('os.environ.get("HF_HUB_OFFLINE")', ["AutoModel.from_pretrained", "download"]),
    ],
)
def test_a_hub_that_the_code_forbids_is_not_asked(findings: Findings, line: str, calls: list[str]) -> None:
    both = 'AutoModel.from_pretrained("org/name")\nnltk.download("punkt")\n'
    found = findings(api=APPLICATION + both, offline=f"import os\n{line}\n# HF_HUB_OFFLINE\n")
    assert sorted(str(each.subject) for each in found) == calls


def test_a_program_that_is_given_its_model_may_load_it_first(findings: Findings) -> None:
    program = """
        import uvicorn
        from transformers import AutoModel

        def load(model_name):
            return AutoModel.from_pretrained(model_name)

        def main(arguments):
            load(arguments.model)
            uvicorn.run("app.api:app")
    """
    assert findings(program=program) == []


def test_tests_and_examples_start_nothing(findings: Findings) -> None:
    assert findings(test_api=f'{APPLICATION}nltk.download("punkt")\n') == []

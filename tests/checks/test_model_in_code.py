"""What the code names is looked at like rows and variables: the address first, then each model, link by link."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from doctor.commands.output import registry
from doctor.model import CheckResult
from doctor.pipeline.sandbox.hugging_face import world
from doctor.pipeline.sandbox.models.application import HUGGING_FACE, build_application
from doctor.runner import run_checks
from doctor.target import Target
from tests.serving import serving

CLIENT = """\
import os

from openai import OpenAI

BASE = "{base}"
MODELS = ["{first}", "Qwen/Qwen2.5-7B-Instruct", "TinyLlama/TinyLlama-1.1B-Chat-v1.0"]


def ask(prompt: str, model: str = "{first}") -> str:
    client = OpenAI(base_url=os.getenv("LLM_BASE_URL", BASE), api_key=os.environ["HF_TOKEN"])
    return client.chat.completions.create(model=model, messages=[])
"""

Look = Callable[..., CheckResult]


@pytest.fixture(scope="module")
def url():
    with serving(build_application(["qwen3:8b", "nomic-embed-text"])) as served:
        yield served


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> Look:
    """Write files, run MOD008 on them; keywords are variables of the environment."""
    monkeypatch.setenv("HF_ENDPOINT", f"{url}{HUGGING_FACE}")
    monkeypatch.setenv("HF_TOKEN", world.GOOD_TOKEN)

    def run(text: str, **variables: str) -> CheckResult:
        (tmp_path / "llm.py").write_text(text)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

        async def work() -> CheckResult:
            async with Target.at(tmp_path, keeps_facts=False) as target:
                return (await run_checks([registry().checks["MOD008"]], target))[0]

        return asyncio.run(work())

    return run


def test_a_stale_path_in_the_code_is_one_finding_and_no_model_is_blamed(look: Look, url: str):
    result = look(CLIENT.format(base=f"{url}{HUGGING_FACE}/hf/v1", first="openai/gpt-oss-120b:groq"))
    (finding,) = result.findings
    assert "every model is `not found` there" in finding.symptom
    assert f"{url}{HUGGING_FACE}/v1 answers" in finding.symptom
    assert finding.resource.location == "llm.py:10"


def test_each_link_of_a_list_is_judged(look: Look, url: str):
    result = look(CLIENT.format(base=f"{url}{HUGGING_FACE}/v1", first="openai/gpt-oss-120b:fireworks"))
    first, last = result.findings
    assert "is wrong provider" in first.symptom
    assert "`TinyLlama/TinyLlama-1.1B-Chat-v1.0`, link 3 of a list of fallbacks, is not served" in last.symptom
    assert "Qwen/Qwen2.5-7B-Instruct is run by together live" in "".join(each.text for each in result.observations)
    assert world.GOOD_TOKEN not in repr(result)


def test_a_variable_wins_over_the_literal(look: Look, url: str):
    text = CLIENT.format(base=f"{url}{HUGGING_FACE}/hf/v1", first="openai/gpt-oss-120b")
    result = look(text, LLM_BASE_URL=f"{url}{HUGGING_FACE}/v1")
    assert ["TinyLlama" in finding.symptom for finding in result.findings] == [True]


def test_an_embedder_in_the_code_of_ollama_cannot_chat(look: Look, url: str):
    text = 'import ollama\n\nCLIENT = ollama.Client("{url}")\nCLIENT.{verb}(model="nomic-embed-text", input="x")\n'
    assert look(text.format(url=url, verb="embed")).findings == ()
    (finding,) = look(text.format(url=url, verb="chat")).findings
    assert "is incapable" in finding.symptom
    assert "`qwen3:8b` is the nearest that can" in finding.fixes[0].title


SETTINGS = """\
import os

from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    ollama_host: str = "{url}"
    ollama_embedding_model: str = "{model}"


KEY = os.environ.get("UNRELATED", "x")
"""


def test_what_the_code_takes_where_nothing_sets_it_is_looked_at(look: Look, url: str):
    assert look(SETTINGS.format(url=url, model="nomic-embed-text")).findings == ()
    (finding,) = look(SETTINGS.format(url=url, model="mxbai-embed-large")).findings
    assert "`mxbai-embed-large`, a model that the code asks for, is missing" in finding.symptom
    assert finding.resource.location == "llm.py:8"
    (finding,) = look(SETTINGS.format(url=f"{url}/v1", model="nomic-embed-text")).findings
    assert f"{url} answers" in finding.symptom
    (finding,) = look(SETTINGS.format(url="http://127.0.0.1:1", model="nomic-embed-text")).findings
    assert finding.severity == "warning"


def test_a_variable_that_is_set_leaves_nothing_of_the_default(look: Look, url: str):
    text = SETTINGS.format(url="http://127.0.0.1:1", model="nosuch")
    assert look(text, OLLAMA_HOST=url, OLLAMA_EMBEDDING_MODEL="nomic-embed-text").status == "skip"


@pytest.mark.parametrize(
    "text",
    [
        "from openai import OpenAI\n\nCLIENT = OpenAI()\n",
        "from openai import OpenAI\n\n\ndef make(url):\n    return OpenAI(base_url=url)\n",
        'from mine import OpenAI\n\nCLIENT = OpenAI(base_url="http://127.0.0.1:1/v1")\n',
    ],
    ids=["no address and no key", "only a run can tell", "another library"],
)
def test_what_names_no_server_is_silent(look: Look, text: str):
    result = look(text)
    assert result.findings == ()
    assert result.status == "skip"

"""The model server is named as only the compose network knows it, and somebody looks from outside.

`OLLAMA_HOST` in `.env` is `http://ollama:11434`, a service of the `docker-compose.yml` beside it. From here the name
does not resolve; its published port answers. The application, which runs elsewhere, works: nothing is broken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor.pipeline.sandbox.fault import Expectation, Fault
from doctor.pipeline.sandbox.files import replace_text
from doctor.pipeline.sandbox.memory import forget, recall, remember

if TYPE_CHECKING:
    from doctor.pipeline.sandbox.sandbox import Sandbox

NAME = "wrong-vantage"
INSIDE = "http://ollama:11434"
COMPOSE = """\
# How the application is deployed: it finds the model server by the name of the service.
services:
  ollama:
    image: ollama/ollama
    ports: ["{port}:11434"]
  api:
    build: .
    depends_on: [ollama]
    environment: {{OLLAMA_HOST: "http://ollama:11434"}}
"""


def _break(sandbox: Sandbox) -> None:
    outside = sandbox.environment()["OLLAMA_HOST"]
    if outside == INSIDE:
        return
    remember(sandbox, NAME, {"outside": outside})
    port = outside.rpartition(":")[2]
    replace_text(sandbox.layout.compose_file, COMPOSE.format(port=port))
    _exchange(sandbox, outside, INSIDE)


def _heal(sandbox: Sandbox) -> None:
    earlier = recall(sandbox, NAME)
    if not earlier:
        return
    _exchange(sandbox, INSIDE, str(earlier["outside"]))
    sandbox.layout.compose_file.unlink(missing_ok=True)
    forget(sandbox, NAME)


def _exchange(sandbox: Sandbox, old: str, new: str) -> None:
    """Replace the address in ``.env``, which only those who look at the folder read: the processes have their own."""
    lines = sandbox.layout.env_file.read_text(encoding="utf-8").splitlines(keepends=True)
    changed = [line.replace(old, new) if line.startswith("OLLAMA_HOST=") else line for line in lines]
    replace_text(sandbox.layout.env_file, "".join(changed), mode=0o600)


FAULT = Fault(
    name=NAME,
    case="C10",
    title="The address of the model server means something elsewhere only",
    description=__doc__ or "",
    expected=Expectation(unknown=("MOD002",)),
    break_=_break,
    heal=_heal,
    touches=("provider", "agent.model_name"),
)

"""What the OpenAPI document promises is what the running API does, whatever it is sent."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from doctor.pipeline.app.dead_letters import record_failure
from doctor.pipeline.app.tasks.embedding import embed_atoms_batch_task, embed_messages_batch_task

EXAMPLES = 4
API_TOKEN = "open-sesame"
WEBHOOK_SECRET = "sesame-open"

# The rows that are there are named, so that requests reach more than a 404. Nothing else is told.
CONFIGURATION = """
warnings.fail-on = ["missing_auth", "missing_test_data", "unused_openapi_auth"]
headers = {{ Authorization = "Bearer {token}", X-Telegram-Bot-Api-Secret-Token = "{secret}" }}

[[operations]]
include-path-regex = "/(messages|atoms)/{{row_id}}/"
parameters = {{ row_id = 1 }}

[[operations]]
include-path-regex = "/dead_letters/{{letter_id}}/"
parameters = {{ letter_id = 1 }}

[[operations]]
include-path-regex = "/providers/{{provider_id}}"
parameters = {{ provider_id = "{provider}" }}

[[operations]]
include-path-regex = "/agent_configs/{{config_id}}"
parameters = {{ config_id = "{agent}" }}

# That a period starts before it ends, and goes without message ids, cannot be said in a schema.
[[operations]]
include-path = "/api/v1/knowledge/extract"
checks.positive_data_acceptance.expected-statuses = ["2xx", "409", "422"]
"""


async def filled(pipeline: Any) -> dict[str, object]:
    """Put a row into every table; return what the configuration needs to know of them."""
    await pipeline.agent()
    pipeline.models.vector = [1.0] * 64  # of any text: that there are texts without a direction is tested elsewhere
    await embed_messages_batch_task(await pipeline.add_messages(3))
    for title in ("one", "two"):
        await pipeline.value("INSERT INTO atoms (type, title, content) VALUES ('insight', %s, 'x') RETURNING id", title)
    await embed_atoms_batch_task([1, 2])
    await pipeline.value("INSERT INTO topics (chat_id, name) VALUES (7, 'one') RETURNING id")
    await record_failure(embed_atoms_batch_task.task_name, {"ids": [1]}, ValueError("broken"), attempts=1)
    statement = "SELECT p.id AS provider, a.id AS agent FROM llm_providers AS p, agent_configs AS a"
    (ids,) = await pipeline.rows(statement)
    return dict(ids)


async def test_the_api_does_what_its_document_says(
    pipeline: Any,
    settings: Callable[..., None],
    running_application: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings(api_token=API_TOKEN, telegram_webhook_secret=WEBHOOK_SECRET)
    pipeline.http.headers["Authorization"] = f"Bearer {API_TOKEN}"
    configuration = CONFIGURATION.format(token=API_TOKEN, secret=WEBHOOK_SECRET, **await filled(pipeline))
    (tmp_path / "schemathesis.toml").write_text(configuration)
    # A provider may be given any address, and is asked when it is validated: nothing may leave this machine.
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        *("run", f"{running_application}/openapi.json", "--checks", "all", "--seed", "1", "--no-color"),
        *("--max-examples", str(EXAMPLES), "--generation-database", "none"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()

"""One real pipeline for the checks that look at a running one; each test gets it healthy and without rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from doctor.commands.output import registry
from doctor.model import CheckResult
from doctor.pipeline.sandbox.sandbox import Sandbox
from doctor.runner import run_checks
from doctor.target import Target

RESET = (
    "TRUNCATE messages, topics, atoms, atom_links, extractions, failed_tasks, agent_configs CASCADE",
    "UPDATE llm_providers SET is_active = true, validation_status = 'connected', api_key_env = NULL",
    """
    INSERT INTO agent_configs (name, provider_id, model_name, system_prompt)
    SELECT 'knowledge_extractor', id, 'qwen2:7b-instruct-q4_K_M', 'Invent nothing.' FROM llm_providers
    """,
)

Examine = Callable[..., CheckResult]


@pytest.fixture(scope="session")
def examined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    made = Sandbox.create(tmp_path_factory.mktemp("examined") / "sandbox", name="examined")
    made.up(with_parent=True)
    yield made
    made.down(keep_data=False)


@pytest.fixture
def pipeline(examined: Sandbox) -> Sandbox:
    """The sandbox with one provider, one active agent, and no messages."""
    with examined.connect() as connection:
        for statement in RESET:
            connection.execute(statement)
    return examined


@pytest.fixture
def execute(pipeline: Sandbox) -> Callable[..., None]:
    """Run statements on the pipeline's database."""

    def run(*statements: str) -> None:
        with pipeline.connect() as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]

    return run


@pytest.fixture
def examine(pipeline: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Run one check, and what must pass before it; keywords are variables of the environment."""

    def run(code: str, **variables: str) -> CheckResult:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        checks = registry().checks
        wanted = [check for check in checks.values() if check.code == code or check.guards or check.code == "NAT002"]

        async def work() -> CheckResult:
            async with Target.at(pipeline.directory) as target:
                results = await run_checks(wanted, target)
            return next(result for result in results if result.code == code)

        return asyncio.run(work())

    return run

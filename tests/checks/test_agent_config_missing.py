"""The ways in which an agent configuration can be missing, each with its own repair."""

from __future__ import annotations

import pytest

from doctor.model import Applicability, Severity, Status

SAFE, UNSAFE, MANUAL = Applicability.SAFE, Applicability.UNSAFE, Applicability.MANUAL


@pytest.mark.parametrize(
    ("statement", "words", "fix"),
    [
        ("DELETE FROM agent_configs", "no row named `knowledge_extractor`", ("insert-row", UNSAFE)),
        (
            "UPDATE agent_configs SET name = 'knowledge_extracter'",
            "did somebody misspell it as `knowledge_extracter`?",
            [("update-row", UNSAFE), ("insert-row", UNSAFE)],
        ),
        (
            "UPDATE agent_configs SET name = 'Knowledge Extractor '",
            "did somebody misspell it as `Knowledge Extractor `?",
            [("update-row", UNSAFE), ("insert-row", UNSAFE)],
        ),
        ("UPDATE agent_configs SET is_active = false", "(1 row, inactive)", ("update-row", SAFE)),
        ("UPDATE agent_configs SET provider_id = NULL", "has no provider", None),
        ("UPDATE llm_providers SET is_active = false", "uses ollama, but", ("update-row", SAFE)),
        ("UPDATE llm_providers SET validation_status = 'error'", "uses ollama, but", None),
        (
            "UPDATE llm_providers SET api_key_env = 'PLANTED_KEY'",
            "PLANTED_KEY, which nothing here sets",
            ("manual", MANUAL),
        ),
    ],
    ids=[
        "no row",
        "misspelt",
        "written otherwise",
        "inactive",
        "no provider",
        "inactive provider",
        "broken provider",
        "no key",
    ],
)
def test_a_configuration_that_cannot_be_used_is_named(execute, examine, statement, words, fix):
    execute(statement)
    result = examine("AGT001")
    assert result.status is Status.FAIL
    (finding,) = result.findings
    assert words in finding.symptom
    assert finding.stage == "extracted"
    wanted = fix if isinstance(fix, list) else [] if fix is None else [fix]
    assert [(option.fix, option.applicability) for option in finding.fixes] == wanted


def test_an_active_row_with_its_provider_passes(examine):
    assert examine("AGT001").status is Status.PASS


def test_a_key_that_the_environment_holds_is_there(execute, examine):
    execute("UPDATE llm_providers SET api_key_env = 'PLANTED_KEY'")
    result = examine("AGT001", PLANTED_KEY="planted-value")
    assert result.status is Status.PASS
    assert "planted-value" not in repr(result)
    assert examine("AGT001", PLANTED_KEY="").status is Status.FAIL


@pytest.fixture
def namesake(execute):
    """Add a second row of the agent's name, active or not; the table forgets for the test that names are unique."""
    execute("ALTER TABLE agent_configs DROP CONSTRAINT agent_configs_name_key")

    def add(*, active: bool) -> None:
        execute(
            "INSERT INTO agent_configs (name, provider_id, model_name, system_prompt, is_active) "
            f"SELECT 'knowledge_extractor', id, 'qwen3:8b', 'Be brief.', {active} FROM llm_providers"
        )

    yield add
    execute("TRUNCATE agent_configs CASCADE")
    execute("ALTER TABLE agent_configs ADD CONSTRAINT agent_configs_name_key UNIQUE (name)")


def test_two_active_rows_of_one_name_leave_the_choice_to_chance(namesake, examine):
    namesake(active=True)
    (finding,) = examine("AGT001").findings
    assert "2 active rows named `knowledge_extractor`" in finding.symptom
    assert finding.severity is Severity.WARNING
    assert "qwen3:8b" in finding.evidence[0].text


def test_an_inactive_namesake_of_the_active_row_is_no_problem(namesake, examine):
    namesake(active=False)
    assert examine("AGT001").status is Status.PASS


@pytest.fixture
def loose(execute):
    """Let agents name a provider that is not there, as tables without a foreign key do."""
    execute("ALTER TABLE agent_configs DROP CONSTRAINT agent_configs_provider_id_fkey")
    yield execute
    execute(
        "UPDATE agent_configs SET provider_id = NULL",
        "ALTER TABLE agent_configs ADD CONSTRAINT agent_configs_provider_id_fkey FOREIGN KEY (provider_id) "
        "REFERENCES llm_providers (id) ON DELETE SET NULL",
    )


def test_a_provider_is_found_without_a_foreign_key_and_missed_where_it_is_not_there(loose, examine):
    assert examine("AGT001").status is Status.PASS
    loose("UPDATE agent_configs SET provider_id = '00000000-0000-0000-0000-000000000001'")
    (finding,) = examine("AGT001").findings
    assert finding.cause == "it names the provider `00000000-0000-0000-0000-000000000001`, which does not exist"


@pytest.fixture
def without_providers(execute):
    """Take the column of the providers away; agents of such a table are served by the configured server."""
    execute("ALTER TABLE agent_configs RENAME COLUMN provider_id TO served_by")
    execute("ALTER TABLE agent_configs DROP CONSTRAINT agent_configs_provider_id_fkey")
    yield
    execute("ALTER TABLE agent_configs RENAME COLUMN served_by TO provider_id")
    execute(
        "ALTER TABLE agent_configs ADD CONSTRAINT agent_configs_provider_id_fkey FOREIGN KEY (provider_id) "
        "REFERENCES llm_providers (id) ON DELETE SET NULL",
    )


@pytest.mark.usefixtures("without_providers")
def test_a_table_without_a_column_for_providers_is_not_blamed_for_it(examine):
    assert examine("AGT001").status is Status.PASS

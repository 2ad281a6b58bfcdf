"""Agents that no chain names are looked at too: an active one needs a provider that can be used."""

from __future__ import annotations

import pytest

from doctor.model import Severity, Status

OTHER = """
    INSERT INTO agent_configs (name, provider_id, model_name, system_prompt)
    SELECT 'summariser', id, 'qwen3:8b', 'Be brief.' FROM llm_providers
"""


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE llm_providers SET is_active = false", "provider `ollama` is inactive"),
        ("UPDATE llm_providers SET validation_status = 'error'", "has validation status `error`"),
        ("UPDATE agent_configs SET provider_id = NULL", "the row refers to no provider"),
    ],
)
def test_a_provider_that_cannot_be_used_is_named_once_for_each_other_agent(execute, examine, statement, words):
    execute(OTHER, statement)
    (finding,) = examine("AGT002").findings
    assert words in finding.symptom
    assert finding.resource.id == "summariser"
    assert finding.severity is Severity.WARNING


def test_inactive_agents_and_those_of_the_chain_are_not_its_business(execute, examine):
    execute(OTHER, "UPDATE agent_configs SET is_active = false WHERE name = 'summariser'")
    execute("UPDATE llm_providers SET is_active = false")
    result = examine("AGT002")
    assert (result.status, result.findings) == (Status.PASS, ())


def test_an_agent_whose_provider_works_passes(execute, examine):
    execute(OTHER)
    result = examine("AGT002")
    assert (result.status, result.findings) == (Status.PASS, ())
    assert result.observations[0].text == "the providers of 1 other agent looked up"

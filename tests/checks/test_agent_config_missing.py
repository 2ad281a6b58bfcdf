"""The ways in which an agent configuration can be missing, each with its own repair."""

from __future__ import annotations

import pytest

from doctor.model import Applicability, Status

SAFE, UNSAFE = Applicability.SAFE, Applicability.UNSAFE


@pytest.mark.parametrize(
    ("statement", "words", "fix"),
    [
        ("DELETE FROM agent_configs", "no row named `knowledge_extractor`", ("insert-row", UNSAFE)),
        (
            "UPDATE agent_configs SET name = 'knowledge_extracter'",
            "did somebody misspell it as `knowledge_extracter`?",
            ("insert-row", UNSAFE),
        ),
        ("UPDATE agent_configs SET is_active = false", "(1 row, inactive)", ("update-row", SAFE)),
        ("UPDATE agent_configs SET provider_id = NULL", "has no provider", None),
        ("UPDATE llm_providers SET is_active = false", "uses ollama, but", ("update-row", SAFE)),
        ("UPDATE llm_providers SET validation_status = 'error'", "uses ollama, but", None),
    ],
    ids=["no row", "misspelt", "inactive", "no provider", "inactive provider", "broken provider"],
)
def test_a_configuration_that_cannot_be_used_is_named(execute, examine, statement, words, fix):
    execute(statement)
    result = examine("AGT001")
    assert result.status is Status.FAIL
    (finding,) = result.findings
    assert words in finding.symptom
    assert finding.stage == "extracted"
    assert [(option.fix, option.applicability) for option in finding.fixes] == ([] if fix is None else [fix])


def test_an_active_row_with_its_provider_passes(examine):
    assert examine("AGT001").status is Status.PASS

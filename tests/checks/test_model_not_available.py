"""Models that are not there or cannot do the job, and names that only look different."""

from __future__ import annotations

import pytest

from doctor.model import Status


def test_a_model_that_was_never_pulled_is_replaced_by_one_that_can_do_the_job(execute, examine):
    execute("UPDATE agent_configs SET model_name = 'llama3.2:3b'")
    (finding,) = examine("MOD001").findings
    assert "`llama3.2:3b` is not on http://127.0.0.1" in finding.symptom
    assert [option.fix for option in finding.fixes] == ["update-row", "pull-model"]
    assert finding.fixes[0].arguments["after"] != {"model_name": "nomic-embed-text:latest"}


def test_an_embedding_model_cannot_chat(execute, examine):
    execute("UPDATE agent_configs SET model_name = 'nomic-embed-text'")
    (finding,) = examine("MOD001").findings
    assert "`nomic-embed-text` cannot do `completion`, only embedding" in finding.symptom
    assert [option.fix for option in finding.fixes] == ["update-row"]


def test_a_chat_model_cannot_embed(examine):
    (finding,) = examine("MOD001", OLLAMA_EMBEDDING_MODEL="qwen3:8b").findings
    assert "cannot do `embedding`" in finding.symptom
    assert finding.stage == "embedded"


@pytest.mark.parametrize("name", ["nomic-embed-text", "nomic-embed-text:latest", "Nomic-Embed-Text"])
def test_names_are_compared_as_the_server_compares_them(examine, name):
    assert examine("MOD001", OLLAMA_EMBEDDING_MODEL=name).status is Status.PASS


def test_another_tag_is_another_model(execute, examine):
    execute("UPDATE agent_configs SET model_name = 'qwen3'")  # the server has qwen3:8b
    assert "`qwen3` is not on" in examine("MOD001").findings[0].symptom

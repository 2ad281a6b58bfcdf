"""Extractions follow the schema that was given and depend on the messages alone."""

from __future__ import annotations

from typing import Any

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.pipeline.app.knowledge import ANSWER_SCHEMA, SourceMessage, batch_as_text, parse_answer
from doctor.pipeline.sandbox.conversation import text_of
from doctor.pipeline.sandbox.models.extraction import extract, messages_in
from doctor.pipeline.sandbox.models.generation import generate, instance_of

FIFTEEN = batch_as_text([SourceMessage(100 + number, text_of(number)) for number in range(15)])


def extracted(prompt: str) -> dict[str, Any]:
    return extract(prompt, ANSWER_SCHEMA)


def test_fifteen_messages_give_topics_atoms_and_links() -> None:
    answer = extracted(FIFTEEN)
    jsonschema.validate(answer, ANSWER_SCHEMA)
    assigned = [number for topic in answer["topics"] for number in topic["message_ids"]]
    assert len(answer["topics"]) >= 2
    assert {"problem", "solution", "decision"} <= {atom["type"] for atom in answer["atoms"]}
    assert len(assigned) == len(set(assigned)) >= 10
    titles = {atom["title"] for atom in answer["atoms"]}
    assert answer["links"]
    assert {end for link in answer["links"] for end in (link["from"], link["to"])} <= titles


def test_other_messages_give_another_answer() -> None:
    other = "[1] The login form crashes on Safari\n[2] Fixed the login form, Safari works now"
    assert extracted(other)["topics"][0]["name"] != extracted(FIFTEEN)["topics"][0]["name"]


def test_ids_are_written_as_the_schema_wants_them() -> None:
    schema = {
        "$defs": {"T": {"properties": {"message_ids": {"items": {"type": "string"}}}}},
        "properties": {"topics": {"items": {"$ref": "#/$defs/T"}}, "atoms": {}, "links": {}},
    }
    answer = extract("[a1] the queue is full\n[b2] the queue is full again", schema)
    assert answer["topics"][0]["message_ids"] == ["a1", "b2"]


def test_lines_without_an_id_are_not_messages() -> None:
    found = messages_in("Read these:\n[7] one\nnot one\n[8]\n[7] the same id\n[x y] no id\n  [9] two")
    assert [(message.id, message.text) for message in found] == [("7", "one"), ("9", "two")]


@settings(deadline=None)
@given(st.lists(st.text(max_size=80), max_size=12))
def test_any_messages_give_an_answer_that_the_application_accepts(texts: list[str]) -> None:
    prompt = batch_as_text([SourceMessage(number, text) for number, text in enumerate(texts)])
    answer = extracted(prompt)
    jsonschema.validate(answer, ANSWER_SCHEMA)
    parse_answer(generate(prompt, ANSWER_SCHEMA, None).text)
    known = {message.id for message in messages_in(prompt)}
    assert {str(number) for topic in answer["topics"] for number in topic["message_ids"]} <= known


def test_any_other_schema_gets_a_plain_instance_of_it() -> None:
    schema = {
        "type": "object",
        "properties": {
            "answer": {"type": "string", "minLength": 12},
            "score": {"type": "integer", "minimum": 3},
            "kind": {"enum": ["a", "b"]},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
            "nested": {"anyOf": [{"$ref": "#/$defs/Inner"}, {"type": "null"}]},
        },
        "required": ["answer", "score", "kind", "tags", "nested"],
        "$defs": {"Inner": {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}},
    }
    jsonschema.validate(instance_of(schema), schema)


def test_a_schema_that_refers_to_itself_has_an_end() -> None:
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    assert "next" in instance_of(schema)


def test_a_limit_on_tokens_cuts_the_text_and_says_so() -> None:
    answer = generate(FIFTEEN, ANSWER_SCHEMA, 20)
    assert answer.done_reason == "length"
    assert answer.tokens == 20
    assert len(answer.text) == 80

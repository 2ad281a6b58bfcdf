"""What the stand-in answers to a prompt: text that depends on it, or JSON that follows the schema it was given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from doctor.pipeline.sandbox.models.extraction import extract, is_extraction_schema, messages_in
from doctor.pipeline.sandbox.models.words import salient_words

#: Rule of thumb for English; the stand-in has no tokenizer.
CHARACTERS_PER_TOKEN = 4

#: Deeper schemas than this do not occur; a schema that refers to itself ends here.
DEEPEST_SCHEMA = 12


@dataclass(frozen=True, slots=True)
class Answer:
    """A generated text, why it ended (``stop`` or ``length``) and how many tokens prompt and text count."""

    text: str
    done_reason: str
    prompt_tokens: int
    tokens: int


def generate(prompt: str, response_format: str | Mapping[str, Any] | None, most_tokens: int | None) -> Answer:
    """Answer a prompt; the same prompt always gets the same answer.

    Args:
        prompt: all messages as one text.
        response_format: ``"json"``, a JSON Schema, or nothing.
        most_tokens: where the text is cut, as ``num_predict`` does; JSON that is cut is no longer valid.
    """
    text = _text(prompt, response_format)
    tokens = count_tokens(text)
    if most_tokens is not None and 0 < most_tokens < tokens:
        return Answer(text[: most_tokens * CHARACTERS_PER_TOKEN], "length", count_tokens(prompt), most_tokens)
    return Answer(text, "stop", count_tokens(prompt), tokens)


def count_tokens(text: str) -> int:
    """Estimate how many tokens a text has: at least one, if there is any text."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def _text(prompt: str, response_format: str | Mapping[str, Any] | None) -> str:
    if isinstance(response_format, Mapping):
        if is_extraction_schema(response_format):
            return json.dumps(extract(prompt, response_format), ensure_ascii=False)
        return json.dumps(instance_of(response_format), ensure_ascii=False)
    if response_format == "json":
        return json.dumps({"answer": _sentence(prompt)}, ensure_ascii=False)
    return _sentence(prompt)


def _sentence(prompt: str) -> str:
    subject = ", ".join(salient_words(prompt).values()) or "nothing in particular"
    count = len(messages_in(prompt))
    about = f"{count} messages" if count else subject[:200]
    return f"OK. This is a stand-in without a model; it was asked about {about}."


def instance_of(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None, depth: int = 0) -> Any:
    """Return the plainest value that a JSON Schema allows: constants, first choices, empty lists, smallest numbers.

    ``pattern`` and combinations other than ``anyOf``, ``oneOf`` and ``allOf`` are not looked at.
    """
    root = schema if root is None else root
    if depth > DEEPEST_SCHEMA:
        return None
    for fixed in ("const", "default"):
        if fixed in schema:
            return schema[fixed]
    if schema.get("enum"):
        return schema["enum"][0]
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return instance_of(_resolved(reference, root), root, depth + 1)
    for combined in ("anyOf", "oneOf", "allOf"):
        if schema.get(combined):
            return instance_of(schema[combined][0], root, depth + 1)
    return _plainest(schema, root, depth)


def _plainest(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0] if kind else "null"
    if kind == "object":
        properties = schema.get("properties", {})
        names = schema.get("required", list(properties))
        return {name: instance_of(properties.get(name, {}), root, depth + 1) for name in names}
    if kind == "array":
        return [instance_of(schema.get("items", {}), root, depth + 1) for _ in range(schema.get("minItems", 0))]
    if kind in {"integer", "number"}:
        return schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    return "stand-in".ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]


def _resolved(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference inside the same document; one that leads nowhere allows anything."""
    place: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        place = place.get(part, {}) if isinstance(place, Mapping) else {}
    return place if isinstance(place, Mapping) else {}

"""Deterministic knowledge extraction: topics, atoms and links from a prompt with lines ``[<id>] <text>``.

A topic is a group of messages that share words; an atom is a message with words that give its kind away (``fails``,
``fixed``, ``decided``, ``turns out``); links join atoms of one topic.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from doctor.pipeline.sandbox.models.topics import Topic, TopicMessage, group

_LINE = re.compile(r"^[ \t]*\[([^\]\s]{1,64})\][ \t]+(\S.*)$", re.MULTILINE)

#: What gives the kind of an atom away; the first kind that matches wins, so the more specific ones come first.
CUES = (
    (
        "decision",
        re.compile(r"\b(decided|decision|agreed|we will|let'?s go with|going with|we chose)\b", re.IGNORECASE),
    ),
    (
        "insight",
        re.compile(
            r"\b(turns out|learned|learnt|root cause|noticed|realised|realized|insight|because)\b", re.IGNORECASE
        ),
    ),
    (
        "solution",
        re.compile(r"\b(fix(ed|es)?|solved|solves|solution|workaround|resolved|works now|by adding)\b", re.IGNORECASE),
    ),
    (
        "problem",
        re.compile(
            r"\b(errors?|fail(s|ed|ing|ure)?|broken|crash(es|ed)?|timeouts?|times out|bug|problem|issue|slow|stuck"
            r"|cannot|missing|lost)\b",
            re.IGNORECASE,
        ),
    ),
    ("question", re.compile(r"\?\s*$")),
    ("requirement", re.compile(r"\b(must|should|need(s|ed)? to|required?|have to)\b", re.IGNORECASE)),
    ("pattern", re.compile(r"\b(always|every time|usually|each time|whenever)\b", re.IGNORECASE)),
)

#: Which kinds are joined within a topic, and how.
LINKS = (
    ("solution", "problem", "solves"),
    ("insight", "problem", "relates_to"),
    ("insight", "solution", "supports"),
    ("decision", "solution", "depends_on"),
    ("decision", "problem", "relates_to"),
)

WORDS_IN_TITLE = 9


@dataclass(frozen=True, slots=True)
class Atom:
    """One piece of knowledge, still with the message it came from."""

    kind: str
    title: str
    message: TopicMessage
    topic: str
    confidence: float


def messages_in(prompt: str) -> list[TopicMessage]:
    """Return the lines ``[<id>] <text>`` of a prompt; the first of several with the same id counts."""
    found: dict[str, TopicMessage] = {}
    for match in _LINE.finditer(prompt):
        found.setdefault(match[1], TopicMessage(match[1], match[2].strip()))
    return list(found.values())


def is_extraction_schema(schema: Mapping[str, Any]) -> bool:
    """Tell whether a JSON Schema asks for topics and atoms."""
    properties = schema.get("properties")
    return isinstance(properties, Mapping) and {"topics", "atoms"} <= properties.keys()


def extract(prompt: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``{"topics", "atoms", "links"}`` for the messages of a prompt.

    Message ids come out as the schema wants them, whole numbers or strings; a kind that the schema's ``enum`` does not
    list is left out.
    """
    topics = group(messages_in(prompt))
    allowed = _enumeration(schema, "atoms", "type")
    atoms = [atom for atom in _atoms(topics) if allowed is None or atom.kind in allowed]
    link_types = _enumeration(schema, "links", "type")
    as_numbers = _ids_are_numbers(schema)
    answer = {
        "topics": [
            {
                "name": topic.name,
                "description": f"{len(topic.messages)} messages about {', '.join(topic.words)}",
                "message_ids": _ids(topic.messages, as_numbers),
            }
            for topic in topics
        ],
        "atoms": [
            {
                "type": atom.kind,
                "title": atom.title,
                "content": atom.message.text,
                "topic": atom.topic,
                "message_ids": _ids([atom.message], as_numbers),
                "confidence": atom.confidence,
            }
            for atom in atoms
        ],
        "links": [link for link in _links(atoms) if link_types is None or link["type"] in link_types],
    }
    return {name: value for name, value in answer.items() if name in schema.get("properties", answer)}


def _atoms(topics: Sequence[Topic]) -> Iterator[Atom]:
    """Yield at most one atom of each kind per topic: the first message that shows it. Titles are distinct."""
    titles: set[str] = set()
    for topic in topics:
        kinds: set[str] = set()
        for message in topic.messages:
            kind, cues = _kind(message.text)
            title = _title(message.text)
            if kind is None or kind in kinds or title.lower() in titles:
                continue
            kinds.add(kind)
            titles.add(title.lower())
            yield Atom(kind, title, message, topic.name, min(0.95, 0.6 + 0.1 * cues))


def _kind(text: str) -> tuple[str | None, int]:
    """Return the kind of a text and how many cues speak for it."""
    for kind, cue in CUES:
        found = {match.group().lower() for match in cue.finditer(text)}
        if found:
            return kind, len(found)
    return None, 0


def _title(text: str) -> str:
    words = text.split()
    short = " ".join(words[:WORDS_IN_TITLE]).rstrip(".,;:!?")
    return f"{short} …" if len(words) > WORDS_IN_TITLE else short


def _links(atoms: Sequence[Atom]) -> Iterator[dict[str, str]]:
    by_place = {(atom.topic, atom.kind): atom for atom in atoms}
    for topic in dict.fromkeys(atom.topic for atom in atoms):
        for source_kind, target_kind, link_type in LINKS:
            source, target = by_place.get((topic, source_kind)), by_place.get((topic, target_kind))
            if source is not None and target is not None:
                yield {"from": source.title, "to": target.title, "type": link_type}


def _ids(messages: Sequence[TopicMessage], as_numbers: bool) -> list[int] | list[str]:
    if as_numbers:
        return [int(message.id) for message in messages if message.id.lstrip("-").isdecimal()]
    return [message.id for message in messages]


def _item_properties(schema: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return ``properties`` of the items of an array in the schema, following ``$ref`` into ``$defs``."""
    items = schema.get("properties", {}).get(name, {}).get("items", {})
    reference = items.get("$ref", "")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        items = schema.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {})
    properties = items.get("properties", {})
    return properties if isinstance(properties, Mapping) else {}


def _enumeration(schema: Mapping[str, Any], name: str, field: str) -> list[str] | None:
    values = _item_properties(schema, name).get(field, {}).get("enum")
    return values if isinstance(values, list) else None


def _ids_are_numbers(schema: Mapping[str, Any]) -> bool:
    kind = _item_properties(schema, "topics").get("message_ids", {}).get("items", {}).get("type")
    return kind in {"integer", "number"}

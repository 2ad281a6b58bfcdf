"""What a model is asked to extract, how it is asked, and what counts as an answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, ValidationError

from .errors import PermanentError

ATOM_TYPES = ("problem", "solution", "decision", "insight", "question", "pattern", "requirement")
LINK_TYPES = ("solves", "supports", "contradicts", "continues", "refines", "relates_to", "depends_on")

# Telegram's own limit for a message; what is longer did not come from a person's keyboard.
CHARACTERS_PER_MESSAGE = 4_096


class InvalidAnswerError(PermanentError):
    """The model's answer is not the JSON that was asked for; the same question was already asked twice."""


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    """Build a closed object schema; strict structured output wants every property required."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_TEXT = {"type": "string"}
_MESSAGE_IDS = {"type": "array", "items": {"type": "integer"}}

ANSWER_SCHEMA: dict[str, Any] = _object(
    {
        "topics": {
            "type": "array",
            "items": _object({"name": _TEXT, "description": _TEXT, "message_ids": _MESSAGE_IDS}),
        },
        "atoms": {
            "type": "array",
            "items": _object(
                {
                    "type": {"type": "string", "enum": list(ATOM_TYPES)},
                    "title": _TEXT,
                    "content": _TEXT,
                    "topic": _TEXT,
                    "message_ids": _MESSAGE_IDS,
                    "confidence": {"type": "number"},
                }
            ),
        },
        "links": {
            "type": "array",
            "items": _object({"from": _TEXT, "to": _TEXT, "type": {"type": "string", "enum": list(LINK_TYPES)}}),
        },
    }
)


def _clean(value: object) -> object:
    """Drop NUL and lone surrogates, which PostgreSQL cannot store, and surrounding space."""
    if not isinstance(value, str):
        return value
    return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()


def _confidence(value: object) -> object:
    """Bring a confidence into 0…1; models also write percentages or nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return min(1.0, max(0.0, float(value)))


Text = Annotated[str, BeforeValidator(_clean)]
Name = Annotated[Text, StringConstraints(min_length=1, max_length=500)]


class ExtractedTopic(BaseModel):
    """A subject that several messages share."""

    name: Name
    description: Text = ""
    message_ids: list[int] = Field(default_factory=list)


class ExtractedAtom(BaseModel):
    """One piece of knowledge: a problem, a solution, a decision …"""

    type: Name
    title: Name
    content: Text
    topic: Text = ""
    message_ids: list[int] = Field(default_factory=list)
    confidence: Annotated[float | None, BeforeValidator(_confidence)] = None


class ExtractedLink(BaseModel):
    """How one atom bears on another; the ends are atom titles."""

    source: Name = Field(alias="from")
    target: Name = Field(alias="to")
    type: Name


class ExtractedKnowledge(BaseModel):
    """A model's answer: it has the right shape, its contents are still to be checked against the batch."""

    topics: list[ExtractedTopic]
    atoms: list[ExtractedAtom]
    links: list[ExtractedLink] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SourceMessage:
    """A message as the model sees it."""

    id: int
    text: str


def batch_as_text(messages: Sequence[SourceMessage]) -> str:
    """Write one line per message, ``[<id>] <text>``; line breaks go, so that no message can pose as another."""
    return "\n".join(
        f"[{message.id}] {' '.join(message.text.split())[:CHARACTERS_PER_MESSAGE]}" for message in messages
    )


def parse_answer(text: str) -> ExtractedKnowledge:
    """Read a model's answer.

    Raises:
        InvalidAnswerError: it is not JSON, or not of the shape of ``ANSWER_SCHEMA``.
    """
    try:
        return ExtractedKnowledge.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole answer"
        raise InvalidAnswerError(f"the model's answer is invalid at {place}: {first['msg']}") from None

"""How much a message is worth, by rules alone: a score between 0 and 1 and a noise class.

The weights are rules of thumb: they decide what is shown as noise, never what is kept or extracted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

NoiseClass = Literal["noise", "neutral", "signal"]

# A message of this many words says as much by its length as one can.
WORDS_FOR_FULL_LENGTH = 30
NOISE_BELOW = 0.2
SIGNAL_FROM = 0.5

_WORD = re.compile(r"\w+")
_SUBJECT_MATTER = re.compile(
    r"\b(error|bug|fail\w*|broken|crash\w*|fix\w*|solv\w*|solution|decid\w*|decision|because|root cause|problem|issue"
    r"|should|must|plan\w*|release\w*|deploy\w*|database|index|queue|latency|timeout|config\w*|migrat\w*|version)\b",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"https?://|`|\b\d{2,}\b|\w[._/]\w")


@dataclass(frozen=True, slots=True)
class Importance:
    """The verdict on one message."""

    score: float
    noise_class: NoiseClass


def rate(text: str) -> Importance:
    """Rate a text; the same text always gets the same verdict.

    A text without a single word (emoji, punctuation) scores 0. Otherwise: up to 0.4 for length, 0.15 for each of up to
    two words of subject matter, 0.15 for a question, 0.15 for a link, code or number.
    """
    words = len(_WORD.findall(text))
    if words == 0:
        return Importance(0.0, "noise")
    score = 0.4 * min(1.0, words / WORDS_FOR_FULL_LENGTH)
    subjects = {match.group().lower() for match in _SUBJECT_MATTER.finditer(text)}
    score += 0.15 * min(2, len(subjects))
    score += 0.15 * ("?" in text)
    score += 0.15 * (_REFERENCE.search(text) is not None)
    score = round(score, 4)
    if score < NOISE_BELOW:
        return Importance(score, "noise")
    return Importance(score, "signal" if score >= SIGNAL_FROM else "neutral")

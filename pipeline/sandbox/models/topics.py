"""Group short messages into topics by the words that they share. Deterministic, and crude on purpose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from doctor.pipeline.sandbox.models.words import salient_words

#: No extraction yields more topics than this; the messages that are left go to the topic they share most words with.
MOST_TOPICS = 6


@dataclass(frozen=True, slots=True)
class TopicMessage:
    """A message of a prompt: its identifier as it was written there, and its text."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Topic:
    """Messages that share a subject. ``words`` are its most frequent ones."""

    name: str
    words: tuple[str, ...]
    messages: tuple[TopicMessage, ...]


def group(messages: Sequence[TopicMessage]) -> list[Topic]:
    """Return the topics in the order of their first message; a message is in one topic at most.

    The word that most of the remaining messages share gathers them; what shares no word with anything stays out.
    """
    words = {message.id: frozenset(salient_words(message.text)) for message in messages}
    groups = _gather([message.id for message in messages], words)
    _attach_rest([message.id for message in messages], groups, words)
    order = {message.id: place for place, message in enumerate(messages)}
    by_id = {message.id: message for message in messages}
    topics = []
    for members in sorted(groups, key=lambda ids: min(order[identifier] for identifier in ids)):
        inside = tuple(by_id[identifier] for identifier in sorted(members, key=order.__getitem__))
        frequent = _frequent_words(inside)
        topics.append(Topic(_name(frequent), frequent, inside))
    return _with_distinct_names(topics)


def _gather(ids: Sequence[str], words: dict[str, frozenset[str]]) -> list[list[str]]:
    """Build groups around the most shared words, the most shared first; equal ones by first use."""
    left = list(ids)
    groups: list[list[str]] = []
    while len(groups) < MOST_TOPICS:
        counts = Counter(word for identifier in left for word in sorted(words[identifier]))
        if not counts:
            break
        first_use = {word: place for place, word in reversed(list(enumerate(counts)))}
        word, count = min(counts.items(), key=lambda item: (-item[1], first_use[item[0]]))
        if count < 2:
            break
        members = [identifier for identifier in left if word in words[identifier]]
        groups.append(members)
        left = [identifier for identifier in left if identifier not in members]
    return groups


def _attach_rest(ids: Sequence[str], groups: list[list[str]], words: dict[str, frozenset[str]]) -> None:
    """Put each message without a group where it shares most words, if it shares any."""
    taken = {identifier for members in groups for identifier in members}
    vocabularies = [frozenset[str]().union(*(words[identifier] for identifier in members)) for members in groups]
    for identifier in ids:
        if identifier in taken or not groups:
            continue
        shared = [len(words[identifier] & vocabulary) for vocabulary in vocabularies]
        best = max(range(len(groups)), key=lambda place: (shared[place], -place))
        if shared[best]:
            groups[best].append(identifier)


def _frequent_words(messages: Sequence[TopicMessage]) -> tuple[str, ...]:
    """Return the words that most messages share, in the form in which they occur first."""
    counts: Counter[str] = Counter()
    forms: dict[str, str] = {}
    for message in messages:
        words = salient_words(message.text)
        counts.update(words.keys())
        forms = {**words, **forms}
    return tuple(forms[stem] for stem, _ in counts.most_common(3))


def _name(words: Sequence[str]) -> str:
    return " ".join(word.capitalize() for word in words) or "General"


def _with_distinct_names(topics: Sequence[Topic]) -> list[Topic]:
    """Number the names that occur twice, without regard to case: atoms refer to topics by name."""
    seen: Counter[str] = Counter()
    result = []
    for topic in topics:
        seen[topic.name.lower()] += 1
        again = seen[topic.name.lower()]
        result.append(topic if again == 1 else Topic(f"{topic.name} ({again})", topic.words, topic.messages))
    return result

"""What JetStream knows of itself, as plain facts: streams and their consumers.

The fields and their meaning are those of the JetStream API (``$JS.API.STREAM.LIST``, ``$JS.API.CONSUMER.LIST``).
Durations are in seconds; -1 or 0 means "no limit", as the server writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nats.js import api


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a NATS server says in its greeting. ``jetstream`` is False when the server runs without it."""

    name: str
    version: str
    jetstream: bool
    max_payload: int
    auth_required: bool = False
    tls_required: bool = False


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream: its limits and what it holds now. ``retention`` is limits, interest or workqueue."""

    name: str
    subjects: tuple[str, ...]
    retention: str
    storage: str
    discard: str
    max_age: float
    max_messages: int
    max_bytes: int
    messages: int
    bytes: int
    first_sequence: int
    last_sequence: int
    consumer_count: int
    created: datetime | None
    max_message_size: int = -1


@dataclass(frozen=True, slots=True)
class Consumer:
    """One consumer of a stream.

    ``num_pending`` messages were never delivered, ``num_ack_pending`` are delivered and not acknowledged,
    ``num_redelivered`` of those more than once, ``num_waiting`` pull requests wait for a message. ``last_active`` is
    the last delivery; ``deliveries`` counts all of them, those of the same message too. ``pull`` consumers are asked;
    push consumers have a subject, and ``push_bound`` says whether somebody listens to it.
    """

    stream: str
    name: str
    durable: bool
    pull: bool
    num_pending: int
    num_ack_pending: int
    num_redelivered: int
    num_waiting: int
    ack_policy: str
    deliver_policy: str
    ack_wait: float
    max_deliver: int
    max_ack_pending: int
    max_waiting: int
    filter_subjects: tuple[str, ...]
    deliver_group: str | None
    push_bound: bool
    paused: bool
    delivered_sequence: int
    ack_floor_sequence: int
    last_active: datetime | None
    created: datetime | None
    deliveries: int = 0


@dataclass(frozen=True, slots=True)
class PublishAck:
    """The server's receipt: the message is stored in ``stream`` under ``sequence``; ``duplicate`` if it already was."""

    stream: str
    sequence: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message as a stream holds it."""

    stream: str
    sequence: int
    data: bytes


def _word(value: Any) -> str:
    return str(getattr(value, "value", value) or "")


def stream_of(info: api.StreamInfo) -> Stream:
    """Translate the library's answer."""
    config, state = info.config, info.state
    return Stream(
        name=config.name or "",
        subjects=tuple(config.subjects or ()),
        retention=_word(config.retention),
        storage=_word(config.storage),
        discard=_word(config.discard),
        max_age=config.max_age or 0.0,
        max_messages=-1 if config.max_msgs is None else config.max_msgs,
        max_bytes=-1 if config.max_bytes is None else config.max_bytes,
        messages=state.messages,
        bytes=state.bytes,
        first_sequence=state.first_seq,
        last_sequence=state.last_seq,
        consumer_count=state.consumer_count,
        created=info.created,
        max_message_size=-1 if config.max_msg_size is None else config.max_msg_size,
    )


def consumer_of(info: api.ConsumerInfo) -> Consumer:
    """Translate the library's answer."""
    config = info.config
    subjects = config.filter_subjects or ([config.filter_subject] if config.filter_subject else [])
    return Consumer(
        stream=info.stream_name,
        name=info.name,
        durable=bool(config.durable_name),
        pull=not config.deliver_subject,
        num_pending=info.num_pending or 0,
        num_ack_pending=info.num_ack_pending or 0,
        num_redelivered=info.num_redelivered or 0,
        num_waiting=info.num_waiting or 0,
        ack_policy=_word(config.ack_policy),
        deliver_policy=_word(config.deliver_policy),
        ack_wait=config.ack_wait or 0.0,
        max_deliver=-1 if config.max_deliver is None else config.max_deliver,
        max_ack_pending=-1 if config.max_ack_pending is None else config.max_ack_pending,
        max_waiting=config.max_waiting or 0,
        filter_subjects=tuple(subjects),
        deliver_group=config.deliver_group or None,
        push_bound=bool(info.push_bound),
        paused=bool(info.paused),
        delivered_sequence=info.delivered.stream_seq if info.delivered else 0,
        ack_floor_sequence=info.ack_floor.stream_seq if info.ack_floor else 0,
        last_active=info.delivered.last_active if info.delivered else None,
        created=info.created,
        deliveries=info.delivered.consumer_seq if info.delivered else 0,
    )

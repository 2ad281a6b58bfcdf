"""The brokers over NATS that the target's source makes, with those of its own classes that are derived from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from doctor.chain import QUEUE_SUBJECT, Chain
from doctor.source.collectors.broker_classes import COLLECTOR as CLASSES
from doctor.source.collectors.broker_settings import COLLECTOR as CALLS
from doctor.source.collectors.broker_settings import BrokerCall
from doctor.source.index import Source

CORE = "NatsBroker"
PULL = "PullBasedJetStreamBroker"
PUSH = "PushBasedJetStreamBroker"

STREAM = "taskiq_jetstream"
"""taskiq-nats 0.7: the stream and the consumers of a broker that is not told otherwise."""

CONSUMERS = {PULL: "taskiq_durable", PUSH: "taskiq_consumer"}


def brokers(source: Source | None) -> tuple[BrokerCall, ...]:
    """Return every broker over NATS that is made, by place; ``kind`` is that of taskiq-nats."""
    return () if source is None else tuple(_resolved(source))


def subject_of(broker: BrokerCall) -> str | None:
    """Return the subject to which a broker sends; None where it is given and cannot be read."""
    values = dict(broker.values)
    if broker.unknown or ("subject" in broker.settings and "subject" not in values):
        return None
    return str(values.get("subject", QUEUE_SUBJECT))


def brokers_of(source: Source | None, subject: str | None) -> tuple[BrokerCall, ...]:
    """Return the brokers that send to ``subject``, as far as their subject can be read."""
    return tuple(broker for broker in brokers(source) if subject is not None and subject_of(broker) == subject)


def queue_subject(chain: Chain | None, source: Source | None) -> str | None:
    """Return the subject of the tasks: the configured one, else that of the brokers in the source.

    None where the brokers have several, or theirs cannot be read, or there is none and nothing but a default is
    configured.
    """
    if chain is not None and (source is None or brokers(source) or chain.queue_subject != QUEUE_SUBJECT):
        return chain.queue_subject
    named = {subject_of(broker) for broker in brokers(source)}
    return named.pop() if len(named) == 1 else None


def batch_size(source: Source | None, subject: str | None) -> int:
    """Return how many tasks a worker waits for before it runs one: 1, unless the code says more and no time-out."""
    given = (
        dict(broker.values).get("pull_consume_batch", 1)
        for broker in brokers_of(source, subject)
        if broker.kind == PULL and "pull_consume_timeout" not in broker.settings
    )
    return max((number for number in given if isinstance(number, int)), default=1)


def is_core_nats(source: Source | None, subject: str | None) -> bool:
    """Tell whether every broker of a subject is one of plain NATS, which keeps no task."""
    kinds = {broker.kind for broker in brokers_of(source, subject)}
    return kinds == {CORE}


def stream_name(broker: BrokerCall) -> str:
    """Return the stream of a broker over JetStream; an unreadable name counts as the default."""
    return str(dict(broker.stream).get("name", dict(broker.values).get("stream_name", STREAM)))


def consumer_name(broker: BrokerCall) -> str:
    """Return the consumer of a broker over JetStream; an unreadable name counts as the default."""
    given = dict(broker.values).get("durable") if broker.kind == PULL else None
    return str(dict(broker.consumer).get("durable_name", given or CONSUMERS.get(broker.kind, "")))


def _resolved(source: Source) -> Iterator[BrokerCall]:
    derived = {found.name: found.kind for found in source.collected(CLASSES)}
    by_last_name = {name.rpartition(".")[2]: kind for name, kind in derived.items()}
    for call in source.collected(CALLS):
        # An imported class may come by way of a package that hands it on; its own name is then all that is left.
        kind = call.kind or derived.get(call.made_from) or by_last_name.get(call.made_from.rpartition(".")[2], "")
        if kind:
            yield replace(call, kind=kind)

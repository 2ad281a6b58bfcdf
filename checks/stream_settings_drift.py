"""The stream or its consumer is not as the code says.

## What it finds
Settings that a broker of `taskiq-nats` is given in the code, and that the server does not have: of the stream
(`retention`, `storage`, `discard`, `max_age`, `max_msgs`, `max_bytes`) and of the consumer (`ack_wait`, `max_deliver`,
`max_ack_pending`).

## Why it hurts
taskiq-nats makes a stream once. When it exists with other settings, the broker logs "Reusing the existing stream" and
goes on: a limit or a retention that was added to the code has no effect, and nobody sees it.

## How it is told from its look-alikes
Only what the code says as a literal is compared, with the stream and the consumer of the very names that it uses. What
is read from the environment, and what the code leaves to the default, is not compared. A stream of that name that is
absent is NAT004.

## How to fix
Change the stream on the server, or delete it while the queue is empty and start worker and API again. The retention of
a stream cannot be changed. A consumer gets its settings from the code when the worker is started again.

## False positives
Settings that were changed on the server on purpose. Write them into the code.
"""

from collections.abc import AsyncIterator, Iterator

from doctor.api import (
    BrokerCall,
    Chain,
    Consumer,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Nats,
    Observation,
    Resource,
    Severity,
    Source,
    Stream,
    brokers_of,
    check,
    consumer_name,
    queue_state,
    queue_subject,
    stream_name,
)

OF_STREAM = {
    "retention": "retention",
    "storage": "storage",
    "discard": "discard",
    "max_age": "max_age",
    "max_msgs": "max_messages",
    "max_bytes": "max_bytes",
}
OF_CONSUMER = {"ack_wait": "ack_wait", "max_deliver": "max_deliver", "max_ack_pending": "max_ack_pending"}
"""Setting of nats-py → attribute of what the server says."""

FLAGS = {"max_msgs": "--max-msgs", "max_bytes": "--max-bytes", "max_age": "--max-age", "discard": "--discard"}
"""What `nats stream edit` can change."""


@check("NAT006", "stream-settings-drift", severity=Severity.WARNING, tags=["live"], after=["NAT002", "NAT004"])
async def stream_settings_drift(
    nats: Nats, source: Source, chain: Chain | None = None
) -> AsyncIterator[Finding | Observation]:
    """Compare each broker's configurations with the server's."""
    state = await queue_state(nats, queue_subject(chain, source))
    told = [broker for broker in brokers_of(source, state.subject) if broker.stream or broker.consumer]
    drifted = False
    for broker in told:
        for stream in state.streams:
            if stream.name == stream_name(broker):
                for finding in _of_broker(broker, stream, state.consumers):
                    drifted = True
                    yield finding
    if told and not drifted:
        yield Observation("settings as the code says", rules_out="settings drift")


def _of_broker(broker: BrokerCall, stream: Stream, consumers: tuple[Consumer, ...]) -> Iterator[Finding]:
    differing = _differing(dict(broker.stream), OF_STREAM, stream)
    if differing:
        yield _finding(broker, Resource("stream", stream.name), differing, _edit(stream.name, differing))
    for consumer in consumers:
        if (consumer.stream, consumer.name) == (stream.name, consumer_name(broker)):
            differing = _differing(dict(broker.consumer), OF_CONSUMER, consumer)
            if differing:
                yield _finding(broker, Resource("consumer", f"{stream.name}/{consumer.name}"), differing, "")


def _differing(
    given: dict[str, str | int | float], names: dict[str, str], there: Stream | Consumer
) -> dict[str, tuple[object, object]]:
    """Return what differs: setting → in the code, on the server."""
    pairs = {name: (given[name], getattr(there, attribute)) for name, attribute in names.items() if name in given}
    return {name: (code, server) for name, (code, server) in pairs.items() if not _are_equal(code, server)}


def _are_equal(code: object, server: object) -> bool:
    """Compare a setting; the server writes "no limit" as -1 or 0."""
    if isinstance(code, (int, float)) and isinstance(server, (int, float)):
        return code == server or (code <= 0 and server <= 0)
    return str(code) == str(server)


def _edit(stream: str, differing: dict[str, tuple[object, object]]) -> str:
    if not set(differing) <= set(FLAGS):
        return ""  # retention and storage stay as they were made
    words = (f"{FLAGS[name]} {code}{'s' if name == 'max_age' else ''}" for name, (code, _) in sorted(differing.items()))
    return f"nats stream edit {stream} {' '.join(words)}"


def _finding(
    broker: BrokerCall, resource: Resource, differing: dict[str, tuple[object, object]], command: str
) -> Finding:
    place = f"{broker.path}:{broker.line}"
    pairs = differing.items()
    words = ", ".join(f"{name} {code} in the code, {server} on the server" for name, (code, server) in pairs)
    is_stream = resource.kind == "stream"
    remedy = "start the worker again: it gives the consumer its settings"
    if is_stream:
        remedy = f"change `{resource.id}`" if command else f"delete `{resource.id}` while it is empty, then start anew"
    return Finding(
        code="NAT006",
        resource=Resource(resource.kind, resource.id, broker.path, broker.line),
        symptom=f"{resource.kind} `{resource.id}` is not as {place} says: {words}",
        cause="a stream that exists keeps its settings" if is_stream else "the settings were changed since it was made",
        severity=Severity.WARNING,
        group=resource.id,
        related=(Resource("service", "jetstream"),),
        impacts=(f"{', '.join(differing)} of the code {'has' if len(differing) == 1 else 'have'} no effect",),
        evidence=(
            Evidence(EvidenceKind.CODE, place, broker.text),
            Evidence(
                EvidenceKind.NATS,
                f"{resource.kind} info",
                ", ".join(f"{name}={server}" for name, (_, server) in pairs),
            ),
        ),
        rule="taskiq-nats 0.7 reuses a stream of that name, whatever its settings (error 10058)",
        fixes=(FixOption.by_hand(remedy, "it is the server's state, and tasks may be in it", code=command),),
        validation="doctor check --select NAT006",
    )

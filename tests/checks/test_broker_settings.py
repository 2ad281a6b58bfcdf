"""What the settings of a broker do by themselves, before any server is asked; and that it is so, on a real server."""

from __future__ import annotations

from pathlib import Path

import pytest
from nats.js.errors import BadRequestError
from taskiq_nats import PullBasedJetStreamBroker, PushBasedJetStreamBroker

from doctor.checks.broker_settings import broker_settings
from doctor.model import Finding, Severity
from doctor.source.index import Source


def findings(tmp_path: Path, call: str) -> list[Finding]:
    names = "NatsBroker, PullBasedJetStreamBroker, PushBasedJetStreamBroker"
    (tmp_path / "broker.py").write_text(f"from taskiq_nats import {names}\n\nbroker = {call}\n")
    return [one for one in broker_settings.detect(source=Source.read(tmp_path)) if isinstance(one, Finding)]


def causes(found: list[Finding]) -> dict[str, Severity]:
    return {finding.cause: finding.severity for finding in found if finding.severity is not Severity.INFO}


def test_a_batch_without_a_time_out_waits_to_be_full(tmp_path: Path):
    (finding, *_) = findings(tmp_path, "PullBasedJetStreamBroker('u', pull_consume_batch=50)")
    assert "waits until a batch is full" in finding.symptom
    assert finding.severity is Severity.ERROR
    assert finding.fixes[0].arguments["setting"] == "pull_consume_timeout"


def test_a_batch_with_a_time_out_is_given_out_in_time(tmp_path: Path):
    found = findings(tmp_path, "PullBasedJetStreamBroker('u', pull_consume_batch=50, pull_consume_timeout=0.2)")
    assert causes(found) == {"`ack_wait` is too short": Severity.WARNING}


@pytest.mark.parametrize("given", ["'u'", "'u', queue='workers'"])
def test_a_push_consumer_is_for_one_process_with_a_queue_group_or_without(tmp_path: Path, given: str):
    found = findings(tmp_path, f"PushBasedJetStreamBroker({given})")
    assert causes(found)["a push consumer is bound by one process"] is Severity.WARNING
    assert found[0].fixes[0].title.startswith("use PullBasedJetStreamBroker")


CODE = "from taskiq_nats import {kind}\n\nbroker = {kind}()\n"


@pytest.mark.symptom("19")
@pytest.mark.parametrize("queue", [None, "workers"])
async def test_the_server_refuses_a_second_process(queue_server, jetstream, ask_all, queue, told):
    first, second = (PushBasedJetStreamBroker(queue_server.url, queue=queue) for _ in range(2))
    await first.startup()
    with pytest.raises(BadRequestError, match="consumer name already in use"):
        await second.startup()
    told(await ask_all({"broker.py": CODE.format(kind="PushBasedJetStreamBroker")}))
    await first.shutdown()
    await second.shutdown()


@pytest.mark.variation("19", "NAT003")
async def test_a_pull_consumer_is_for_many_processes(queue_server, jetstream, ask_all, told):
    first, second = (PullBasedJetStreamBroker(queue_server.url) for _ in range(2))
    await first.startup()
    await second.startup()
    told(await ask_all({"broker.py": CODE.format(kind="PullBasedJetStreamBroker")}))
    await first.shutdown()
    await second.shutdown()


def test_a_class_of_ones_own_may_set_what_it_is_not_given(tmp_path: Path):
    (tmp_path / "own.py").write_text(
        "from taskiq_nats import PullBasedJetStreamBroker\n\n\nclass Queue(PullBasedJetStreamBroker): ...\n\n\n"
        "broker = Queue('u', stream_config=None)\n"
    )
    assert not list(broker_settings.detect(source=Source.read(tmp_path)))

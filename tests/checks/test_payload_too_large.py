"""A task that NATS does not take is named by its dead letter, with the limit that the server itself says."""

from __future__ import annotations

import nats
import pytest

from doctor.model import Status
from tests.checks.conftest import ruled_out, the_finding

LETTER = """
    INSERT INTO failed_tasks (task, arguments, error, attempts)
    VALUES ('app.tasks.ingestion:save_telegram_message', '{{}}', '{error}', 1)
"""


async def test_the_client_says_the_words_that_are_looked_for(queue_server):
    client = await nats.connect(queue_server.url)
    with pytest.raises(nats.errors.MaxPayloadError, match="nats: maximum payload exceeded"):
        await client.publish("taskiq_tasks", b"x" * (client.max_payload + 1))
    await client.close()


@pytest.mark.symptom("15c")
@pytest.mark.variation("15b", "NAT008")
def test_a_payload_that_was_refused_is_named_with_the_limit(execute, examine_all, told):
    execute(LETTER.format(error="Cannot send task to the queue: nats: maximum payload exceeded"))
    results = examine_all("NAT004", "NAT008")
    told(results)
    finding = the_finding(next(result for result in results if result.code == "NAT008"))
    assert finding.symptom == (
        "`app.tasks.ingestion:save_telegram_message` could not be sent 1 time: its payload is above 1,048,576 bytes"
    )
    assert finding.resource.key == "task:app.tasks.ingestion.save_telegram_message"


@pytest.mark.variation("15c", None)
def test_another_refusal_is_another_cause(execute, examine, told):
    execute(LETTER.format(error="Cannot send task to the queue: nats: no response from stream"))
    result = examine("NAT008")
    told([result])
    assert (result.status, ruled_out(result)) == (Status.PASS, {"payload too large"})

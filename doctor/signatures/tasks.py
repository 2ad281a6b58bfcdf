"""The task queue: what cannot be enqueued, is not found, or is lost."""

from doctor.api import Hypothesis, KnownSignature, Severity

_VERB = "(?:kiq|delay|apply_async|send|kicker)"

SIGNATURES = (
    KnownSignature(
        "task-has-no-kiq",
        "a task cannot be enqueued: its name is bound to a plain function",
        hint="object has no attribute",
        pattern=rf"Failed to queue (?P<task>\w+) task: '\w+' object has no attribute '{_VERB}'"
        rf"|'function' object has no attribute '{_VERB}'",
        examples=("Failed to queue scoring task: 'function' object has no attribute 'kiq'",),
        area="source",
        hypotheses=(
            Hypothesis("a decorator stands above the one that registers the task, and hides it", "TSK001"),
            Hypothesis("the function was never registered as a task", "TSK003"),
            Hypothesis("the failure is only logged, so the chain stops without a trace", "TSK002"),
        ),
        kinds={"task": "task"},
    ),
    KnownSignature(
        "enqueue-failed",
        "a task could not be enqueued, and the failure was only logged",
        hint="Failed to queue",
        pattern=r"Failed to queue (?!embedding\b)(?P<task>\w+) task: (?!'\w+' object has no attribute)",
        examples=("Failed to queue extraction task: nats: no servers available for connection",),
        area="source",
        hypotheses=(
            Hypothesis("the queue cannot be reached", "NAT001"),
            Hypothesis("JetStream is off", "NAT002"),
            Hypothesis("JetStream has no stream for the tasks", "NAT004"),
            Hypothesis("the failure is only logged, so the chain stops without a trace", "TSK002"),
        ),
        kinds={"task": "task"},
    ),
    KnownSignature(
        "task-not-found",
        "a worker got a task that it does not know, acknowledged it and dropped it",
        hint="is not found. Maybe you forgot to import it",
        pattern=r"task \"(?P<task>[^\"]*)\" is not found\. Maybe you forgot to import it",
        examples=('task "app.tasks:score" is not found. Maybe you forgot to import it?',),
        area="worker",
        hypotheses=(
            Hypothesis("the worker imports other modules than the API, or older ones", "WRK002"),
            Hypothesis("it is sent by a name under which no task is registered", "TSK011"),
            Hypothesis("a wrapper below the registrar keeps its own name, so the task goes by that name", "TSK006"),
        ),
        kinds={"task": "task"},
    ),
    KnownSignature(
        "task-raised",
        "a task ended with an exception",
        hint="Exception found while executing function",
        pattern=r"Exception found while executing function",
        examples=("Exception found while executing function.",),
        area="worker",
        hypotheses=(Hypothesis("the task fails every time", "CHN004"),),
    ),
    KnownSignature(
        "broker-message-unreadable",
        "a message of the queue could not be read and was dropped",
        hint="Cannot parse message",
        pattern=r"Cannot parse message",
        examples=("Cannot parse message: b'x'. Skipping execution.",),
        area="worker",
        hypotheses=(Hypothesis("another application writes to the same subject", "NAT003"),),
    ),
    KnownSignature(
        "result-not-stored",
        "a task ran, and its result could not be stored",
        hint="set result in result backend",
        pattern=r"Can't set result in result backend",
        examples=("Can't set result in result backend. Cause: connection refused",),
        severity=Severity.WARNING,
        area="worker",
        hypotheses=(
            Hypothesis("nobody keeps results", "TSK013"),
            Hypothesis("the result backend cannot be reached", "NAT001"),
        ),
    ),
)

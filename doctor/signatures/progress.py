"""Positive signals: lines that are written when a stage of the chain has worked."""

from doctor.api import KnownSignature, Severity, SignatureKind


def _progress(name: str, title: str, hint: str, pattern: str, *examples: str, area: str = "chain") -> KnownSignature:
    return KnownSignature(
        name, title, hint, pattern, examples, kind=SignatureKind.PROGRESS, severity=Severity.INFO, area=area
    )


SIGNATURES = (
    _progress(
        "threshold-reached",
        "enough messages wait, and their extraction is enqueued",
        "Threshold reached",
        r"Threshold reached \(\d+ >= \d+\), queueing knowledge extraction",
        "Threshold reached (13 >= 10), queueing knowledge extraction for 13 messages using agent 'knowledge_extractor'",
    ),
    _progress(
        "extraction-started",
        "a worker extracts knowledge",
        "Starting knowledge extraction",
        r"Starting knowledge extraction (?:task: \d+ messages|for \d+ messages)",
        "Starting knowledge extraction task: 13 messages with agent 0b7c1f7e-6a0e-4d53-9d6c-3a3d6f1c2b11",
        "Starting knowledge extraction for 13 messages using agent 'knowledge_extractor' (model: qwen2:7b)",
    ),
    _progress(
        "extraction-completed",
        "knowledge was extracted",
        "Knowledge extraction completed",
        r"Knowledge extraction completed: \d+ topics processed, \d+ atoms processed",
        "Knowledge extraction completed: 2 topics processed, 3 atoms processed, 0 links created, 14 messages updated",
    ),
    _progress(
        "embedding-queued",
        "embeddings are enqueued",
        "Queueing embedding generation",
        r"Queueing embedding generation for \d+ \w+",
        "Queueing embedding generation for 3 atoms",
        "Queueing embedding generation for 2 messages",
        area="embeddings",
    ),
    _progress(
        "embedding-started",
        "a worker embeds rows",
        "embedding task",
        r"Starting batch \w+ embedding task: \d+ \w+",
        "Starting batch atom embedding task: 3 atoms",
        area="embeddings",
    ),
    _progress(
        "embedding-completed",
        "rows were embedded",
        "embedding completed",
        r"Batch \w+ embedding completed: \d+ of \d+ \w+ embedded",
        "Batch atom embedding completed: 3 of 3 atoms embedded",
        area="embeddings",
    ),
)

"""Embeddings."""

from doctor.api import Hypothesis, KnownSignature, Severity

SIGNATURES = (
    KnownSignature(
        "embedding-not-queued",
        "an embedding task could not be enqueued, so rows stay without a vector",
        hint="Failed to queue embedding task",
        pattern=r"Failed to queue embedding task: ",
        examples=("Failed to queue embedding task: nats: timeout",),
        area="embeddings",
        hypotheses=(
            Hypothesis("the queue cannot be reached", "NAT001"),
            Hypothesis("a decorator stands above the one that registers the task, and hides it", "TSK001"),
            Hypothesis("rows are left without vectors and need a backfill", "EMB001"),
        ),
    ),
    KnownSignature(
        "embedding-dimensions",
        "vectors have another length than the column takes",
        hint="dimensions, not",
        pattern=r"expected \d+ dimensions, not \d+|different vector dimensions \d+ and \d+",
        examples=("psycopg.errors.DataException: expected 1536 dimensions, not 768",),
        area="embeddings",
        hypotheses=(Hypothesis("the embedding model does not fit the column", "EMB002"),),
    ),
    KnownSignature(
        "vector-type-missing",
        "the vector extension is missing",
        hint='type "vector" does not exist',
        pattern=r'type "vector" does not exist',
        examples=('psycopg.errors.UndefinedObject: type "vector" does not exist',),
        area="database",
        hypotheses=(Hypothesis("the extension is not created in this database", "PGS002"),),
    ),
    KnownSignature(
        "embedding-failed",
        "a row got no usable vector",
        hint="No usable vector for",
        pattern=r"No usable vector for",
        examples=("No usable vector for atom 7: the model gave zeros",),
        severity=Severity.WARNING,
        area="embeddings",
        hypotheses=(Hypothesis("vectors are stored, or refused, that no search can make sense of", "EMB003"),),
    ),
)

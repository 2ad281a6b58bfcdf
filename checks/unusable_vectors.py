"""Vectors are stored that no search can make sense of: zeros, padded ones, or those of two models in one column.

## What it finds
In a bounded sample of each vector column: vectors of length zero; vectors whose last part is zeros from a number of
dimensions on that another model has (384, 512, 768, 1024); several names in a column `embedding_model` beside it; and
vectors of length one mixed with others.

## Why it hurts
The cosine distance to a zero vector is NaN, and `NaN >= 0.7` is true in PostgreSQL: it passes every threshold, or,
with an index, is never found. Vectors of two models lie in two spaces: their distances mean nothing, and no error says
so.

## How it is told from its look-alikes
NULL is EMB001's. A vector whose last part happens to be small is not zero. One model may give vectors of many lengths,
also around one; only two clear groups are reported, as a warning: more than 5 % of length one to 0.001 (half precision,
with its 11 bits, rounds each number by 0.0005 of it at most), more than 5 % that are 0.05 or more away from one, and at
most 5 % between. The shares are chosen, not measured. The evidence says whether all vectors were read, or a sample. A
column without a number of dimensions may be meant for several models: there only zeros count.

## How to fix
Set the vectors to NULL and let `doctor fix EMB001` compute them anew. The doctor never pads, and empties no vector by
itself.

## False positives
Vectors that are padded on purpose, all of them: cosine and inner product are the same, at twice the storage.
"""

from collections.abc import AsyncIterator, Iterator

from doctor.api import (
    Database,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Gaps,
    Observation,
    Provenance,
    Resource,
    Severity,
    VectorColumn,
    VectorSample,
    check,
    counted,
    readable,
    vector_columns,
    vector_sample,
)


@check("EMB003", "unusable-vectors", severity=Severity.ERROR, tags=["live"])
async def unusable_vectors(database: Database) -> AsyncIterator[Finding | Observation]:
    """Measure a sample of every vector column."""
    measured, gaps = 0, Gaps("sampled", "column")
    for column in await vector_columns(database):
        if column.partition or column.type == "sparsevec":  # zeros are what a sparse vector is made of
            continue
        if not column.can_select:
            gaps.add(column.table_name, f"the role may not read {readable(column.column)}")
            continue
        with gaps.around(column.table_name):
            sample = await vector_sample(database, column)
            measured += sample.vectors
            for finding in _judged(column, sample):
                yield finding
    yield Observation(f"{counted(measured, 'vector')} measured")
    gaps.tell()


def _judged(column: VectorColumn, sample: VectorSample) -> Iterator[Finding]:
    of_all = f"of {counted(sample.vectors, 'vector')} of {column.table}.{column.column}"
    if sample.zeros:
        symptom = f"{sample.zeros} {of_all} have no length"
        cause, impact = (
            "a model answers with zeros, for empty text mostly",
            "they pass every threshold, or are never found",
        )
        yield _finding(column, sample, "zeros", symptom, cause, impact)
    if column.dimensions is None:  # one that takes every length may be meant for several models; EMB002 looks at these
        return
    if sample.padded:
        symptom = f"{sample.padded} {of_all} hold only zeros behind {sample.padded_from} dimensions"
        mixed = sample.is_partly_padded
        cause = "two models share the column, one of them padded" if mixed else "vectors of a smaller model were padded"
        impact = "distances between the two mean nothing" if mixed else "more storage than the model needs"
        severity = Severity.ERROR if mixed else Severity.WARNING
        yield _finding(column, sample, "padded", symptom, cause, impact, severity)
    if len(sample.models) > 1:
        symptom = f"{column.table}.{column.column} has vectors of {len(sample.models)} models: {_names(sample.models)}"
        cause = "the model was changed, and the vectors were not computed anew"
        yield _finding(column, sample, "models", symptom, cause, "distances between vectors of two models mean nothing")
    elif sample.has_mixed_lengths and not sample.padded:
        symptom = f"{sample.normalised} {of_all} have length one, the others have not"
        cause, impact = (
            "two models, or one that is normalised on one way only",
            "an inner product ranks the longer first",
        )
        yield _finding(column, sample, "lengths", symptom, cause, impact, Severity.WARNING)


def _names(models: tuple[str, ...], shown: int = 5) -> str:
    return ", ".join(models[:shown]) + (f" and {len(models) - shown} more" if len(models) > shown else "")


def _finding(
    column: VectorColumn,
    sample: VectorSample,
    subject: str,
    symptom: str,
    cause: str,
    impact: str,
    severity: Severity = Severity.ERROR,
) -> Finding:
    extent = "all vectors were read" if sample.whole else f"a sample of {counted(sample.vectors, 'vector')} was read"
    provenance = Provenance.MEASURED if sample.whole else Provenance.ESTIMATED
    how = f"set these vectors of {column.table_name} to NULL, then doctor fix EMB001 computes them anew"
    return Finding(
        code="EMB003",
        resource=Resource("column", column.name),
        symptom=symptom,
        cause=cause,
        severity=severity,
        subject=subject,
        group=column.name,
        impacts=(impact,),
        evidence=(Evidence(EvidenceKind.SQL, column.name, extent, provenance),),
        rule="pgvector: the cosine distance to a zero vector is NaN" if subject == "zeros" else "",
        fixes=(FixOption.by_hand(how, "which of them are wrong, and whether they may go, only you know"),),
        validation="doctor check --select EMB003",
    )

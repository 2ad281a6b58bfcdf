"""The similarity queries of a target: those that its source holds, and those that its configuration gives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from doctor.given_queries import GivenQuery
from doctor.model import Evidence, EvidenceKind, Resource
from doctor.redaction import redact
from doctor.source.collectors.index_settings import COLLECTOR as SETTINGS
from doctor.source.collectors.index_settings import IndexSetting
from doctor.source.collectors.similarity_queries import COLLECTOR as TEXTS
from doctor.source.index import Source
from doctor.source.similarity_sql import SimilarityQuery, plain, similarity_query


@dataclass(frozen=True, slots=True)
class SimilarityQueries:
    """``settings`` are the places where the source itself says how far pgvector searches an index."""

    queries: tuple[SimilarityQuery, ...]
    settings: tuple[IndexSetting, ...] = ()

    @classmethod
    def of(cls, source: Source | None, given: Iterable[GivenQuery] = ()) -> SimilarityQueries:
        """Put together what the source holds, in the order of files and lines, and then what is given."""
        own = tuple(map(_of_given, given))
        if source is None:
            return cls(own)
        return cls((*source.collected(TEXTS), *own), source.collected(SETTINGS))


def _of_given(query: GivenQuery) -> SimilarityQuery:
    read = similarity_query(plain(query.sql), query.path, query.line)
    return replace(read, name=query.name, values=query.values, text=redact(read.text))


def resource_of(query: SimilarityQuery) -> Resource:
    """Return what a finding about a query is about: its line of the source, or the name that it is given by."""
    if query.name:
        return Resource("query", query.name)
    return Resource("line", query.place, query.path, query.line)


def evidence_of(query: SimilarityQuery) -> Evidence:
    """Return the query as it is written."""
    return Evidence(EvidenceKind.CONFIG if query.name else EvidenceKind.CODE, query.place, query.text)

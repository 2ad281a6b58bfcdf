"""The similarity queries of a target: those that its source holds, and those that its configuration gives."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from doctor.given_queries import GivenQuery
from doctor.model import Evidence, EvidenceKind, Resource
from doctor.redaction import redact
from doctor.source.collectors.index_settings import COLLECTOR as SETTINGS
from doctor.source.collectors.index_settings import IndexSetting
from doctor.source.collectors.orm_queries import COLLECTOR as BUILT
from doctor.source.collectors.similarity_queries import COLLECTOR as TEXTS
from doctor.source.collectors.vector_models import COLLECTOR as MODELS
from doctor.source.index import Source
from doctor.source.orm_models import Models
from doctor.source.similarity_sql import SimilarityQuery, plain, similarity_query

DIGITS = 8
"""Of the hash that tells the queries of one file from one another; a line would not be the same after the next edit."""


@dataclass(frozen=True, slots=True)
class SimilarityQueries:
    """``settings`` are the places where the source itself says how far pgvector searches an index.

    ``unresolved`` are the places of queries whose table cannot be told: their model is declared out of sight.
    """

    queries: tuple[SimilarityQuery, ...]
    settings: tuple[IndexSetting, ...] = ()
    unresolved: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: Source | None, given: Iterable[GivenQuery] = ()) -> SimilarityQueries:
        """Put together what the source holds, in the order of files and lines, and then what is given."""
        own = tuple(map(_of_given, given))
        if source is None:
            return cls(own)
        models = Models(source.collected(MODELS))
        built = [(query, models.resolved(query)) for query in source.collected(BUILT)]
        found = (*source.collected(TEXTS), *(query for _, query in built if query is not None))
        ordered = sorted(found, key=lambda query: (query.path, query.line))
        unresolved = tuple(f"{query.path}:{query.line}" for query, resolved in built if resolved is None)
        return cls((*ordered, *own), source.collected(SETTINGS), unresolved)

    def settings_of(self, query: SimilarityQuery) -> Mapping[str, str] | None:
        """Return what the source sets for a query, of several values the most generous.

        None where only the running program knows one. A ``SET LOCAL`` in a file with queries is meant for these; one in
        any other file may be anybody's.
        """
        asking = {other.path for other in self.queries}
        found: dict[str, str] = {}
        for setting in self.settings:
            if setting.is_local and not query.name and setting.path != query.path and setting.path in asking:
                continue
            if not setting.value:
                return None
            found[setting.name] = max(found.get(setting.name, ""), setting.value, key=_generosity)
        return found

    @property
    def widest(self) -> dict[str, str]:
        """What the source sets anywhere, of several values the most generous, as far as it says them."""
        found: dict[str, str] = {}
        for setting in self.settings:
            if setting.value:
                found[setting.name] = max(found.get(setting.name, ""), setting.value, key=_generosity)
        return found


def _generosity(value: str) -> tuple[bool, int]:
    return value not in ("", "off"), int(value) if value.isdigit() else 0


def _of_given(query: GivenQuery) -> SimilarityQuery:
    read = similarity_query(plain(query.sql), query.path, query.line)
    return replace(read, name=query.name, values=query.values, text=redact(read.text))


def resource_of(query: SimilarityQuery) -> Resource:
    """Return what a finding about a query is about: its text in a file, wherever it stands there, or its given name."""
    if query.name:
        return Resource("query", query.name)
    digest = hashlib.sha256(query.text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
    return Resource("query", f"{query.path}:{digest}", query.path, query.line)


def evidence_of(query: SimilarityQuery) -> Evidence:
    """Return the query as it is written."""
    return Evidence(EvidenceKind.CONFIG if query.name else EvidenceKind.CODE, query.place, query.text)

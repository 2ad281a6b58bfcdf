"""Gives queries that are built from calls the names of their tables and columns, which other files may declare."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from doctor.source.collectors.orm_queries import OrmQuery
from doctor.source.collectors.vector_models import VectorModel
from doctor.source.orm_expressions import VALUE
from doctor.source.similarity_sql import SimilarityQuery, similarity_query

_REFERENCE = re.compile(r"⟨([^⟨⟩]*)⟩")


class Models:
    """The models of a source, by their identities; where a package passes one on, also by a name that only it has."""

    def __init__(self, models: Iterable[VectorModel]) -> None:
        self._models = {model.identity: model for model in models}
        names = Counter(map(_last, self._models))
        self._by_name = {_last(name): model for name, model in self._models.items() if names[_last(name)] == 1}

    def find(self, identity: str) -> VectorModel | None:
        """Return the model that a name means."""
        return self._models.get(identity) or self._by_name.get(_last(identity))

    def resolved(self, query: OrmQuery) -> SimilarityQuery | None:
        """Return a query as SQL; None where its table is not known."""
        own = self.find(query.model)
        if own is None:
            return None

        def named(match: re.Match[str]) -> str:
            if match[1] == query.model:
                return own.table
            owner, _, attribute = match[1].rpartition(".")
            model = self.find(owner) if owner else own
            column = "" if model is None else model.column(attribute)
            return VALUE if model is not own or '"' in column else f'"{column}"'  # a constant of some other class

        return similarity_query(_REFERENCE.sub(named, query.statement), query.path, query.line, query.function)


def _last(identity: str) -> str:
    return identity.rpartition(".")[2]

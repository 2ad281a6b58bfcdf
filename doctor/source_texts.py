"""What the source itself has embedded, with the tables of its mapped classes."""

from __future__ import annotations

from doctor.embedding_texts import SourceText
from doctor.source.collectors.embedded_texts import COLLECTOR as EMBEDDED
from doctor.source.collectors.embedded_texts import EmbeddedText
from doctor.source.collectors.vector_models import COLLECTOR as MODELS
from doctor.source.index import Source
from doctor.source.orm_models import Models


def source_texts(source: Source) -> tuple[SourceText, ...]:
    """Return them in the order of files and lines."""
    models = Models(source.collected(MODELS))
    return tuple(_resolved(found, models) for found in source.collected(EMBEDDED))


def _resolved(found: EmbeddedText, models: Models) -> SourceText:
    known = [model for name in found.models if (model := models.find(name)) is not None]
    template = found.template
    if len(known) == 1:
        template = tuple((is_column, known[0].column(text) if is_column else text) for is_column, text in template)
    tables = {*found.tables, *(model.table.replace('"', "") for model in known)}
    return SourceText(f"{found.path}:{found.line}", template, frozenset(tables), frozenset(found.vectors))

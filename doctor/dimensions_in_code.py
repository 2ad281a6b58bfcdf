"""The number of dimensions that the source says: of a mapped column, by a constant, for a variable that is not set."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from doctor.resources.catalog import VectorColumn
from doctor.source.collectors.dimension_constants import COLLECTOR as CONSTANTS
from doctor.source.collectors.environment_reads import COLLECTOR as READS
from doctor.source.collectors.vector_models import COLLECTOR as MODELS
from doctor.source.collectors.vector_models import VectorModel
from doctor.source.index import Source


@dataclass(frozen=True, slots=True)
class SaidDimensions:
    """A number, and the place that says it (``path:line``)."""

    number: int
    place: str


def default_dimensions(source: Source, variables: Collection[str]) -> SaidDimensions | None:
    """Return what the code takes while none of these variables is set; None where it takes nothing, or several."""
    return _only(
        SaidDimensions(int(read.default), f"{read.path}:{read.line}")
        for read in source.collected(READS)
        if read.name in variables and not read.apart and (read.default or "").isdecimal()
    )


def constant_dimensions(source: Source) -> SaidDimensions | None:
    """Return the number of a constant such as ``EMBEDDING_DIMENSIONS``; None where there is none, or several differ."""
    return _only(SaidDimensions(one.number, f"{one.path}:{one.line}") for one in source.collected(CONSTANTS))


def declared_dimensions(source: Source, column: VectorColumn) -> SaidDimensions | None:
    """Return the number with which the mapped class of a table declares its column; None where none does."""
    return _only(
        SaidDimensions(number, f"{model.path}:{model.line}")
        for model in source.collected(MODELS)
        if _is_of(model, column)
        for name, number in model.dimensions
        if name == column.column
    )


def _is_of(model: VectorModel, column: VectorColumn) -> bool:
    return model.table.replace('"', "") in (column.table, f"{column.schema}.{column.table}")


def _only(found: Iterable[SaidDimensions]) -> SaidDimensions | None:
    by_number = {one.number: one for one in reversed(list(found))}  # the first place that says it
    return next(iter(by_number.values())) if len(by_number) == 1 else None

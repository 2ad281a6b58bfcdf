"""The embedding model gives vectors of another length than the column takes, so every write of one fails.

## What it finds
A vector column of the chain whose number of dimensions is not that of the configured embedding model, of
`EMBEDDING_DIMENSIONS`, or of what the code says: its default for that variable, a constant of that name. Without a
chain: vector columns of which none has that number. Any column that the mapped class of its table declares with another
number (`Vector(1536)`). A column without a number of dimensions that holds vectors of several lengths, in a bounded
part of it.

## Why it hurts
`expected 1536 dimensions, not 768`: PostgreSQL refuses each vector. The embedding task fails for every row; everything
else works, and search finds nothing. A column without a number takes every vector, and then each search that meets two
lengths fails: `different vector dimensions 1536 and 768`.

## How it is told from its look-alikes
The model's length is what its own server says of it (`/api/show`), not what tutorials say; no text is embedded. Where
the column and the variable agree and only the model is longer, the application may ask the model for fewer dimensions,
which some can give: that is a warning. Columns that no stage of the chain fills may belong to another model.

## How to fix
In this order: another type, when the column holds no vector (`doctor fix EMB002 --unsafe-fixes` where model and
configuration agree on the number, `retype-vector-column`); else a second column, which is filled and indexed before the
application switches to it, as a plan in SQL; or a model, or its parameter `dimensions`, that fits the column. Never
pad, and never `ALTER … USING NULL`: it destroys every vector.

## False positives
An application that embeds with another model than the environment names.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

from doctor.api import (
    Applicability,
    Chain,
    CouldNotTellError,
    Database,
    DatabaseError,
    DatabaseUnreachable,
    Environment,
    Evidence,
    EvidenceKind,
    Finding,
    FixOption,
    Mechanism,
    ModelError,
    Models,
    Observation,
    Resource,
    Severity,
    Source,
    VectorColumn,
    check,
    constant_dimensions,
    declared_dimensions,
    default_dimensions,
    embedding_model,
    readable,
    second_column,
    sql,
    vector_columns,
    vector_lengths,
)

NUMBERS = ("EMBEDDING_DIMENSIONS", "EMBEDDING_DIMENSION", "EMBEDDING_DIM", "VECTOR_DIMENSIONS", "VECTOR_DIM")
"""Variables that name the number of dimensions that the application counts on."""

WITH_LENGTH = ("vector", "halfvec")
"""Types of which pgvector tells the length of each vector."""


@check(
    "EMB002",
    "embedding-dimensions-differ",
    severity=Severity.ERROR,
    tags=["live"],
    mechanisms=[
        Mechanism("EMB002", "EMB001", "the column refuses every vector of the model", ("stage", "column")),
        Mechanism("EMB002", "CHN002", "the embedding task fails until it gives up", ("task",)),
    ],
)
async def embedding_dimensions_differ(
    database: Database,
    environment: Environment,
    models: Models | None = None,
    chain: Chain | None = None,
    source: Source | None = None,
) -> AsyncIterator[Finding | Observation]:
    """Compare the columns with what the model's server says, and with the configured number."""
    name, length = await _length(environment, models, source)
    numbers = _numbers(environment, source)
    meant = _meant({name: length, **numbers})
    known = [one for one in await vector_columns(database) if not one.partition]
    columns = [one for one in known if one.dimensions is not None]
    for column, wanted, said in _disagreements(columns, meant, chain, source):
        may_shorten = said[wanted] == [name] and column.dimensions in said and wanted > (column.dimensions or 0)
        fixes = await _options(database, column, wanted, agreed=len(said) == 1)
        yield _finding(column, said[wanted], wanted, chain, fixes, may_shorten=may_shorten)
    if length is not None:
        yield Observation(f"`{name}` gives {length} dimensions", rules_out=_innocent(columns, length, numbers, chain))
    unbounded = [one for one in known if one.dimensions is None and one.type in WITH_LENGTH]
    for column in unbounded:
        lengths = await vector_lengths(database, column) if column.can_select else {}
        if len(lengths) > 1:
            yield _mixed(column, lengths)
    if unread := [readable(one.table_name) for one in unbounded if not one.can_select]:
        raise CouldNotTellError(f"the role may not read vectors without a number of dimensions: {', '.join(unread)}")


async def _length(environment: Environment, models: Models | None, source: Source | None) -> tuple[str, int | None]:
    """Return the configured embedding model and the length of its vectors, as far as its server says."""
    model = None if models is None else embedding_model(environment, models, source)
    if model is None:
        return "", None
    try:
        described = await model.server.describe(model.name)
    except ModelError:  # MOD001 and MOD002 say so
        return model.name, None
    return model.name, described.embedding_length if "embedding" in described.capabilities else None


def _numbers(environment: Environment, source: Source | None) -> dict[str, int | None]:
    """Return what the configuration and the code count on, by who says it."""
    variable = next((found for name in NUMBERS if (found := environment.get(name)) and found.value.isdecimal()), None)
    numbers: dict[str, int | None] = {}
    if variable is not None:
        numbers[f"{variable.name}={variable.value}"] = int(variable.value)
    if source is not None:
        default = default_dimensions(source, NUMBERS) if variable is None else None
        numbers |= {said.place: said.number for said in (default, constant_dimensions(source)) if said is not None}
    return numbers


def _innocent(
    columns: Sequence[VectorColumn], length: int, numbers: Mapping[str, int | None], chain: Chain | None
) -> str:
    """Return which of the three cannot be the one that differs, because another one agrees with it."""
    said = [number for number in numbers.values() if number is not None]
    if not _unfit(columns, length, chain):
        return "vectors of another length"
    if length in said:
        return "model of another length"
    return "column of another length" if any(not _unfit(columns, number, chain) for number in said) else ""


def _meant(numbers: Mapping[str, int | None]) -> dict[int, list[str]]:
    """Return the numbers of dimensions that are meant, and who means each."""
    meant: dict[int, list[str]] = {}
    for source, number in numbers.items():
        if number is not None:
            meant.setdefault(number, []).append(source)
    return meant


def _disagreements(
    columns: Sequence[VectorColumn], meant: Mapping[int, list[str]], chain: Chain | None, source: Source | None
) -> Iterator[tuple[VectorColumn, int, dict[int, list[str]]]]:
    """Yield each column with a number that it should take and does not, and all numbers that are said of it."""
    unfit = {wanted: _unfit(columns, wanted, chain) for wanted in meant}
    declared = {} if source is None else {one.name: declared_dimensions(source, one) for one in columns}
    for wanted in dict.fromkeys([*meant, *(said.number for said in declared.values() if said is not None)]):
        for column in columns:
            said, own = {number: list(who) for number, who in meant.items()}, declared.get(column.name)
            if own is not None:
                said.setdefault(own.number, []).append(own.place)
            by_itself = own is not None and own.number == wanted != column.dimensions
            if by_itself or column in unfit.get(wanted, ()):
                yield column, wanted, said


def _unfit(columns: Iterable[VectorColumn], wanted: int, chain: Chain | None) -> list[VectorColumn]:
    """Return the columns that should take vectors of so many dimensions and do not."""
    own = [one for one in columns if chain and chain.stage_of_column(one.table_name, one.column)]
    if own:
        return [one for one in own if one.dimensions != wanted]
    others = list(columns)
    return [] if any(one.dimensions == wanted for one in others) else others


def _finding(
    column: VectorColumn,
    sources: list[str],
    wanted: int,
    chain: Chain | None,
    fixes: tuple[FixOption, ...],
    *,
    may_shorten: bool = False,
) -> Finding:
    stage = chain.stage_of_column(column.table_name, column.column) if chain else None
    task = stage.task_resource if stage is not None else None
    name = f"{column.table}.{column.column}"
    who = " and ".join(f"`{source}`" for source in sources) + (" mean" if len(sources) > 1 else " means")
    return Finding(
        code="EMB002",
        resource=Resource("column", column.name),
        symptom=f"{name} takes {column.dimensions} dimensions, {who} {wanted}"
        + (": it fits only if the application asks for fewer" if may_shorten else ""),
        cause="the model, the column and the configuration were not chosen together",
        severity=Severity.WARNING if may_shorten else Severity.ERROR,
        stage=None if stage is None else stage.name,
        subject=sources[0],
        group=column.name,
        impacts=(f"PostgreSQL refuses it: expected {column.dimensions} dimensions, not {wanted}",),
        related=(Resource("task", task),) if task else (),
        evidence=(Evidence(EvidenceKind.SQL, "pg_attribute", f"{column.name} is {column.type}({column.dimensions})"),),
        rule="pgvector: a column with dimensions takes vectors of that length only",
        fixes=fixes,
        validation="doctor check --select EMB002",
    )


def _mixed(column: VectorColumn, lengths: Mapping[int, int]) -> Finding:
    """Report a column without a number of dimensions that holds vectors of several; the most frequent is proposed."""
    most = next(iter(lengths))
    table, name = readable(column.table_name), readable(column.column)
    code = (
        "-- once the vectors of other lengths are NULL and computed anew:\nSET lock_timeout = '5s';\n"
        f"ALTER TABLE {table} ALTER COLUMN {name} TYPE {column.type}({most});\n"
    )
    how = f"give {column.name} one length: it takes every vector"
    return Finding(
        code="EMB002",
        resource=Resource("column", column.name),
        symptom=f"{column.table}.{column.column} holds vectors of {len(lengths)} lengths: "
        + ", ".join(f"{count:,} of {length}" for length, count in lengths.items()),
        cause="the column has no number of dimensions, and two models wrote to it",
        severity=Severity.ERROR,
        subject="lengths",
        group=column.name,
        impacts=("a search that meets both fails: different vector dimensions",),
        evidence=(Evidence(EvidenceKind.SQL, column.name, "vector_dims of a bounded part"),),
        rule="pgvector: no index and no comparison without one number of dimensions",
        fixes=(FixOption.by_hand(how, "which length is right, and which vectors may go, only you know", code),),
        validation="doctor check --select EMB002",
    )


async def _options(database: Database, column: VectorColumn, wanted: int, *, agreed: bool) -> tuple[FixOption, ...]:
    """Return the ways out, the one that fits first; ``agreed``: nothing speaks for another number."""
    how = f"configure a model, or its `dimensions` parameter, that gives {column.dimensions}"
    fit = FixOption.by_hand(how, "only you know which is wanted")
    if await _may_hold_vectors(database, column):
        how = f"fill a second column beside {column.name}, and switch"
        return FixOption.by_hand(how, "the vectors that are there stay", second_column(column, wanted)), fit
    if not agreed:
        table, name = readable(column.table_name), readable(column.column)
        code = f"SET lock_timeout = '5s';\nALTER TABLE {table} ALTER COLUMN {name} TYPE {column.type}({wanted});\n"
        how = f"give {column.name} another type: it holds no vector"
        return FixOption.by_hand(how, "model and configuration do not agree on the number", code), fit
    retype = FixOption(
        fix="retype-vector-column",
        title=f"change {column.name} to {column.type}({wanted}): it holds no vector",
        applicability=Applicability.UNSAFE,
        reason="locks the table while it is written anew, and your migrations do not know of it",
        arguments={"table": column.table_name, "column": column.column, "dimensions": wanted},
        recommended=True,
    )
    return retype, fit


async def _may_hold_vectors(database: Database, column: VectorColumn) -> bool:
    """Whether the column holds a vector; what cannot be known in time counts as held."""
    query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {} IS NOT NULL)")
    try:
        found = await database.scalar(query.format(column.quoted_table, sql.Identifier(column.column)))
    except DatabaseUnreachable:
        raise
    except DatabaseError:
        return True
    return bool(found)

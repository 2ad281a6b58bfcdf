"""Zero vectors, padded ones and mixtures are found in a bounded part of the table; sound vectors are not."""

from __future__ import annotations

import pytest

from doctor import vector_sample
from doctor.model import Provenance, Severity, Status

DIMENSIONS = 1536
PLAIN = "(SELECT array_agg(1 + (n * i) % 7) FROM generate_series(1, {dimensions}) AS i)::vector"


def plain(dimensions: int = DIMENSIONS) -> str:
    """Return an expression for a vector of no particular length, other for each ``n``."""
    return PLAIN.format(dimensions=dimensions)


NORMALISED = f"l2_normalize({plain()})"
ZERO = f"array_fill(0, ARRAY[{DIMENSIONS}])::vector"
PADDED = f"({plain(768)}::real[] || array_fill(0::real, ARRAY[768]))::vector"


@pytest.fixture
def fill(execute):
    execute(f"CREATE TABLE made_here (id int PRIMARY KEY, embedding vector({DIMENSIONS}), embedding_model text)")

    def add(count: int, vector: str, model: str = "NULL", first: int = 1) -> None:
        rows = f"generate_series({first}, {first + count - 1}) AS n"
        execute(f"INSERT INTO made_here SELECT n, {vector}, {model} FROM {rows}")

    yield add
    execute("DROP TABLE made_here")


def test_sound_vectors_of_one_model_are_silent(fill, examine):
    fill(20, NORMALISED, "'nomic-embed-text'")
    fill(5, "NULL", first=100)
    result = examine("EMB003")
    assert result.status is Status.PASS
    assert result.observations[0].text == "20 vectors measured"


def test_vectors_of_any_length_are_sound(fill, examine):
    fill(20, plain())
    assert examine("EMB003").status is Status.PASS


def test_a_sparse_vector_is_made_of_zeros(fill, execute, examine):
    fill(20, NORMALISED)
    execute("ALTER TABLE made_here ADD COLUMN sparse sparsevec(8) DEFAULT '{}/8'")
    result = examine("EMB003")
    assert (result.status, result.observations[0].text) == (Status.PASS, "20 vectors measured")


def test_a_zero_vector_is_an_error(fill, examine):
    fill(20, NORMALISED)
    fill(1, ZERO, first=100)
    (finding,) = examine("EMB003").findings
    assert finding.symptom == "1 of 21 vectors of made_here.embedding have no length"
    assert finding.severity is Severity.ERROR
    assert finding.evidence[0].provenance is Provenance.MEASURED


def test_padding_of_some_is_two_models_and_of_all_a_waste(fill, examine):
    fill(10, PADDED)
    (finding,) = examine("EMB003").findings
    assert finding.symptom == "10 of 10 vectors of made_here.embedding hold only zeros behind 768 dimensions"
    assert finding.severity is Severity.WARNING
    fill(10, plain(), first=100)
    (finding,) = examine("EMB003").findings
    assert finding.cause == "two models share the column, one of them padded"
    assert finding.severity is Severity.ERROR


def test_two_models_are_told_by_the_column_that_names_them(fill, examine):
    fill(10, NORMALISED, "'nomic-embed-text'")
    fill(10, NORMALISED, "'mxbai-embed-large'", first=100)
    (finding,) = examine("EMB003").findings
    assert finding.symptom == "made_here.embedding has vectors of 2 models: mxbai-embed-large, nomic-embed-text"


def test_a_mixture_of_lengths_is_a_warning(fill, examine):
    fill(10, NORMALISED)
    fill(10, plain(), first=100)
    (finding,) = examine("EMB003").findings
    assert finding.symptom == "10 of 20 vectors of made_here.embedding have length one, the others have not"
    assert finding.severity is Severity.WARNING


SPREAD = f"(SELECT array_agg(x * (0.9 + 0.2 * n / 50.0)) FROM unnest({NORMALISED}::real[]) AS x)::vector"


def test_lengths_of_one_model_that_spread_around_one_are_no_mixture(fill, examine):
    fill(50, SPREAD)
    assert examine("EMB003").status is Status.PASS


def test_what_half_precision_rounds_is_normalised_all_the_same(fill, examine):
    fill(20, f"{NORMALISED}::halfvec({DIMENSIONS})::vector")
    fill(20, plain(), first=100)
    (finding,) = examine("EMB003").findings
    assert finding.symptom == "20 of 40 vectors of made_here.embedding have length one, the others have not"


def test_of_a_large_table_a_part_is_read_and_the_finding_says_so(fill, execute, examine, monkeypatch):
    monkeypatch.setattr(vector_sample, "READ", 1 << 20)
    fill(2_000, ZERO)
    (finding,) = examine("EMB003").findings
    assert finding.evidence[0].provenance is Provenance.ESTIMATED
    assert "a sample of" in finding.evidence[0].text


def test_half_precision_is_measured_too(execute, examine):
    execute(
        "CREATE TABLE made_here (id int PRIMARY KEY, embedding halfvec(4))",
        "INSERT INTO made_here VALUES (1, '[0,0,0,0]'), (2, '[1,0,0,0]')",
    )
    try:
        (finding,) = examine("EMB003").findings
    finally:
        execute("DROP TABLE made_here")
    assert finding.symptom == "1 of 2 vectors of made_here.embedding have no length"


def test_a_secret_as_the_name_of_a_model_is_not_shown(fill, examine):
    fill(2, NORMALISED, "'api_key=sk-planted0123456789abcdef'")
    fill(2, NORMALISED, "'other'", first=100)
    assert "planted0123456789" not in repr(examine("EMB003"))


def test_a_column_that_the_role_may_not_read_is_not_healthy(execute, examine, pipeline):
    execute("CREATE ROLE reader LOGIN PASSWORD 'reader'", "GRANT SELECT ON atoms, topics TO reader")
    scheme, _, rest = pipeline.environment()["DATABASE_URL"].partition("//")
    try:
        result = examine("EMB003", DATABASE_URL=f"{scheme}//reader:reader@{rest.rpartition('@')[2]}")
    finally:
        execute("DROP OWNED BY reader", "DROP ROLE reader")
    assert result.status is Status.UNKNOWN
    assert "public.messages: the role may not read embedding" in result.reason


def test_a_zero_vector_is_found_in_a_column_of_any_length_too(execute, examine):
    execute(
        "CREATE TABLE made_here (id int PRIMARY KEY, embedding vector, embedding_model text)",
        "INSERT INTO made_here VALUES (1, '[0,0,0]', 'one'), (2, '[1,2]', 'another')",
    )
    try:
        (finding,) = examine("EMB003").findings
    finally:
        execute("DROP TABLE made_here")
    assert finding.symptom == "1 of 2 vectors of made_here.embedding have no length"

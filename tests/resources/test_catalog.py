"""Vector columns and tables as a real catalog shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import psycopg.sql
import pytest

from doctor.model import Secret
from doctor.resources.catalog import (
    ForeignKey,
    VectorIndex,
    identifier,
    parts,
    parts_of,
    qualified,
    tables_like,
    vector_columns,
)
from doctor.resources.database import Database

SCHEMA = """
CREATE EXTENSION vector;
CREATE SCHEMA "odd schema";
CREATE TABLE "odd schema"."Odd.100%table" (
    a int, b uuid DEFAULT gen_random_uuid(), "v%" vector(3), h halfvec(4), free vector, PRIMARY KEY (b, a)
);
CREATE INDEX by_l2 ON "odd schema"."Odd.100%table" USING hnsw ("v%" vector_l2_ops) WITH (m = 8);
CREATE INDEX by_expression ON "odd schema"."Odd.100%table" USING hnsw (("v%"::halfvec(3)) halfvec_cosine_ops);
CREATE INDEX plain ON "odd schema"."Odd.100%table" ("v%");
CREATE INDEX missing ON "odd schema"."Odd.100%table" (a) WHERE "v%" IS NULL;
INSERT INTO "odd schema"."Odd.100%table" (a, "v%") SELECT i, CASE WHEN i % 2 = 0 THEN '[1,2,3]'::vector END
    FROM generate_series(1, 100) i;
ANALYZE "odd schema"."Odd.100%table";
CREATE TABLE bare (id bigint PRIMARY KEY, embedding vector(1536));
CREATE TABLE parted (id int, embedding vector(2)) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
"""

KINDS_OF_INDEXES = """
CREATE TABLE kinds (id int PRIMARY KEY, embedding vector(8), sparse sparsevec(8));
INSERT INTO kinds SELECT i, array_fill(i, ARRAY[8])::vector FROM generate_series(1, 100) i;
CREATE INDEX by_lists ON kinds USING ivfflat (embedding vector_ip_ops) WITH (lists = 3);
CREATE INDEX by_bits ON kinds USING hnsw ((binary_quantize(embedding)::bit(8)) bit_hamming_ops);
CREATE INDEX sparse ON kinds USING hnsw (sparse sparsevec_l2_ops) WITH (m = 8, ef_construction = 32);
CREATE INDEX nulls ON kinds (id) WHERE embedding IS NULL;
CREATE INDEX fewer_nulls ON kinds (id) WHERE embedding IS NULL AND id > 3;
"""

NESTED = """
CREATE TABLE nested (id int, at int, embedding vector(2)) PARTITION BY RANGE (id);
CREATE TABLE nested_1 PARTITION OF nested FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (at);
CREATE TABLE nested_1_1 PARTITION OF nested_1 FOR VALUES FROM (0) TO (10);
CREATE TABLE nested_2 PARTITION OF nested FOR VALUES FROM (100) TO (200);
CREATE TABLE nested_3 PARTITION OF nested FOR VALUES FROM (200) TO (300);
INSERT INTO nested SELECT i, 1, CASE WHEN i < 100 THEN '[1,2]'::vector END FROM generate_series(50, 199) i;
ANALYZE nested_1_1;
ANALYZE nested_2;
CREATE TABLE heir () INHERITS (bare);
INSERT INTO bare SELECT 1, NULL;
INSERT INTO heir SELECT 2, NULL;
ANALYZE bare;
"""


@pytest.fixture
async def catalog(database: Database, postgres: Any, database_url: str) -> Database:
    postgres.execute(SCHEMA, database=database_url.rpartition("/")[2])
    return database


async def test_without_the_extension_there_are_no_vector_columns(database: Database):
    assert await vector_columns(database) == ()


async def test_every_vector_column_of_every_schema_is_found(catalog: Database):
    names = {column.name: column for column in await vector_columns(catalog)}
    assert list(names) == [
        "odd schema.Odd.100%table.free",
        "odd schema.Odd.100%table.h",
        "odd schema.Odd.100%table.v%",
        "public.bare.embedding",
        "public.parted.embedding",
        "public.parted_1.embedding",
    ]
    assert [(column.type, column.dimensions) for column in names.values()] == [
        ("vector", None),
        ("halfvec", 4),
        ("vector", 3),
        ("vector", 1536),
        ("vector", 2),
        ("vector", 2),
    ]
    assert names["public.parted.embedding"].partitioned
    assert names["public.parted_1.embedding"].partition


async def test_statistics_come_with_the_column_and_say_when_there_are_none(catalog: Database):
    columns = {column.name: column for column in await vector_columns(catalog)}
    odd, bare = columns["odd schema.Odd.100%table.v%"], columns["public.bare.embedding"]
    assert (odd.estimated_rows, odd.never_analyzed, odd.null_fraction, odd.primary_key) == (100, False, 0.5, ("b", "a"))
    assert (bare.estimated_rows, bare.never_analyzed, bare.null_fraction, bare.primary_key) == (0, True, None, ("id",))
    assert odd.heap_bytes > 0
    assert odd.can_select
    assert await catalog.scalar(psycopg.sql.SQL("SELECT count(*) FROM {}").format(odd.quoted_table)) == 100


async def test_indexes_of_all_kinds_are_listed_and_those_for_similarity_told_apart(catalog: Database):
    column = next(column for column in await vector_columns(catalog) if column.column == "v%")
    indexes = {index.name: index for index in column.indexes}
    assert set(indexes) == {"by_l2", "by_expression", "plain", "missing"}
    assert {index.name for index in column.vector_indexes} == {"by_l2", "by_expression"}
    assert indexes["by_l2"].operator_classes == ("vector_l2_ops",)
    assert indexes["by_l2"].options == ("m=8",)
    assert indexes["by_l2"].is_usable
    assert indexes["by_expression"].expression
    assert indexes["by_expression"].operator_classes == ("halfvec_cosine_ops",)
    assert indexes["missing"].predicate == '("v%" IS NULL)'
    assert indexes["by_l2"].definition.startswith("CREATE INDEX by_l2 ON")


async def test_indexes_over_lists_bits_and_sparse_vectors_are_for_similarity_too(catalog: Database):
    async with catalog.connect_for_writing() as writer:
        await writer.execute(KINDS_OF_INDEXES)
    columns = {column.name: column for column in await vector_columns(catalog)}
    plain, sparse = columns["public.kinds.embedding"], columns["public.kinds.sparse"]
    assert [(i.name, i.method, i.operator_classes, i.options, i.expression) for i in plain.vector_indexes] == [
        ("by_bits", "hnsw", ("bit_hamming_ops",), (), "(binary_quantize(embedding))::bit(8)"),
        ("by_lists", "ivfflat", ("vector_ip_ops",), ("lists=3",), None),
    ]
    assert [(i.name, i.options) for i in sparse.indexes] == [("sparse", ("m=8", "ef_construction=32"))]
    assert (sparse.type, sparse.dimensions) == ("sparsevec", 8)


async def test_an_index_over_exactly_the_nulls_is_known_as_one(catalog: Database):
    async with catalog.connect_for_writing() as writer:
        await writer.execute(KINDS_OF_INDEXES)
    columns = {column.name: column for column in await vector_columns(catalog)}
    assert columns["public.kinds.embedding"].has_index_of_nulls
    assert not columns["public.kinds.sparse"].has_index_of_nulls
    assert columns["odd schema.Odd.100%table.v%"].has_index_of_nulls


async def test_a_partitioned_table_has_the_numbers_of_its_partitions_at_any_depth(catalog: Database):
    async with catalog.connect_for_writing() as writer:
        await writer.execute(NESTED)
    columns = {column.table: column for column in await vector_columns(catalog)}
    whole, leaves = columns["nested"], [columns[name] for name in ("nested_1_1", "nested_2", "nested_3")]
    assert (whole.estimated_rows, whole.null_fraction, whole.never_analyzed) == (150, pytest.approx(2 / 3), False)
    assert whole.heap_bytes == sum(leaf.heap_bytes for leaf in leaves) > 0
    assert whole.total_bytes == sum(leaf.total_bytes for leaf in leaves)
    assert all(leaf.partition for leaf in leaves)


async def test_a_table_that_others_inherit_from_is_one_column_with_the_rows_of_all(catalog: Database):
    async with catalog.connect_for_writing() as writer:
        await writer.execute(NESTED)
    bare = [column for column in await vector_columns(catalog) if column.table == "bare"]
    assert [column.heap_bytes for column in bare] == [2 * 8192]


async def test_rows_that_a_policy_hides_are_told_of(catalog: Database, database_url: str):
    async with catalog.connect_for_writing() as writer:
        await writer.execute("ALTER TABLE bare ENABLE ROW LEVEL SECURITY")
        await writer.execute("CREATE ROLE guarded LOGIN PASSWORD 'guarded'")
        await writer.execute("GRANT SELECT ON bare, parted TO guarded")
    parts = psycopg.conninfo.conninfo_to_dict(database_url)
    address = f"postgresql://guarded:guarded@127.0.0.1:{parts['port']}/{parts['dbname']}"
    guarded = Database(Secret(address), origin="test")
    try:
        hidden = {column.table: column.rows_hidden for column in await vector_columns(guarded)}
    finally:
        await guarded.close()
        async with catalog.connect_for_writing() as writer:
            await writer.execute("DROP OWNED BY guarded")
            await writer.execute("DROP ROLE guarded")
    assert (hidden["bare"], hidden["parted"]) == (True, False)


async def building_indexes(database: Database) -> list[VectorIndex]:
    return [index for column in await vector_columns(database) for index in column.indexes if index.building]


async def test_an_index_that_is_being_built_is_not_broken(catalog: Database):
    async with (
        catalog.connect_for_writing() as builder,
        catalog.connect_for_writing() as holder,
        asyncio.TaskGroup() as group,
        holder.transaction(),
    ):
        await holder.execute("INSERT INTO bare VALUES (1, NULL)")
        group.create_task(
            builder.execute("CREATE INDEX CONCURRENTLY slow ON bare USING hnsw (embedding vector_cosine_ops)")
        )
        async with asyncio.timeout(10):
            while not (building := await building_indexes(catalog)):
                await asyncio.sleep(0.01)
        (index,) = building
        assert (index.valid, index.is_broken, index.is_usable) == (False, False, False)


async def test_what_a_failed_concurrent_build_leaves_behind_is_broken(catalog: Database):
    async with (
        catalog.connect_for_writing() as builder,
        catalog.connect_for_writing() as holder,
        holder.transaction(),
    ):
        await holder.execute("INSERT INTO bare VALUES (1, NULL)")
        await builder.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            await builder.execute("CREATE INDEX CONCURRENTLY half ON bare USING hnsw (embedding vector_cosine_ops)")
    (index,) = next(column for column in await vector_columns(catalog) if column.table == "bare").indexes
    assert (index.name, index.valid, index.building, index.is_broken, index.is_usable) == (
        "half",
        False,
        False,
        True,
        False,
    )


@pytest.fixture
def blind_url(postgres: Any, database_url: str) -> Iterator[str]:
    """The address for a role that may see nothing of what others do."""
    postgres.execute("CREATE ROLE blind LOGIN PASSWORD 'blind'")
    parts = psycopg.conninfo.conninfo_to_dict(database_url)
    yield f"postgresql://blind:blind@127.0.0.1:{parts['port']}/{parts['dbname']}"
    postgres.execute("DROP ROLE blind")


async def test_a_role_that_may_not_see_the_builder_sees_that_an_index_is_being_built(catalog: Database, blind_url: str):
    blind = Database(Secret(blind_url), origin="test")
    async with (
        catalog.connect_for_writing() as builder,
        catalog.connect_for_writing() as holder,
        asyncio.TaskGroup() as group,
        holder.transaction(),
    ):
        await holder.execute("INSERT INTO bare VALUES (1, NULL)")
        group.create_task(
            builder.execute("CREATE INDEX CONCURRENTLY slow ON bare USING hnsw (embedding vector_cosine_ops)")
        )
        async with asyncio.timeout(10):
            while not await building_indexes(catalog):
                await asyncio.sleep(0.01)
        hidden = await blind.scalar("SELECT count(index_relid) FROM pg_stat_progress_create_index")
        seen = await building_indexes(blind)
    await blind.close()
    assert hidden == 0
    assert [(index.name, index.is_broken) for index in seen] == [("slow", False)]


async def test_a_partitioned_index_waits_for_its_partitions_and_is_not_broken(catalog: Database):
    async with catalog.connect_for_writing() as writer:
        await writer.execute("CREATE INDEX whole ON ONLY parted USING hnsw (embedding vector_cosine_ops)")
    columns = {column.table: column for column in await vector_columns(catalog)}
    (index,) = columns["parted"].indexes
    assert (index.valid, index.partitioned, index.is_broken, index.is_usable) == (False, True, False, False)
    assert (columns["parted_1"].root, columns["parted"].root) == ("public.parted", None)


async def test_an_index_tells_by_which_operators_it_gives_rows_in_order(catalog: Database):
    async with catalog.connect_for_writing() as writer:
        await writer.execute(KINDS_OF_INDEXES)
    found = {index.name: index.operators for column in await vector_columns(catalog) for index in column.indexes}
    assert found["by_l2"] == ("<->",)
    assert found["by_expression"] == ("<=>",)
    assert found["by_lists"] == ("<#>",)
    assert found["by_bits"] == ("<~>",)
    assert found["plain"] == ()


async def test_a_role_without_privileges_sees_the_columns_and_that_it_may_not_read_them(
    catalog: Database, blind_url: str
):
    blind = Database(Secret(blind_url), origin="test")
    column = next(column for column in await vector_columns(blind) if column.column == "v%")
    assert (column.can_select, column.null_fraction, column.dimensions) == (False, None, 3)
    await blind.close()


async def test_tables_are_found_by_their_columns_with_the_way_to_their_neighbours(database: Database):
    async with database.connect_for_writing() as writer:
        await writer.execute('CREATE SCHEMA "Other%"')
        await writer.execute("CREATE TABLE providers (id int PRIMARY KEY, type text)")
        await writer.execute(
            'CREATE TABLE "Other%"."agent configs" (id uuid PRIMARY KEY, name text, model_name varchar(80), '
            "is_active boolean, provider int CONSTRAINT to_provider REFERENCES public.providers (id))"
        )
        await writer.execute("CREATE VIEW agents_view AS SELECT 'a' AS name, 'b' AS model_name, true AS is_active")
    (table,) = await tables_like(database, {"name", "model_name", "is_active"})
    assert table.name == "Other%.agent configs"
    assert table.columns["model_name"] == "character varying(80)"
    assert table.primary_key == ("id",)
    assert table.foreign_keys == (ForeignKey("to_provider", ("provider",), "public", "providers", ("id",)),)
    assert await database.scalar(psycopg.sql.SQL("SELECT count(*) FROM {}").format(table.quoted)) == 0
    assert await tables_like(database, {"name'; DROP TABLE providers; --"}) == ()


async def test_an_index_that_is_locked_blocks_no_question(catalog: Database):
    async with catalog.connect_for_writing() as holder, holder.transaction():
        await holder.execute('REINDEX INDEX "odd schema".by_l2')
        columns = await vector_columns(catalog)
    (odd,) = (column for column in columns if column.column == "v%")
    assert odd.heap_bytes > 0
    assert "by_l2" in [index.name for index in odd.indexes]


async def test_a_lock_that_somebody_waits_for_blocks_no_question(catalog: Database):
    async with catalog.connect_for_writing() as writer:
        await writer.execute("CREATE INDEX plain ON bare USING hnsw (embedding vector_cosine_ops)")
        await writer.execute("CREATE INDEX part ON bare USING hnsw (embedding vector_cosine_ops) WHERE id > 3")
    async with (
        catalog.connect_for_writing() as reader,
        catalog.connect_for_writing() as waiting,
        asyncio.TaskGroup() as group,
        reader.transaction(),
    ):
        await reader.execute("SELECT FROM bare")
        group.create_task(waiting.execute("ALTER TABLE bare ADD COLUMN later int"))
        async with asyncio.timeout(10):
            while not await catalog.scalar("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
        (bare,) = (column for column in await vector_columns(catalog) if column.table == "bare")
        assert [(index.name, index.predicate, index.definition) for index in bare.indexes] == [
            ("part", "?", ""),
            ("plain", None, ""),
        ]


@pytest.mark.parametrize(
    ("schema", "table"),
    [("public", "notes"), ("my.app", "notes"), ('"', "a.b"), ('a"."b', '"c".d'), ("public", "a.b"), ("Odd", "Table")],
)
def test_a_name_is_told_again_whatever_it_holds(schema: str, table: str):
    name = qualified(schema, table)
    assert parts(name) == (schema, table)
    assert identifier(name) == psycopg.sql.Identifier(schema, table)


async def test_a_partition_in_a_schema_with_a_dot_knows_its_root(catalog: Database):
    async with catalog.connect_for_writing() as writer:
        await writer.execute('CREATE SCHEMA "my.app"')
        await writer.execute('CREATE TABLE "my.app".notes (id int, embedding vector(2)) PARTITION BY RANGE (id)')
        await writer.execute('CREATE TABLE "my.app".one PARTITION OF "my.app".notes FOR VALUES FROM (0) TO (10)')
    columns = await vector_columns(catalog)
    whole = next(column for column in columns if column.table == "notes")
    assert whole.table_name == '"my.app".notes'
    assert [part.table for part in parts_of(whole, columns)] == ["one"]
    assert whole.table_name in {table.name for table in await tables_like(catalog, ["embedding"])}

"""An index for another distance gives way to the right one, which stands before the old one goes; undo turns back."""

from __future__ import annotations

import psycopg
import pytest

from doctor.fix import NothingToDoError
from doctor.fixes.rebuild_vector_index import REBUILD_VECTOR_INDEX
from doctor.fixes.replace_vector_index import REPLACE_VECTOR_INDEX
from tests.index.conftest import Notes, Repair

OLD = (
    "CREATE INDEX by_l2 ON notes USING hnsw (embedding vector_l2_ops) WITH (m = 5, ef_construction = 40) WHERE kind = 1"
)
WANTED = {"operator": "<=>", "instead_of": ["public.by_l2"]}


async def test_the_new_index_is_built_and_the_old_one_dropped(notes: Notes, repair: Repair):
    notes.make(50)
    notes.execute(OLD)
    meant = notes.definition("by_l2")
    _, plan = await repair.plan(REPLACE_VECTOR_INDEX, **WANTED)
    assert plan.preview.splitlines()[3] == "DROP INDEX CONCURRENTLY public.by_l2;"
    assert "op.drop_index('by_l2', 'notes', schema='public', postgresql_concurrently=True" in plan.preview
    assert "and drop public.by_l2" in await repair.make(REPLACE_VECTOR_INDEX, **WANTED)
    assert notes.indexes() == {"notes_embedding_hnsw_cosine": True}
    with pytest.raises(NothingToDoError):
        await repair.plan(REPLACE_VECTOR_INDEX, **WANTED)
    assert await repair.undo() == [
        "index public.by_l2 built again",
        "index public.notes_embedding_hnsw_cosine dropped",
    ]
    assert (notes.indexes(), notes.definition("by_l2")) == ({"by_l2": True}, meant)


async def test_a_schema_whose_name_holds_a_dot_is_told_from_its_tables(notes: Notes, repair: Repair):
    notes.make(50)
    notes.execute(OLD)
    notes.execute('CREATE SCHEMA "a.b"')
    notes.execute('ALTER TABLE notes SET SCHEMA "a.b"')
    wanted = {"table": '"a.b".notes', "operator": "<=>", "instead_of": ['"a.b".by_l2']}
    _, plan = await repair.plan(REPLACE_VECTOR_INDEX, **wanted)
    assert 'DROP INDEX CONCURRENTLY "a.b".by_l2;' in plan.preview
    await repair.make(REPLACE_VECTOR_INDEX, **wanted)
    assert notes.indexes() == {"notes_embedding_hnsw_cosine": True}
    notes.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '\"a.b\".notes_embedding_hnsw_cosine'::regclass"
    )
    await repair.make(REBUILD_VECTOR_INDEX, table='"a.b".notes', index='"a.b".notes_embedding_hnsw_cosine')
    assert notes.indexes() == {"notes_embedding_hnsw_cosine": True}
    await repair.undo()
    assert notes.indexes() == {"by_l2": True}


async def test_an_undo_that_was_killed_while_it_built_is_done_by_the_next(notes: Notes, repair: Repair):
    notes.make(50)
    notes.execute(OLD)
    await repair.make(REPLACE_VECTOR_INDEX, **WANTED)
    notes.execute(OLD)
    notes.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_l2'::regclass")
    await repair.undo()
    assert notes.indexes() == {"by_l2": True}


async def test_an_old_index_that_cannot_be_dropped_costs_the_new_one_nothing(
    notes: Notes, repair: Repair, impatient: None
):
    notes.make(50)
    notes.execute(OLD)
    with psycopg.connect(notes.url) as reader:
        reader.execute("SELECT FROM notes")
        said = await repair.make(REPLACE_VECTOR_INDEX, **WANTED)
        reader.rollback()
    assert "public.by_l2 could not be dropped" in said
    assert "later: DROP INDEX CONCURRENTLY public.by_l2" in said
    assert notes.indexes()["notes_embedding_hnsw_cosine"]
    await repair.undo()
    assert notes.indexes() == {"by_l2": True}


async def test_an_index_of_another_method_for_the_same_distance_gives_way_too(notes: Notes, repair: Repair):
    notes.make(50)
    notes.execute("CREATE INDEX lists ON notes USING ivfflat (embedding vector_cosine_ops) WITH (lists = 40)")
    await repair.make(REPLACE_VECTOR_INDEX, operator="<=>", instead_of=["public.lists"])
    assert notes.indexes() == {"notes_embedding_hnsw_cosine": True}
    assert notes.execute("SELECT to_regclass('lists')") == [(None,)]


async def test_what_serves_a_query_stays_beside_the_new_one(notes: Notes, repair: Repair):
    notes.make(50)
    notes.execute(OLD)
    await repair.make(REPLACE_VECTOR_INDEX, operator="<#>", instead_of=[])
    assert notes.indexes() == {"by_l2": True, "notes_embedding_hnsw_ip": True}

"""NULL vectors are told apart by age, and by whether they are due."""

from __future__ import annotations

import asyncio

import pytest

from doctor import embeddings
from doctor.commands.output import registry
from doctor.model import Applicability, Provenance, Role, Severity, Status
from doctor.runner import run_checks
from doctor.target import Target

MESSAGE = (
    "INSERT INTO messages (external_id, chat_id, content, importance_score, topic_id, created_at) "
    "VALUES ('{name}', 1, '{content}', 0.5, {topic}, now() - interval '{age}')"
)
TOPIC = "INSERT INTO topics (chat_id, name) VALUES (1, 'a topic')"
DIMENSIONS = "(SELECT atttypmod FROM pg_attribute WHERE attrelid = 'messages'::regclass AND attname = 'embedding')"
ITS_KEY = "(SELECT max(id) FROM topics)"


def message(name: str, age: str, content: str = "words", topic: str = "NULL") -> str:
    return MESSAGE.format(name=name, age=age, content=content, topic=topic)


def test_old_rows_are_left_over_damage_with_a_backfill(execute, examine):
    execute(message("old 1", "2 days"), message("old 2", "3 days"))
    (finding,) = examine("EMB001").findings
    assert finding.role is Role.DAMAGE
    assert "2 of 2 rows of messages, older than 24 h, have no embedding" in finding.symptom
    assert [option.fix for option in finding.fixes] == ["backfill-embeddings"]


def test_a_recent_row_that_waits_for_its_topic_is_not_late(execute, examine):
    execute(message("waits", "1 minute"))
    assert examine("EMB001").status is Status.PASS


@pytest.mark.symptom("9b")
@pytest.mark.variation("9a", "EMB001")
def test_a_recent_row_that_has_passed_every_stage_before_is_late(execute, examine_all, told):
    execute(TOPIC, message("late", "1 minute", topic=ITS_KEY))
    results = examine_all("EMB001", "EMB002", "MOD001", "NAT004", "WRK001")
    told(results)
    (finding,) = next(result for result in results if result.code == "EMB001").findings
    assert finding.role is Role.SYMPTOM
    assert finding.stage == "embedded"
    assert finding.fixes == ()


@pytest.mark.symptom("9a")
@pytest.mark.variation("9b", None)
def test_a_row_without_text_needs_no_vector(execute, examine, told):
    execute(message("empty", "2 days", content="   "))
    result = examine("EMB001")
    told([result])
    assert result.status is Status.PASS


ATOMS = (
    "INSERT INTO atoms (type, title, content, chat_id, created_at, embedding) "
    "SELECT '{kind}', 'title', 'content', 1, now() - interval '2 days' - n * interval '1 hour', {vector} "
    "FROM generate_series(1, {count}) AS n"
)
SOME_VECTOR = f"array_fill(1, ARRAY[{DIMENSIONS}])::vector"


def atoms(kind: str, count: int, vector: str = "NULL") -> str:
    return ATOMS.format(kind=kind, count=count, vector=vector)


def test_a_kind_of_row_that_never_gets_a_vector_is_named(execute, examine):
    execute(atoms("question", 4), atoms("problem", 5, SOME_VECTOR), atoms("insight", 6, SOME_VECTOR))
    (finding,) = examine("EMB001").findings
    assert finding.cause == "nothing embeds rows whose type is question"
    newest, kinds = (evidence.text for evidence in finding.evidence[1:])
    assert newest.startswith("the newest row with a vector is of 20")
    assert kinds == "no row of type question; all of insight, problem"


@pytest.mark.parametrize(
    "rows",
    [
        (atoms("question", 4), atoms("problem", 5)),
        (atoms("question", 2), atoms("problem", 5, SOME_VECTOR)),
        (atoms("question", 4), atoms("question", 1, SOME_VECTOR), atoms("problem", 5, SOME_VECTOR)),
    ],
    ids=["none has any", "too few to tell", "some of the kind have one"],
)
def test_without_a_clear_split_no_kind_is_blamed(execute, examine, rows):
    execute(*rows)
    (finding,) = examine("EMB001").findings
    assert finding.cause == "the rows were stored while nothing embedded them"


def test_a_status_that_follows_from_the_missing_vector_is_no_kind(execute, examine):
    execute(
        atoms("problem", 4),
        atoms("problem", 5, SOME_VECTOR),
        "ALTER TABLE atoms ADD COLUMN status text",
        "UPDATE atoms SET status = CASE WHEN embedding IS NULL THEN 'failed' ELSE 'embedded' END",
    )
    try:
        (finding,) = examine("EMB001").findings
    finally:
        execute("ALTER TABLE atoms DROP COLUMN status")
    assert finding.cause == "the rows were stored while nothing embedded them"


@pytest.fixture
def examine_database_alone(pipeline, tmp_path, monkeypatch):
    """Run the check, and what guards it, on a target that has the pipeline's database and nothing else."""
    monkeypatch.delenv("NATS_URL", raising=False)
    (tmp_path / ".env").write_text(f"DATABASE_URL={pipeline.environment()['DATABASE_URL']}\n")

    async def work():
        checks = registry().checks
        wanted = [checks[code] for code in ("PGS001", "NAT001", "NAT002", "EMB001")]
        async with Target.at(tmp_path) as target:
            return (await run_checks(wanted, target))[-1]

    return lambda: asyncio.run(work())


def test_old_rows_are_counted_without_a_queue_and_a_chain(execute, examine_database_alone):
    execute(message("old", "2 days"), message("recent", "1 minute"))
    result = examine_database_alone()
    assert result.status is Status.FAIL
    old = next(finding for finding in result.findings if finding.role is Role.DAMAGE)
    assert "1 of 2 rows of messages, older than 10 min, have no embedding" in old.symptom
    assert [option.fix for option in old.fixes] == ["backfill-embeddings"]


@pytest.mark.parametrize(
    ("change", "configured", "applicability"),
    [
        ("RENAME content TO body", "", Applicability.SAFE),
        ("RENAME content TO headline", "", Applicability.MANUAL),
        ("RENAME content TO headline", '[[embeddings]]\ntable = "beside"\ntext = "headline"\n', Applicability.SAFE),
        ("DROP COLUMN id", "", Applicability.MANUAL),
    ],
    ids=["a text that is known", "none", "configured", "no key"],
)
def test_a_backfill_is_offered_where_text_and_key_are_known(
    beside, examine_database_alone, tmp_path, change, configured, applicability
):
    beside(10, 5, f"ALTER TABLE beside {change}")
    (tmp_path / "doctor.toml").write_text(configured)
    (finding,) = examine_database_alone().findings
    assert [option.applicability for option in finding.fixes] == [applicability]


def test_a_column_without_a_single_vector_is_told_without_a_queue(execute, examine_database_alone):
    execute(message("one", "1 minute"), message("two", "1 minute"))
    (finding,) = examine_database_alone().findings
    assert finding.role is Role.SYMPTOM
    assert "2 of 2 rows of messages" in finding.symptom


def test_recent_rows_beside_vectors_are_left_alone_without_a_queue(execute, examine_database_alone):
    execute(
        message("embedded", "1 minute"),
        f"UPDATE messages SET embedding = array_fill(0.5, ARRAY[{DIMENSIONS}])::vector",
        message("recent", "1 minute"),
    )
    result = examine_database_alone()
    assert result.status is Status.PASS
    assert "1 recent row without one may be under way: queue or chain unknown" in [o.text for o in result.observations]


def test_old_rows_are_counted_while_the_queue_is_down(execute, examine):
    execute(message("old", "2 days"))
    (finding,) = examine("EMB001", NATS_URL="nats://127.0.0.1:1").findings
    assert [option.fix for option in finding.fixes] == ["backfill-embeddings"]


BESIDE = "CREATE TABLE beside (id int PRIMARY KEY, content text, created_at timestamptz, embedding vector(2))"
ROWS = (
    "INSERT INTO beside SELECT n, 'words', now() - interval '2 days', CASE WHEN n > {nulls} THEN '[1,2]'::vector END "
    "FROM generate_series(1, {rows}) AS n"
)


@pytest.fixture
def beside(execute):
    """Make a table that no chain names, with so many rows and NULLs."""

    def make(rows: int, nulls: int, *statements: str) -> None:
        execute(BESIDE, ROWS.format(rows=rows, nulls=nulls), *statements)

    yield make
    execute("DROP TABLE IF EXISTS beside")


def test_beyond_the_limit_a_sample_is_counted_and_says_so(beside, examine, monkeypatch):
    monkeypatch.setattr(embeddings, "EXACT_UP_TO", 0)
    beside(100, 30)
    result = examine("EMB001")
    (finding,) = result.findings
    assert finding.symptom == "about 30 of 100 rows of beside, older than 10 min, have no embedding"
    assert (
        finding.evidence[0].text
        == "about 100 rows, 30 NULL (0 without text), sampled; text: content (guessed from the names)"
    )
    assert finding.evidence[0].provenance is Provenance.ESTIMATED
    assert result.observations[0].text == "about 70 of 100 rows have a vector; 1 column sampled"


def test_beyond_the_limit_an_index_of_the_nulls_is_exact(beside, examine, monkeypatch):
    monkeypatch.setattr(embeddings, "EXACT_UP_TO", 0)
    beside(100, 30, "CREATE INDEX ON beside (id) WHERE embedding IS NULL", "ANALYZE beside")
    (finding,) = examine("EMB001").findings
    assert (
        finding.evidence[0].text
        == "about 100 rows, 30 NULL (0 without text), exact; text: content (guessed from the names)"
    )


def test_what_is_locked_is_estimated_and_never_healthy(beside, examine, pipeline):
    beside(100, 30, "ANALYZE beside")
    with pipeline.connect() as holder, holder.transaction():
        holder.execute("LOCK TABLE beside IN ACCESS EXCLUSIVE MODE")
        result = examine("EMB001")
    (finding,) = result.findings
    assert (result.status, finding.severity) == (Status.UNKNOWN, Severity.WARNING)
    assert (
        finding.evidence[0].text
        == "about 100 rows, 30 NULL (0 without text), estimated, of any age; text: content (guessed from the names)"
    )
    assert "by the planner's statistics 30 of 100 rows are NULL" in result.reason


def test_a_column_that_no_stage_of_the_chain_fills_is_judged_as_without_a_chain(beside, examine):
    beside(100, 5)
    (finding,) = examine("EMB001").findings
    assert finding.severity is Severity.WARNING
    assert "older than 10 min" in finding.symptom


def test_recent_rows_of_a_column_that_no_stage_fills_may_be_under_way(beside, examine):
    beside(10, 5, "UPDATE beside SET created_at = now()")
    assert examine("EMB001").status is Status.PASS


def test_statistics_without_a_null_prove_nothing(beside, examine, pipeline):
    beside(100, 0, "ANALYZE beside")
    with pipeline.connect() as holder, holder.transaction():
        holder.execute("LOCK TABLE beside IN ACCESS EXCLUSIVE MODE")
        result = examine("EMB001")
    assert (result.status, result.findings) == (Status.UNKNOWN, ())


def test_what_is_locked_and_was_never_analysed_is_unknown(beside, examine, pipeline):
    beside(100, 30)
    with pipeline.connect() as holder, holder.transaction():
        holder.execute("LOCK TABLE beside IN ACCESS EXCLUSIVE MODE")
        result = examine("EMB001")
    assert (result.status, result.findings) == (Status.UNKNOWN, ())
    assert "run ANALYZE" in result.reason


@pytest.fixture
def as_reader(execute, pipeline):
    """The address of a role of its own, which may do what each of the given statements lets it do."""

    def make(*statements: str) -> str:
        execute("CREATE ROLE reader LOGIN PASSWORD 'reader'", *statements)
        scheme, _, rest = pipeline.environment()["DATABASE_URL"].partition("//")
        return f"{scheme}//reader:reader@{rest.rpartition('@')[2]}"

    yield make
    execute("DROP OWNED BY reader", "DROP ROLE reader")


def test_a_column_that_the_role_may_not_read_is_not_healthy(beside, examine, as_reader):
    beside(10, 0)
    address = as_reader("GRANT SELECT ON messages, atoms, topics TO reader")
    result = examine("EMB001", DATABASE_URL=address)
    assert (result.status, result.findings) == (Status.UNKNOWN, ())
    assert "public.beside.embedding: the role may not read it; GRANT SELECT ON public.beside" in result.reason


def test_a_column_whose_rows_a_policy_may_hide_is_not_healthy(beside, examine, as_reader):
    beside(10, 5, "ALTER TABLE beside ENABLE ROW LEVEL SECURITY")
    address = as_reader("GRANT SELECT ON messages, atoms, topics, beside TO reader")
    result = examine("EMB001", DATABASE_URL=address)
    assert result.status is Status.UNKNOWN
    assert "public.beside.embedding: row-level security may hide rows" in result.reason


@pytest.mark.parametrize(("nulls", "severity"), [(5, Severity.WARNING), (6, Severity.ERROR), (100, Severity.CRITICAL)])
def test_without_a_chain_the_share_of_nulls_decides(beside, examine_database_alone, nulls, severity):
    beside(100, nulls)
    (finding,) = examine_database_alone().findings
    assert finding.severity is severity


def test_a_partitioned_table_is_counted_once_with_all_its_partitions(execute, examine):
    execute(
        "CREATE TABLE parted (id int, embedding vector(2)) PARTITION BY RANGE (id)",
        "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20)",
        "INSERT INTO parted SELECT n, NULL FROM generate_series(5, 14) AS n",
    )
    try:
        (finding,) = examine("EMB001").findings
    finally:
        execute("DROP TABLE parted")
    assert finding.symptom == "10 of 10 rows of parted have no embedding"
    assert finding.evidence[0].text == "10 rows, 10 NULL (0 without text), exact, of any age; no text column is known"


ARTICLES = (
    "CREATE TABLE articles (id int PRIMARY KEY, headline text, lead jsonb, embedding vector(2))",
    "INSERT INTO articles VALUES (1, 'a headline', NULL, NULL), (2, E' \\n', NULL, NULL), (3, NULL, '{}', NULL)",
)


@pytest.fixture
def articles(execute, tmp_path):
    """Make a table whose text nobody would guess, and a doctor.toml beside the variables that says where it is."""
    execute(*ARTICLES)

    def configure(text: str) -> None:
        (tmp_path / "doctor.toml").write_text(text)

    yield configure
    execute("DROP TABLE articles")


def test_the_text_that_the_configuration_names_is_shown_and_counted_by(articles, examine_database_alone):
    articles('[[embeddings]]\ntable = "articles"\ntext = ["headline", "lead"]\n')
    (finding,) = examine_database_alone().findings
    evidence = finding.evidence[0].text
    assert (
        evidence
        == "3 rows, 3 NULL (1 without text), exact, of any age; text: headline, blank line, lead (as doctor.toml says)"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('table = "articles"\ntext = "headlin"', "takes the text of articles.embedding from `headlin`"),
        (
            'table = "article"\ntext = "headline"',
            "[[embeddings]] in doctor.toml: article.embedding is no vector column",
        ),
    ],
)
def test_a_configured_text_that_does_not_fit_the_table_is_told(articles, examine_database_alone, text, reason):
    articles(f"[[embeddings]]\n{text}\n")
    result = examine_database_alone()
    assert result.status is Status.UNKNOWN
    assert reason in result.reason

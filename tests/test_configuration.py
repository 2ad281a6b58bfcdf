"""doctor.toml is found by walking up, and a mistake in it is told with file, line, key and the likeliest word."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doctor.configuration import (
    Configuration,
    ConfigurationError,
    LoadedConfiguration,
    load_configuration,
    resolve_chain,
    resolve_index_parameters,
    resolve_queries,
    resolve_texts,
)
from doctor.given_queries import GivenQuery
from doctor.index_parameters import Hnsw, IndexParameters

EXAMPLE = Path(__file__).parents[1] / "pipeline" / "doctor.toml"

CHAIN = """\
[chain]
entry = "POST /webhook/telegram"
message_table = "messages"

[[chain.stage]]
name = "saved"
column = "id"

[[chain.stage]]
name = "scored"
column = "importance_score"
"""


QUERY = '[[queries]]\nname = "a"\nsql = "SELECT a <=> b"\n'


def load(folder: Path, text: str, name: str = "doctor.toml") -> LoadedConfiguration:
    (folder / name).write_text(text, encoding="utf-8")
    return load_configuration(folder)


def error_of(folder: Path, text: str, name: str = "doctor.toml") -> str:
    """Return the one-line message about this file, without the folder."""
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text, name)
    message = str(caught.value)
    assert message.startswith(f"{folder}/")
    return message.removeprefix(f"{folder}/")


# Where it is.


def test_without_any_file_there_are_defaults(tmp_path: Path):
    loaded = load_configuration(tmp_path)
    assert loaded.configuration == Configuration()
    assert loaded.path is None
    assert loaded.configuration.select == ("ALL",)
    assert loaded.configuration.total_timeout == 60


def test_an_empty_file_means_defaults_too(tmp_path: Path):
    loaded = load(tmp_path, "")
    assert loaded.configuration == Configuration()
    assert loaded.path == tmp_path / "doctor.toml"


def test_the_nearest_file_above_is_taken(tmp_path: Path):
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (tmp_path / "doctor.toml").write_text('fail_on = "info"')
    (tmp_path / "a" / "b" / "doctor.toml").write_text('fail_on = "warning"')
    assert load_configuration(deep).path == tmp_path / "a" / "b" / "doctor.toml"
    assert load_configuration(tmp_path / "a").configuration.fail_on == "info"


def test_a_section_of_pyproject_is_taken_where_there_is_no_file(tmp_path: Path):
    deep = tmp_path / "src"
    deep.mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n[tool.doctor]\nfail_on = "never"\n')
    loaded = load_configuration(deep)
    assert (loaded.configuration.fail_on, loaded.path) == ("never", tmp_path / "pyproject.toml")


def test_a_file_of_its_own_wins_over_pyproject_beside_it(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text('[tool.doctor]\nfail_on = "never"\n')
    assert load(tmp_path, 'fail_on = "info"').configuration.fail_on == "info"


@pytest.mark.parametrize(
    "text", ["", "[tool.ruff]\nline-length = 3\n", "not toml [", "\ufeff", "tool = 5", "[tool]\ndoctors = 1\n"]
)
def test_a_pyproject_without_the_section_is_passed_by(tmp_path: Path, text: str):
    deep = tmp_path / "package"
    deep.mkdir()
    (tmp_path / "doctor.toml").write_text('fail_on = "info"')
    (deep / "pyproject.toml").write_text(text, encoding="utf-8")
    assert load_configuration(deep).configuration.fail_on == "info"


@pytest.mark.parametrize("kind", ["folder", "fifo", "device", "loop", "dangling link", "too large"])
def test_what_is_no_plain_file_of_that_name_is_told_and_never_opened(tmp_path: Path, kind: str):
    path = tmp_path / "doctor.toml"
    make: dict[str, Callable[[], object]] = {
        "folder": path.mkdir,
        "fifo": lambda: os.mkfifo(path),
        "device": lambda: path.symlink_to("/dev/zero"),
        "loop": lambda: path.symlink_to(path),
        "dangling link": lambda: path.symlink_to(tmp_path / "nowhere"),
        "too large": lambda: path.write_text("#" * 1_000_001),
    }
    make[kind]()
    said = "not a regular file|cannot be read|at most 1,000,000"
    for explicit in (None, path):
        with pytest.raises(ConfigurationError, match=rf"doctor.toml: .*({said})"):
            load_configuration(tmp_path, explicit)


@pytest.mark.parametrize(
    "text", ["timeout = " + "9" * 5000, "a = " + "[" * 20_000, "total_timeout = inf", "timeout = nan"]
)
def test_numbers_and_depths_without_end_are_mistakes(tmp_path: Path, text: str):
    with pytest.raises(ConfigurationError):
        load(tmp_path, text)


def test_a_named_file_is_taken_and_nothing_else_looked_for(tmp_path: Path):
    (tmp_path / "doctor.toml").write_text("broken [")
    other = tmp_path / "other.toml"
    other.write_text('fail_on = "info"')
    assert load_configuration(tmp_path, other).path == other


@pytest.mark.parametrize("name", ["missing.toml", "folder"])
def test_a_named_file_that_cannot_be_read_is_told(tmp_path: Path, name: str):
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigurationError, match=rf"{name}: (cannot be read: No such file|is not a regular file)"):
        load_configuration(tmp_path, tmp_path / name)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path):
    assert load(tmp_path, '\ufefffail_on = "info"\n').configuration.fail_on == "info"


def test_the_fingerprint_changes_with_the_text_only(tmp_path: Path):
    first = load(tmp_path, 'fail_on = "info"\n').fingerprint
    assert re.fullmatch("[0-9a-f]{12}", first)
    assert load(tmp_path, 'fail_on = "info"\n').fingerprint == first
    assert load(tmp_path, 'fail_on = "error"\n').fingerprint != first


def test_the_text_of_an_embedding_is_one_column_or_several(tmp_path: Path):
    text = '[[embeddings]]\ntable = "a"\ntext = "b"\n\n[[embeddings]]\ntable = "s.c"\ncolumn = "v"\ntext = ["d", "e"]\n'
    texts = resolve_texts(load(tmp_path, text).configuration)
    assert texts.configured == {("a", "embedding"): ("b",), ("s.c", "v"): ("d", "e")}


def test_a_query_is_given_with_its_name_its_values_and_the_line_of_its_text(tmp_path: Path):
    text = f"{QUERY}values = {{ topic = 7 }}\n\n[[queries]]\nname = 'b'\nsql = '''\nSELECT a <-> b\n'''\n"
    assert resolve_queries(load(tmp_path, text)) == (
        GivenQuery("a", "SELECT a <=> b", "doctor.toml", 3, (("topic", 7),)),
        GivenQuery("b", "SELECT a <-> b\n", "doctor.toml", 8),
    )


# Mistakes.


def test_an_index_is_built_as_the_file_says(tmp_path: Path):
    text = """
    [vector_index]
    memory = "2GB"
    [[vector_index.hnsw]]
    m = 24
    ef_construction = 100
    [[vector_index.hnsw]]
    rows = 5000
    m = 8
    ef_construction = 32
    """
    parameters = resolve_index_parameters(load(tmp_path, text).configuration)
    assert parameters == IndexParameters((Hnsw(5_000, 8, 32), Hnsw(None, 24, 100)), 2 << 30)
    assert resolve_index_parameters(Configuration()) == IndexParameters()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[[vector_index.hnsw]]\nm = 48\nef_construction = 64\n",
            "doctor.toml:1: vector_index.hnsw.0: Value error, ef_construction must be at least twice m, so 96 or more",
        ),
        ('[vector_index]\nmemory = "lots"\n', "doctor.toml:2: vector_index.memory: String should match pattern"),
    ],
)
def test_parameters_that_pgvector_refuses_are_a_mistake(tmp_path: Path, text: str, message: str):
    assert error_of(tmp_path, text).startswith(message)


def test_text_that_is_no_toml_is_told_with_its_line(tmp_path: Path):
    assert error_of(tmp_path, 'a = 1\nfail_on = "info\n').startswith("doctor.toml: is not valid TOML: ")
    assert "line 2" in error_of(tmp_path, 'a = 1\nfail_on = "info\n')


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", 'fail_on = "é"'.encode("latin-1"), "a = 1".encode("utf-16")])
def test_bytes_that_are_no_text_are_told(tmp_path: Path, content: bytes):
    (tmp_path / "doctor.toml").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"doctor\.toml: is not UTF-8 text; save it as UTF-8"):
        load_configuration(tmp_path)


MISTAKES = {
    "an unknown key at the top": (
        '\nfail-on = "info"\n',
        "doctor.toml:2: fail-on: unknown key; did you mean 'fail_on'?",
    ),
    "an unknown section": ("[targets]\nname = 'x'\n", "doctor.toml:1: targets: unknown key; did you mean 'target'?"),
    "an unknown key of a section": (
        "# comment\n[target]\nname = 'x'\ndatabase_envs = []\n",
        "doctor.toml:4: target.database_envs: unknown key; did you mean 'database_env'?",
    ),
    "an unknown key of an embedding": (
        '[[embeddings]]\ntable = "a"\ntext = "b"\n\n[[embeddings]]\ntable = "c"\ntext = "d"\ncolum = "e"\n',
        "doctor.toml:8: embeddings.1.colum: unknown key; did you mean 'column'?",
    ),
    "an embedding without its text": (
        '[[embeddings]]\ntable = "a"\n',
        "doctor.toml:1: embeddings.0.text: Field required",
    ),
    "an unknown key of a query": (
        f"{QUERY}value = {{ a = 1 }}\n",
        "doctor.toml:4: queries.0.value: unknown key; did you mean 'values'?",
    ),
    "a query without its text": ('[[queries]]\nname = "a"\n', "doctor.toml:1: queries.0.sql: Field required"),
    "a query of two statements": (
        f'{QUERY}\n[[queries]]\nname = "b"\nsql = "SELECT 1; SELECT a <=> b"\n',
        "doctor.toml:7: queries.1.sql: Value error, is no single SELECT; give one query, without a `;` in it",
    ),
    "a query that writes": (
        '[[queries]]\nname = "b"\nsql = "DELETE FROM a WHERE b <=> c < 1"\n',
        "doctor.toml:3: queries.0.sql: Value error, is no single SELECT",
    ),
    "a query without vectors": (
        '[[queries]]\nname = "b"\nsql = "SELECT 1"\n',
        "doctor.toml:3: queries.0.sql: Value error, compares no vectors",
    ),
    "two queries of one name": (
        f"{QUERY}\n{QUERY}",
        "doctor.toml:1: queries: Value error, two have the name 'a'; give each its own",
    ),
    "a value that is a list": (
        f"{QUERY}values = {{ topic = [1] }}\n",
        "doctor.toml:4: queries.0.values: Value error, 'topic' is no text, number or truth value",
    ),
    "an unknown key of the chain": (
        CHAIN.replace("[[chain.stage]]", 'isolate_by = "chat_id"\n\n[[chain.stage]]', 1),
        "doctor.toml:5: chain.isolate_by: unknown key; did you mean 'isolated_by'?",
    ),
    "an unknown key of the first stage": (
        CHAIN.replace('column = "id"', 'colunm = "id"'),
        "doctor.toml:7: chain.stage.0.colunm: unknown key; did you mean 'column'?",
    ),
    "an unknown key of the second stage": (
        CHAIN + 'requeue = "message_id"\n',
        "doctor.toml:12: chain.stage.1.requeue: unknown key; did you mean 'requeue_argument'?",
    ),
    "a wrong value in the second stage, where the first has the same key": (
        CHAIN.replace('"importance_score"', "3"),
        "doctor.toml:11: chain.stage.1.column: Input should be a valid string",
    ),
    "an unknown key of an agent": (
        "[agents.knowledge_extractor]\nmodel = 'm'\nsystem_promt = 'p'\n",
        "doctor.toml:3: agents.knowledge_extractor.system_promt: unknown key; did you mean 'system_prompt'?",
    ),
    "a key that resembles nothing": ("zzz = 1\n", "doctor.toml:1: zzz: unknown key"),
    "an unknown key that begins like a type": ("interval = 5\n", "doctor.toml:1: interval: unknown key"),
    "a header with a comment": (
        "[target]  # where it is\nnmae = 'x'\n",
        "doctor.toml:2: target.nmae: unknown key; did you mean 'name'?",
    ),
    "a header with blanks": (
        "[ target ]\nnmae = 'x'\n",
        "doctor.toml:2: target.nmae: unknown key; did you mean 'name'?",
    ),
    "a wrong word": ('fail_on = "erorr"\n', "doctor.toml:1: fail_on: Input should be 'critical', 'error'"),
    "a wrong code": ('select = ["TSK001", "tsk"]\n', "doctor.toml:1: select.1: String should match pattern"),
    "a time that is none": ("timeout = 0\n", "doctor.toml:1: timeout: Input should be greater than 0"),
    "a method that is none": (
        CHAIN.replace("POST", "SEND"),
        "doctor.toml:2: chain.entry: String should match pattern",
    ),
    "no stage": (
        CHAIN.partition("\n\n")[0] + "\nstage = []\n",
        "doctor.toml:4: chain.stage: Tuple should have at least 1",
    ),
    "a missing key": ("\n[chain]\nmessage_table = 'm'\n", "doctor.toml:2: chain.entry: Field required"),
    "a missing key of the second stage": (
        CHAIN.replace('name = "scored"\n', ""),
        "doctor.toml:9: chain.stage.1.name: Field required",
    ),
    "a number that is none": (
        CHAIN.replace("\n[[", 'lookback_hours = "a day"\n\n[[', 1),
        "doctor.toml:4: chain.lookback_hours: Input should be a valid number",
    ),
    "a variable without its default": (
        CHAIN.replace("\n[[", 'lookback_hours = { env = "HOURS" }\n\n[[', 1),
        "doctor.toml:4: chain.lookback_hours",
    ),
}


@pytest.mark.parametrize("text, message", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_file_line_key_and_the_likeliest_word(tmp_path: Path, text: str, message: str):
    told = error_of(tmp_path, text)
    assert told.startswith(message)
    assert "\n" not in told


def test_a_mistake_in_pyproject_is_told_by_its_own_line(tmp_path: Path):
    text = '[project]\nname = "x"\n\n[tool.doctor]\nfail-on = "info"\n\n[tool.doctor.target]\nname = "x"\n'
    told = error_of(tmp_path, text, "pyproject.toml")
    assert told == "pyproject.toml:5: fail-on: unknown key; did you mean 'fail_on'?"
    told = error_of(
        tmp_path, text.replace("fail-on", "fail_on").replace('name = "x"\n', 'nmae = "x"\n'), "pyproject.toml"
    )
    assert told == "pyproject.toml:8: target.nmae: unknown key; did you mean 'name'?"


def test_a_section_of_pyproject_that_is_no_table_is_told(tmp_path: Path):
    assert error_of(tmp_path, "[tool]\ndoctor = 5\n", "pyproject.toml").startswith("pyproject.toml")


KEYS = ["fail_on", "interval", "floats", "from", "int", "select", "chain", "agents", "target", "timeout", "é", "a.b"]
VALUES = ["1", "nan", "'x'", "[]", "[[1]]", "{}", "{a = 1}", "true", "2026-11-20", '{env = "X"}']


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=3, unique_by=lambda pair: pair[0]))
def test_any_toml_is_a_configuration_or_one_clear_error(tmp_path_factory: pytest.TempPathFactory, pairs: list):
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_text("".join(f"{key} = {value}\n" for key, value in pairs), encoding="utf-8")
    try:
        load_configuration(file.parent, file)
    except ConfigurationError as error:
        assert str(error).startswith(f"{file}:")


# What it means.


def test_one_code_may_be_written_without_brackets(tmp_path: Path):
    assert load(tmp_path, 'select = "TSK"\nignore = ["TSK002", "VEC"]\n').configuration.select == ("TSK",)


def test_the_example_pipeline_describes_its_whole_chain():
    loaded = load_configuration(EXAMPLE.parent)
    chain = resolve_chain(loaded.configuration, lambda _name: None)
    assert chain is not None
    assert chain.stage_names == ("saved", "scored", "extracted", "embedded", "embedded atoms")
    assert (chain.lookback_hours, chain.message_threshold) == (24, 10)
    assert [agent.name for agent in chain.agents] == ["knowledge_extractor"]
    assert chain.position("extracted") == 2
    assert chain.position(None) == 5
    stage = chain.stage_of_task("app.tasks.scoring:score_message_task")
    assert stage is not None
    assert stage == chain.stage_of_task("app.tasks.scoring.score_message_task")
    needs = chain.needs_of_task("app.tasks.extraction:extract_knowledge_from_messages_task")
    assert [need.id for need in needs] == ["worker", "nats", "models", "knowledge_extractor"]
    agent_stage = chain.stage_of_agent("knowledge_extractor")
    assert agent_stage is not None
    assert agent_stage.name == "extracted"


def test_no_chain_is_no_chain():
    assert resolve_chain(Configuration(), lambda _name: None) is None


def from_environment(folder: Path, **variables: str):
    text = CHAIN.replace(
        "\n[[",
        'lookback_hours = { env = "HOURS", default = 24 }\nmessage_threshold = { env = "COUNT", default = 10 }\n\n[[',
        1,
    )
    return resolve_chain(load(folder, text).configuration, variables.get)


@pytest.mark.parametrize(
    "variables, expected",
    [
        ({}, (24, 10)),
        ({"HOURS": "", "COUNT": "  "}, (24, 10)),
        ({"HOURS": "1.5", "COUNT": "3"}, (1.5, 3)),
        ({"HOURS": " 48 ", "COUNT": "3.0"}, (48, 3)),
    ],
    ids=str,
)
def test_numbers_are_read_from_the_targets_environment(tmp_path: Path, variables: dict, expected: tuple):
    chain = from_environment(tmp_path, **variables)
    assert chain is not None
    assert (chain.lookback_hours, chain.message_threshold) == expected


@pytest.mark.parametrize("variable", ["HOURS", "COUNT"])
@pytest.mark.parametrize("value", ["a day", "1,5", "nan", "inf", "0x10"])
def test_a_variable_that_is_no_number_is_told_by_its_name(tmp_path: Path, variable: str, value: str):
    with pytest.raises(
        ConfigurationError, match=f"environment variable {variable}: its value is not a number"
    ) as caught:
        from_environment(tmp_path, **{variable: value})
    assert value not in str(caught.value)

"""What sets and reads variables, compared by meaning and shown without secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.checks.variable_contradictory import variable_contradictory
from doctor.checks.variable_empty import variable_empty
from doctor.checks.variable_missing import variable_missing
from doctor.model import Finding, Role
from doctor.resources.compose_variables import read_compose
from doctor.resources.environment import Environment
from doctor.source.index import Source
from doctor.variables import Setting, agree, shown, variables

READS = 'import os\n\nURL = os.environ["DATABASE_URL"]\nHOST = os.getenv("OLLAMA_HOST", "http://localhost:11434")\n'
COMPOSE = """\
x-shared: &shared
  NATS_URL: nats://nats:4222
services:
  api:
    build: .
    environment:
      <<: *shared
      DATABASE_URL: ${DATABASE_URL}
      PASSED:
  worker:
    build: .
    env_file: [worker.env]
    environment:
      - NATS_URL=nats://elsewhere.example:4222
      - HANDED_ON
"""


def target(root: Path, files: dict[str, str], **process: str) -> tuple[Source, Environment]:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return Source.read(root), Environment(root, process_environment=process)


def found(check, root: Path, files: dict[str, str], **process: str) -> list[Finding]:
    source, environment = target(root, files, **process)
    items = check.detect(source=source, environment=environment)
    return [item for item in items if isinstance(item, Finding)]


def settings(*values: str) -> list[Setting]:
    return [Setting("X", value, f".env:{number}") for number, value in enumerate(values, 1)]


def test_merged_blocks_lists_and_files_of_a_compose_file_are_read_with_their_lines(tmp_path: Path):
    source, environment = target(tmp_path, {"compose.yml": COMPOSE, "worker.env": "A=1\n", "app.py": READS})
    told = variables(environment, source)
    assert [(one.service, one.value, one.origin) for one in told.settings["NATS_URL"]] == [
        ("api", "nats://nats:4222", "compose.yml:2"),
        ("worker", "nats://elsewhere.example:4222", "compose.yml:14"),
    ]
    assert [(one.service, one.origin) for one in told.settings["A"]] == [("worker", "worker.env:1")]
    assert told.passed == {"DATABASE_URL", "PASSED", "HANDED_ON"}
    assert "DATABASE_URL" not in told.settings


@pytest.mark.parametrize(
    "text",
    [
        "",
        "services: []",
        "services: {a: 5}",
        "a: [",
        "&a [*a]",
        "services: &s {<<: *s}",
        "\x00",
        "services:\n  a: {environment: {b: [1]}}",
    ],
)
def test_what_is_no_compose_file_says_nothing(tmp_path: Path, text: str):
    (tmp_path / "compose.yml").write_text(text)
    assert read_compose(tmp_path).variables == ()


@given(st.text(max_size=200))
def test_no_text_makes_the_reader_of_compose_files_fail(tmp_path_factory, text: str):
    folder = tmp_path_factory.mktemp("compose")
    (folder / "compose.yml").write_text(f"services:\n  a:\n    environment:\n      {text}\n", errors="replace")
    assert all(one.service for one in read_compose(folder).variables)


@pytest.mark.parametrize(
    ("values", "same"),
    [
        (("a", "a"), True),
        (("a", "b"), False),
        (("postgresql://u:p@db:5432/x", "postgresql://u:p@localhost:5433/x"), True),
        (("postgresql://u:p@db:5432/x", "postgresql://u:p@localhost:5433/y"), False),
        (("postgresql://u:p@db/x", "postgresql://u:other@localhost/x"), False),
        (("http://ollama:11434", "ollama:11434"), True),
        (("http://ollama:11434", "http://host.docker.internal:11434/"), True),
        (("http://ollama:11434", "http://models.example:11434"), False),
        (('"a"', "a"), True),
        (("http://[", "x"), False),
    ],
)
def test_one_place_from_two_sides_is_one_meaning(values: tuple[str, ...], same: bool):
    assert agree(settings(*values), frozenset({"db", "ollama"})) is same


def test_a_variable_that_the_process_overrides_is_shadowed_and_its_values_are_redacted(tmp_path: Path):
    files = {"app.py": READS, ".env": "DATABASE_URL=postgresql://u:hunter2@one.example/x\n"}
    (finding,) = found(variable_contradictory, tmp_path, files, DATABASE_URL="postgresql://u:hunter3@two.example/x")
    assert finding.symptom == "`DATABASE_URL` of .env:1 is shadowed by the process environment"
    assert finding.role is Role.ADVICE
    assert "hunter" not in repr(finding)
    assert [evidence.source for evidence in finding.evidence] == [".env:1", "environment"]


def test_services_may_differ_in_what_is_their_own(tmp_path: Path):
    services = "".join(
        f"  {name}:\n    build: .\n    environment: {{LOG_LEVEL: {level}, TOKEN: same}}\n"
        for name, level in (("api", "INFO"), ("worker", "DEBUG"))
    )
    assert found(variable_contradictory, tmp_path, {"app.py": READS, "compose.yaml": f"services:\n{services}"}) == []


def test_a_service_of_somebody_else_has_its_own_values(tmp_path: Path):
    compose = COMPOSE.replace("  worker:\n    build: .", "  worker:\n    image: someone/else")
    assert found(variable_contradictory, tmp_path, {"app.py": READS, "compose.yml": compose, "worker.env": ""}) == []


def test_services_that_disagree_on_an_address_are_named(tmp_path: Path):
    (finding,) = found(variable_contradictory, tmp_path, {"app.py": READS, "compose.yml": COMPOSE, "worker.env": ""})
    assert finding.symptom == "`api` and `worker` disagree on `NATS_URL`"


def test_an_empty_line_that_the_process_overrides_is_no_finding(tmp_path: Path):
    files = {"app.py": READS, ".env": "OLLAMA_HOST=\n"}
    assert found(variable_empty, tmp_path, files, OLLAMA_HOST="http://ollama") == []
    assert len(found(variable_empty, tmp_path, files)) == 1


def test_a_variable_of_the_process_environment_is_set(tmp_path: Path):
    files = {"app.py": READS, ".env": "A=b\n"}
    assert found(variable_missing, tmp_path, files, DATABASE_URL="postgresql://x") == []
    (finding,) = found(variable_missing, tmp_path, {**files, ".env": "DATABSE_URL=x\n"})
    assert finding.cause == ".env:1 sets `DATABSE_URL`, which nothing reads"


def test_a_value_that_is_no_secret_is_shown_and_any_other_is_not():
    assert shown(Setting("OLLAMA_HOST", "http://ollama:11434", ".env:1")) == "http://ollama:11434"
    assert "hunter2" not in shown(Setting("API_TOKEN", "hunter2hunter2", ".env:1"))
    assert shown(Setting("X", "", ".env:1")) == "(empty)"
    assert shown(Setting("OPEN_SESAME", "hunter2", ".env:1")) == "(not shown)"
    assert "hunter2" not in shown(Setting("REPORT_URL", "https://app:hunter2@reports.example/x", ".env:1"))

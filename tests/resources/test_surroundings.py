"""`doctor init` on a project with a database: what is found is written, works at once, and holds no secret."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import psycopg
import pytest

from tests.forked_doctor import run

APP = """\
from fastapi import FastAPI
from taskiq import InMemoryBroker

broker = InMemoryBroker()
app = FastAPI()


@broker.task
async def embed_article_task(article: int) -> None: ...


@broker.task
async def save_article(article: int) -> None:
    await embed_article_task.kiq(article)


@app.post("/articles")
async def receive() -> None:
    await save_article.kiq(1)
"""


@pytest.fixture
def project(tmp_path: Path, database_url: str) -> Path:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute("CREATE TABLE articles (id int PRIMARY KEY, body text, embedding vector(3))")
        connection.execute("CREATE TABLE lost_jobs (id int PRIMARY KEY, task text, error text)")
    root = tmp_path / "mein Projekt é"
    root.mkdir()
    (root / "app.py").write_text(APP)
    (root / ".env").write_text(f"SECRET=hunter22hunter22\nPG_DSN={database_url}\n")
    (root / "compose.yaml").write_text("services:\n  db: {image: postgres}\n  'bad\\nname = 1': {image: x}\n")
    return root


def test_what_stands_there_is_written_and_works_at_once(project: Path):
    done = run("init", cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    assert "variables PG_DSN; POST /articles with 2 tasks; 1 vector column; compose.yaml" in done.stdout
    text = (project / "doctor.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text) == {
        "target": {"name": "mein Projekt é", "database_env": ["PG_DSN"]},
        "profile": {"ci": {"offline": True}},
    }
    for line in (
        '# entry = "POST /articles"',
        '# failed_tasks_table = "public.lost_jobs"',
        '# task = "app:embed_article_task"',
        '# table = "public.articles"',
    ):
        assert line in text
    assert "hunter22" not in text
    shown = json.loads(run("config", "show", "--format", "json", cwd=project).stdout)
    assert shown["settings"]["target.database_env"] == {"value": ["PG_DSN"], "origin": "doctor.toml:11"}
    assert [one["kind"] for one in shown["endpoints"]] == ["postgresql"]
    checked = json.loads(run("check", "--select", "PGS,EMB001", "--format", "json", cwd=project).stdout)
    assert checked["checks"]["PGS001"]["status"] == "pass"


def test_what_is_drawn_becomes_a_valid_chain_when_its_marks_are_taken_away(project: Path):
    text = run("init", "--print", cwd=project).stdout
    assert not (project / "doctor.toml").exists()
    start = text.index("# [chain]")
    drawn = re.sub("^# ?", "", text[start:], flags=re.MULTILINE)
    (project / "doctor.toml").write_text(text[: text.index("# The chain:")] + drawn)
    done = run("config", "show", cwd=project)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_configuration_that_is_there_is_kept(project: Path):
    (project / "doctor.toml").write_text("# mine\n")
    done = run("init", cwd=project)
    assert (done.returncode, "--force" in done.stderr) == (2, True)
    assert (project / "doctor.toml").read_text() == "# mine\n"

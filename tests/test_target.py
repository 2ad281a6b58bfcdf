"""What a target opens, and how long it may take."""

from __future__ import annotations

from pathlib import Path

import pytest

from doctor.source.index import Source, SourceReader
from doctor.target import SOURCE_TIMEOUT, Target


@pytest.mark.parametrize(
    ("settings", "limit"), [("", SOURCE_TIMEOUT), ("timeout = 3\n", SOURCE_TIMEOUT), ("timeout = 200\n", 200.0)]
)
async def test_a_longer_timeout_in_the_configuration_holds_for_reading_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, limit: float
) -> None:
    given: list[float] = []

    read = SourceReader.source

    async def reading(reader: SourceReader, timeout: float) -> Source:
        given.append(timeout)
        return await read(reader, timeout)

    (tmp_path / "doctor.toml").write_text(settings, encoding="utf-8")
    (tmp_path / "app.py").write_text("", encoding="utf-8")
    monkeypatch.setattr(SourceReader, "source", reading)
    async with Target.at(tmp_path) as target:
        await target.provide("source")
    assert given == [limit]


async def test_the_source_says_which_texts_it_embeds_and_need_not_be_there(tmp_path: Path) -> None:
    async with Target.at(tmp_path) as target:
        assert (await target.provide("texts")).embedded == ()
    job = """
def embed_notes(connection, model):
    for row in connection.execute("SELECT id, note FROM notes"):
        model.encode(row["note"])
"""
    (tmp_path / "jobs.py").write_text(job, encoding="utf-8")
    async with Target.at(tmp_path) as target:
        (text,) = (await target.provide("texts")).embedded
    assert (text.place, text.tables) == ("jobs.py:4", {"notes"})

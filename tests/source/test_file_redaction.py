"""Nothing that is kept of a file holds a secret in plain text. All are made up."""

from __future__ import annotations

from pathlib import Path

from doctor.source.reading import Reading

PLANTED = """\
import jwt, os, ollama
from jwt import decode
from loguru import logger
from pydantic_settings import BaseSettings
from taskiq_nats import NatsBroker

broker = NatsBroker("nats://user:plantedone@nats:4222", password="plantedtwo")
client = ollama.Client(host="http://user:plantedthree@models:11434")

API_KEY = os.getenv("API_KEY", "plantednine99")

class Settings(BaseSettings):
    api_key: str = "plantedten99"

@broker.task(task_name="job", password="plantedfour")
async def job(token="plantedfive"): ...

async def later(token):
    await job.kiq(api_key="plantedsix99")
    Client(api_key="plantedseven99").job.delay()
    logger.info("password=%s", "plantedeleven")
    decode(token, "plantedtwelve", algorithms=["HS256"])
    return jwt.decode(token, "plantedeight", options={"verify_signature": False})["sub"]
"""


def test_what_is_kept_of_a_file_holds_no_secret(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(PLANTED)
    reading = Reading(tmp_path, cache=tmp_path / ".doctor" / "cache")
    reading.facts()
    reading.keep()
    kept = [path.read_bytes() for path in (tmp_path / ".doctor" / "cache").iterdir()]
    assert any(b"NatsBroker" in content for content in kept)
    assert not any(b"planted" in content for content in kept)

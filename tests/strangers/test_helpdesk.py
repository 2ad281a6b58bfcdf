"""The doctor in an application that it has never seen: Celery, SQLAlchemy, ``src/``, uuid keys, and no doctor.toml.

``helpdesk`` is that application, and healthy. Each test breaks one thing in it, in its own words.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from doctor.model import Status
from doctor.source.index import Source
from doctor.task_graph import task_graph
from tests.strangers.examining import check_source, codes
from tests.strangers.renaming import renamed

HELPDESK = Path(__file__).with_name("helpdesk")
DOTENV = "DATABASE_URL=postgresql+asyncpg://helpdesk:planted@127.0.0.1:15432/helpdesk\nPOSTGRES_PASSWORD=planted\n"

UNVERIFIED = 'claims = jwt.decode(token, options={"verify_signature": False})'
VERIFIED = (
    'key = keys.get_signing_key_from_jwt(token)\n        claims = jwt.decode(token, key, algorithms=["RS256"], '
    'issuer=config.issuer, options={"verify_aud": False})'
)
OWN_KEYS = """\
        issuer = jwt.decode(token, options={"verify_signature": False})["iss"]
        key = jwt.PyJWKClient(f"{issuer}/.well-known/jwks.json").get_signing_key_from_jwt(token)
"""
DIGEST = "        write_digest.delay()\n"
SWALLOWED = """\
        try:
            write_digest.delay()
        except Exception:
            logger.warning("no digest this time")
"""

FAULTS: dict[str, tuple[str, str, str, set[str]]] = {
    "the wrapper stands above the task": (
        "jobs/digests.py",
        "@queue.task\n@patient(times=3)\n",
        "@patient(times=3)\n@queue.task\n",
        {"TSK001"},
    ),
    "an error of an enqueue is swallowed": ("jobs/reading.py", DIGEST, SWALLOWED, {"TSK002"}),
    "nothing asks for a ticket's vector": ("jobs/reading.py", "    embed_ticket.delay(ticket_id)\n", "", {"TSK005"}),
    "nothing writes digests": ("jobs/reading.py", DIGEST, "        pass\n", {"TSK004"}),
    "the wrapper hides its function": ("patience.py", "        @functools.wraps(function)\n", "", {"TSK006"}),
    "a log call has the other kind of placeholders": (
        "jobs/reading.py",
        '"{} is read, {} wait for a digest"',
        '"%s is read, %s wait for a digest"',
        {"LOG001"},
    ),
    "a file does not parse": ("language.py", "def meaning_of(", "<<<<<<< ours\ndef meaning_of(", {"DOC010"}),
    "nobody verifies the token": ("visitor.py", VERIFIED, UNVERIFIED, {"AUT001"}),
    "the token names its keys": (
        "visitor.py",
        "        key = keys.get_signing_key_from_jwt(token)\n",
        OWN_KEYS,
        {"AUT002"},
    ),
}

OTHER_NAMES = {
    "helpdesk": "amt",
    "jobs": "arbeit",
    "reading": "eingang",
    "digests": "berichte",
    "vectors": "lage",
    "queue": "band",
    "tables": "akten",
    "store": "archiv",
    "language": "sprache",
    "patience": "geduld",
    "visitor": "gast",
    "web": "tor",
    "Ticket": "Antrag",
    "Digest": "Bericht",
    "tickets": "antraege",
    "read_ticket": "lies",
    "write_digest": "fasse",
    "embed_ticket": "verorte",
    "embed_digest": "ordne",
    "patient": "geduldig",
    "meaning": "ort",
    "meaning_of": "ort_von",
    "urgency": "eile",
    "digest_id": "bericht",
}
"""Every module, task, table and column, in another language: no name says any more what something is for."""


@pytest.fixture
def helpdesk(tmp_path: Path) -> Path:
    """The application in a folder of its own."""
    root = tmp_path / "helpdesk"
    shutil.copytree(HELPDESK, root, ignore=shutil.ignore_patterns("__pycache__"))
    (root / ".env").write_text(DOTENV)
    return root


def change(root: Path, file: str, old: str, new: str) -> None:
    """Replace a text that is there once."""
    path = root / "src" / "helpdesk" / file
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_a_healthy_stranger_is_found_healthy(helpdesk: Path) -> None:
    run = check_source(helpdesk)
    assert codes(run) == set()
    assert [result.code for result in run.current if result.status is Status.UNKNOWN] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_with_a_stranger_has_the_same_name(helpdesk: Path, fault: str) -> None:
    file, old, new, expected = FAULTS[fault]
    change(helpdesk, file, old, new)
    assert codes(check_source(helpdesk)) == expected


def test_the_way_of_a_ticket_is_seen(helpdesk: Path) -> None:
    graph = task_graph(Source.read(helpdesk, for_graph=True))
    arrows = {(edge.cause.name, edge.effect.name) for edge in graph.edges}
    assert arrows >= {
        ("POST /tickets", "helpdesk.jobs.reading.read_ticket"),
        ("helpdesk.jobs.reading.read_ticket", "helpdesk.jobs.digests.write_digest"),
        ("helpdesk.jobs.reading.read_ticket", "helpdesk.jobs.vectors.embed_ticket"),
        ("helpdesk.jobs.digests.write_digest", "helpdesk.jobs.vectors.embed_digest"),
        ("helpdesk.jobs.digests.write_digest", "digests"),
    }


@pytest.mark.parametrize("fault", FAULTS)
def test_under_other_names_it_is_the_same(helpdesk: Path, fault: str) -> None:
    file, old, new, expected = FAULTS[fault]
    change(helpdesk, file, old, new)
    renamed(helpdesk / "src", OTHER_NAMES)
    assert codes(check_source(helpdesk)) == expected

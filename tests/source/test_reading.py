"""What is kept of one reading makes the next one quick, and never changes what it says."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from doctor.checks import doctor_checks
from doctor.source import parse, reading
from doctor.source.build import Build, build_facts
from doctor.source.cache import loads
from doctor.source.facts import Facts
from doctor.source.reading import Reading

JOB = "from celery import shared_task\n@shared_task\ndef job(): ...\n"
CALLER = "from jobs import job\ndef later():\n    job.delay()\n"
CONFLICT = "a = 1\n<<<<<<< HEAD\nb = 1\n=======\nb = 2\n>>>>>>> other\n"
TEXTS = [
    JOB,
    CALLER,
    CONFLICT,
    "x = (\n",
    "x = 1\n",
    "",
    "import jobs\n",
    "from loguru import logger\nlogger.info('%s', 1)\n",
]


@pytest.fixture(autouse=True)
def _all_stamps_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that were written a moment ago would be read again."""
    monkeypatch.setattr(parse, "GRANULARITY", -(10**12))


def read(root: Path, cache: Path | None) -> Facts:
    one = Reading(root, cache=cache)
    facts = one.facts()
    one.keep()
    found = loads(facts)
    assert isinstance(found, Facts)
    return found


def fresh(root: Path) -> Facts:
    return build_facts(root)


class Spy:
    """Counts which files are read and parsed."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.read: list[str] = []
        self.parsed: list[str] = []
        self.builds = 0
        from doctor.source import reader

        original_read, original_parse = reader.read_stamped, reader.parse

        def read_stamped(root: Path, path: str) -> Any:
            self.read.append(path)
            return original_read(root, path)

        def parse_(content: bytes, path: str, module: str) -> Any:
            self.parsed.append(path)
            return original_parse(content, path, module)

        patch.setattr(reader, "read_stamped", read_stamped)
        patch.setattr(reader, "parse", parse_)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "jobs.py").write_text(JOB)
    (root / "caller.py").write_text(CALLER)
    (root / "plain.py").write_text("x = 1\n")
    return root


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spy]:
    return Spy(monkeypatch)


def test_an_unchanged_tree_is_not_read_again(project: Path, tmp_path: Path, spy: Spy) -> None:
    first = read(project, tmp_path / "cache")
    spy.read.clear()
    assert read(project, tmp_path / "cache") == first == fresh(project)
    assert spy.read[:-3] == []  # the last three are those of `fresh`


def test_only_the_file_that_has_changed_is_read_and_parsed(project: Path, tmp_path: Path, spy: Spy) -> None:
    read(project, tmp_path / "cache")
    (project / "caller.py").write_text(CALLER + "\ndef again():\n    job.delay()\n")
    spy.read.clear()
    spy.parsed.clear()
    found = read(project, tmp_path / "cache")
    assert (set(spy.read), spy.parsed) == ({"caller.py", "plain.py"}, ["caller.py"])  # whether plain.py uses `again`
    assert [one.function for one in found.enqueues] == ["later", "again"]


def test_a_file_that_was_only_touched_is_read_but_nothing_is_linked_again(
    project: Path, tmp_path: Path, spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read(project, tmp_path / "cache")
    os.utime(project / "jobs.py", (1, 1))
    spy.read.clear()
    monkeypatch.setattr(Build, "facts", None)
    assert read(project, tmp_path / "cache") == first
    assert spy.read == ["jobs.py"]
    assert read(project, tmp_path / "cache") == first
    assert spy.read == ["jobs.py"]


def test_a_file_that_was_written_to_a_moment_ago_is_read_again(
    project: Path, tmp_path: Path, spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two writes within the clock's granularity leave the same time behind: git calls this racily clean."""
    monkeypatch.setattr(parse, "GRANULARITY", 2_000_000_000)
    read(project, tmp_path / "cache")
    state = (project / "plain.py").stat()
    (project / "plain.py").write_text("y = 2\n")  # as long as before
    os.utime(project / "plain.py", ns=(state.st_atime_ns, state.st_mtime_ns))
    spy.read.clear()
    read(project, tmp_path / "cache")
    assert sorted(spy.read[:3]) == ["caller.py", "jobs.py", "plain.py"]


def test_a_new_a_moved_and_a_removed_file_are_seen(project: Path, tmp_path: Path) -> None:
    read(project, tmp_path / "cache")
    (project / "app").mkdir()
    (project / "app" / "__init__.py").write_text("")
    assert read(project, tmp_path / "cache") == fresh(project)
    (project / "jobs.py").rename(project / "app" / "jobs.py")
    assert read(project, tmp_path / "cache") == fresh(project)
    (project / "caller.py").unlink()
    assert read(project, tmp_path / "cache") == fresh(project)


def test_a_package_file_gives_the_files_beside_it_other_names(tmp_path: Path) -> None:
    (tmp_path / "src" / "app").mkdir(parents=True)
    (tmp_path / "src" / "app" / "jobs.py").write_text(JOB + "x = (\n")
    for name in ("app.jobs", "src.app.jobs"):
        assert [one.module for one in read(tmp_path, tmp_path / ".doctor" / "cache").unparsable] == [name]
        (tmp_path / "src" / "__init__.py").write_text("")


def test_a_project_that_was_moved_is_read_where_it_is(project: Path, tmp_path: Path) -> None:
    read(project, tmp_path / "cache")
    moved = project.rename(tmp_path / "moved")
    assert read(moved, tmp_path / "cache") == fresh(moved)


def test_what_could_not_be_read_is_tried_again(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from doctor.source import reader
    from doctor.source.facts import UnparsableKind

    with monkeypatch.context() as patch:
        patch.setattr(reader, "read_stamped", lambda *_: (UnparsableKind.UNREADABLE, "Permission denied"))
        assert len(read(project, tmp_path / "cache").unparsable) == 3
    assert read(project, tmp_path / "cache") == fresh(project)


def test_secrets_are_redacted_before_anything_is_kept_of_the_whole(project: Path, tmp_path: Path) -> None:
    (project / "jobs.py").write_text(
        'from tenacity import retry\nfrom celery import shared_task\n@retry("postgresql://me:hunter2secret@db/x")\n'
        "@shared_task\ndef job(): ...\n"
    )
    read(project, tmp_path / "cache")
    assert b"hunter2secret" not in (tmp_path / "cache" / "checks-tree").read_bytes()


def test_a_sealed_file_of_something_else_is_no_cache(project: Path, tmp_path: Path) -> None:
    from doctor.source.cache import FactCache

    cache = FactCache(tmp_path / "cache")
    for payload in (pickle.dumps(["no tree"]), b"no pickle"):
        cache.save("checks-tree", payload)
        cache.save("checks-files", payload)
        assert read(project, tmp_path / "cache") == fresh(project)


def test_nothing_is_kept_of_a_folder_without_python(tmp_path: Path) -> None:
    read(tmp_path, tmp_path / ".doctor" / "cache")
    assert list(tmp_path.iterdir()) == []


def test_many_readers_of_one_tree_at_once_agree(project: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "doctor.source.worker", str(project), str(tmp_path / "cache")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(4)]
    seen = {one.communicate()[0] for one in running}
    assert [loads(facts) for facts in seen] == [fresh(project)] * len(seen)
    assert not list((tmp_path / "cache").glob("*.partial"))


@example([("a", "import jobs\n"), ("jobs", CONFLICT), ("jobs", JOB)])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "jobs", "p/b", "p/__init__"]), st.sampled_from([*TEXTS, None])), max_size=6
    )
)
def test_whatever_changes_a_reading_with_a_cache_says_what_one_without_says(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, str | None]]
) -> None:
    root = tmp_path_factory.mktemp("any")
    (root / "p").mkdir()
    for name, text in changes:
        path = root / f"{name}.py"
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text)
        assert read(root, root / ".doctor" / "cache") == fresh(root)


def test_the_facts_of_every_example_survive_the_cache(tmp_path: Path) -> None:
    examples = [one for check in doctor_checks() for one in (*check.bad, *check.good) if one.files]
    for number, one in enumerate(examples):
        for name, text in one.files.items():
            path = tmp_path / str(number) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    kept = Reading(tmp_path, cache=tmp_path / ".doctor" / "cache")
    facts = loads(kept.facts())
    kept.keep()
    (tmp_path / "one_more.py").write_text("")
    again = loads(Reading(tmp_path, cache=tmp_path / ".doctor" / "cache").facts())
    assert again.collected == facts.collected
    assert len(facts.collected) > 8


@pytest.mark.parametrize("processes", [1, 2])
def test_two_processes_find_what_one_finds(project: Path, monkeypatch: pytest.MonkeyPatch, processes: int) -> None:
    from doctor.source import crew

    monkeypatch.setattr(crew, "WORTH_SHARING", 0)
    for number in range(6):
        (project / f"more{number}.py").write_text(TEXTS[number])
    assert loads(Reading(project).facts(processes=processes)) == fresh(project)


def test_a_partner_that_dies_leaves_its_part_to_the_other(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from doctor.source import crew

    monkeypatch.setattr(crew, "WORTH_SHARING", 0)
    monkeypatch.setattr(crew.Crew, "_serve", lambda *_: os._exit(1))
    assert loads(Reading(project).facts(processes=2)) == fresh(project)


def test_a_reading_knows_where_its_time_went(project: Path) -> None:
    one = reading.Reading(project)
    one.facts()
    assert list(one.phases.seconds)[:3] == ["discovery", "kept facts", "reading and pre-filter"]

"""What is kept between runs is read only as this user's doctor has written it; anything else is no cache at all."""

from __future__ import annotations

import os
import pickle
import threading
import time
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doctor.source import cache
from doctor.source.cache import FactCache, loads
from doctor.source.collectors.ignore_comments import IgnoreComment
from doctor.source.discover import Stamp
from doctor.source.facts import Facts, Outcome

NAME = "checks-tree"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".doctor" / "cache"


def test_what_was_saved_is_loaded(folder: Path) -> None:
    FactCache(folder).save(NAME, b"facts")
    assert FactCache(folder).load(NAME) == b"facts"
    assert FactCache(folder).load("another") is None


def test_the_folder_ignores_itself_and_is_read_by_its_owner_alone(folder: Path) -> None:
    FactCache(folder).save(NAME, b"facts")
    assert (folder.parent / ".gitignore").read_text() == "*\n"
    assert (folder / NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == [NAME]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_file_with_any_byte_changed_or_cut_off_is_ignored(folder: Path, data: st.DataObject) -> None:
    FactCache(folder).save(NAME, b"some facts")
    content = bytearray((folder / NAME).read_bytes())
    if data.draw(st.booleans()):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] ^= data.draw(st.integers(1, 255))
    else:
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    (folder / NAME).write_bytes(content)
    assert FactCache(folder).load(NAME) is None


def test_a_file_of_somebody_else_is_ignored(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "somebody"))
    FactCache(folder).save(NAME, b"nothing is wrong here")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "me"))
    assert FactCache(folder).load(NAME) is None


def test_a_file_under_another_name_is_ignored(folder: Path) -> None:
    FactCache(folder).save("graph-tree", b"facts")
    (folder / "graph-tree").rename(folder / NAME)
    assert FactCache(folder).load(NAME) is None


def test_a_file_of_other_code_is_ignored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FactCache(folder).save(NAME, b"facts")
    monkeypatch.setattr(cache, "code_fingerprint", lambda: b"a collector reads more now")
    assert FactCache(folder).load(NAME) is None


def test_the_fingerprint_changes_with_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "source").mkdir()
    for name in ("file_names.py", "redaction.py", "redaction_rules.py", "source/collect.py"):
        (tmp_path / name).write_text("VERSION = 1\n")
    monkeypatch.setattr(cache, "_PACKAGE", tmp_path)
    before = cache.code_fingerprint.__wrapped__()
    (tmp_path / "source" / "collect.py").write_text("VERSION = 2\n")
    assert cache.code_fingerprint.__wrapped__() != before


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "too large"])
def test_what_is_no_file_of_reasonable_size_is_ignored(
    folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    FactCache(folder).save(NAME, b"facts")
    path = folder / NAME
    path.rename(folder / "elsewhere")
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("elsewhere")
    else:
        (folder / "elsewhere").rename(path)
        monkeypatch.setattr(cache, "MAX_BYTES", 36)
    assert FactCache(folder).load(NAME) is None
    FactCache(folder).save(NAME, b"f")


def test_more_than_the_limit_is_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_BYTES", 40)
    FactCache(folder).save(NAME, b"123456789")
    assert not folder.exists()


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".doctor").write_text("a file where the folder should be")
    FactCache(tmp_path / ".doctor" / "cache").save(NAME, b"facts")
    assert FactCache(tmp_path / ".doctor" / "cache").load(NAME) is None


def test_a_link_that_leads_out_of_the_target_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / ".doctor").symlink_to("outside")
    FactCache(tmp_path / ".doctor" / "cache").save(NAME, b"facts")
    assert list((tmp_path / "outside").iterdir()) == []


def test_without_a_folder_or_a_home_nothing_is_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not FactCache(None).is_on
    (tmp_path / "home").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    FactCache(folder).save(NAME, b"facts")
    assert not FactCache(folder).is_on
    assert not folder.exists()


def test_a_key_that_others_may_have_read_is_not_used(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    FactCache(folder).save(NAME, b"facts")
    (tmp_path / "home" / "doctor" / "key").chmod(0o644)
    assert FactCache(folder).load(NAME) is None


def test_many_runs_at_once_agree_on_one_key_and_see_whole_files(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    seen: list[bytes | None] = []
    payloads = [bytes([number]) * 100_000 for number in range(4)]

    def work(payload: bytes) -> None:
        for _ in range(20):
            FactCache(folder).save(NAME, payload)
            seen.append(FactCache(folder).load(NAME))

    threads = [threading.Thread(target=work, args=(payload,)) for payload in payloads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) <= set(payloads)
    assert len(seen) == 80


def test_what_a_killed_run_has_left_half_written_is_swept_up(folder: Path) -> None:
    FactCache(folder).save(NAME, b"facts")
    for name, age in (("checks-files.1a.partial", 10_000), ("checks-files.2b.partial", 1)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age,) * 2)
    FactCache(folder).save(NAME, b"new facts")
    assert sorted(path.name for path in folder.iterdir()) == ["checks-files.2b.partial", NAME]


def test_facts_are_unpickled() -> None:
    comment = IgnoreComment("a.py", 1, 1, 1, "#", ("TSK001",), "because", date(2027, 1, 31))
    value = (Facts("/", collected={"ignore-comments": (comment,)}), Outcome.RAISES, Stamp(1, 2, 3, 4), frozenset({"a"}))
    assert loads(pickle.dumps(value)) == value


class Foreign:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("exit 1",)


@pytest.mark.parametrize(
    "payload",
    [
        pickle.dumps(Foreign()),
        pickle.dumps(os.system),
        pickle.dumps(Path("/")),
        b"cdoctor.source.discover\nos.system\n.",
        b"cdoctor.source.discover\nos\n.",
        b"cdoctor.source.newer\nNewerSyntax\n.",
        b"cdoctor.source.parse\nread\n.",
        b"cbuiltins\neval\n.",
    ],
)
def test_nothing_but_facts_is_unpickled(payload: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError):
        loads(payload)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_make_the_unpickler_run_anything(payload: bytes) -> None:
    try:
        loads(payload)
    except Exception as error:  # noqa: BLE001 - whatever it raises, it has not run anything
        assert not isinstance(error, SystemExit)

"""What cannot be read is not green."""

from pathlib import Path

import pytest

from doctor.check import CouldNotTellError
from doctor.checks.unparsable_file import unparsable_file
from doctor.model import Finding, Observation
from doctor.source.facts import Facts, Unparsable, UnparsableKind
from doctor.source.index import Source
from tests.forked_doctor import run

LOCKED = Unparsable("locked.py", "locked", UnparsableKind.UNREADABLE, "Permission denied")
BROKEN = Unparsable("bad.py", "bad", UnparsableKind.SYNTAX, "invalid syntax", line=1)


def test_a_file_that_cannot_be_read_leaves_the_question_open():
    source = Source(Facts(root="/", files=("locked.py",), unparsable=(LOCKED,)))
    with pytest.raises(CouldNotTellError, match=r"`locked\.py` cannot be read: Permission denied"):
        list(unparsable_file.detect(source))


def test_what_was_found_elsewhere_is_still_reported():
    produced = unparsable_file.detect(Source(Facts(root="/", files=("bad.py",), unparsable=(LOCKED, BROKEN))))
    kept = [next(produced), next(produced)]
    with pytest.raises(CouldNotTellError):
        next(produced)
    assert [item.resource.path for item in kept if isinstance(item, Finding)] == ["bad.py"]


def test_what_cannot_be_parsed_is_not_counted_as_parsed():
    produced = list(unparsable_file.detect(Source(Facts(root="/", files=("a.py", "bad.py"), unparsable=(BROKEN,)))))
    assert [item.text for item in produced if isinstance(item, Observation)] == ["1 of 2 Python files parsed"]


@pytest.mark.parametrize(
    ("command", "code"), [(("check", "--offline"), 3), (("fix", "--yes"), 3), (("fix", "--diff"), 3), (("graph",), 3)]
)
def test_a_target_of_which_nothing_can_be_parsed_is_never_green(
    tmp_path: Path, command: tuple[str, ...], code: int
) -> None:
    (tmp_path / "script.py").write_text("print 'hello'\n")
    (tmp_path / "other.py").write_text("def f(:\n")
    done = run(*command, cwd=tmp_path)
    assert done.returncode == code
    assert "no Python file of the target can be parsed" in done.stdout or "2 files could not be read" in done.stderr


def test_a_broken_file_that_is_imported_remains_after_a_repair(tmp_path: Path) -> None:
    (tmp_path / "limits.py").write_text("DELAY = (1,\n")
    (tmp_path / "main.py").write_text("from limits import DELAY\n")
    done = run("fix", "--yes", cwd=tmp_path)
    assert done.returncode == 1
    assert "`limits.py` cannot be parsed" in done.stdout

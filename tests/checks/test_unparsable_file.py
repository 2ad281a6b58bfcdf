"""What cannot be read is not green."""

import pytest

from doctor.check import CouldNotTellError
from doctor.checks.unparsable_file import unparsable_file
from doctor.model import Finding
from doctor.source.facts import Facts, Unparsable, UnparsableKind
from doctor.source.index import Source

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

"""What is in force, and where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from doctor.configuration import ConfigurationError, load_configuration, schema
from doctor.provenance import settings

TEXT = """\
fail_on = "warning"
total_timeout = 30

[target]
database_env = ["PG_DSN"]

[profile.nightly]
fail_on = "info"

[[ignored]]
code = "VEC001"
reason = "small"
"""


def origins(folder: Path, profile: str | None = None, **environment: str) -> dict[str, tuple[Any, str]]:
    return {one.key: (one.value, one.origin) for one in settings(load_configuration(folder), profile, environment)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "doctor.toml").write_text(TEXT)
    return tmp_path


def test_each_value_has_its_line_or_is_the_default(folder: Path):
    found = origins(folder)
    assert found["fail_on"] == ("warning", "doctor.toml:1")
    assert found["target.database_env"] == (("PG_DSN",), "doctor.toml:5")
    assert found["ignored.0.code"] == ("VEC001", "doctor.toml:11")
    assert found["target.nats_env"] == (("NATS_URL",), "default")


def test_a_profile_comes_before_the_file_and_a_variable_before_both(folder: Path):
    assert origins(folder, "nightly")["fail_on"] == ("info", "profile nightly (doctor.toml:8)")
    assert origins(folder, "ci")["offline"] == (True, "profile ci (built in)")
    given = origins(folder, "nightly", DOCTOR_FAIL_ON="critical")
    assert given["fail_on"] == ("critical", "environment DOCTOR_FAIL_ON")


def test_an_unknown_profile_is_told_with_the_nearest_one(folder: Path):
    with pytest.raises(ConfigurationError, match="did you mean 'nightly'"):
        origins(folder, "nigtly")


def test_the_schema_takes_what_the_reader_takes_and_refuses_what_it_refuses():
    validator = Draft202012Validator(schema())
    validator.check_schema(schema())
    assert list(validator.iter_errors({"fail_on": "warning", "profile": {"ci": {"offline": True}}})) == []
    for wrong in ({"fail_onn": "error"}, {"fail_on": "loud"}, {"ignored": [{"code": "VEC001"}]}, {"target": {"x": 1}}):
        assert list(validator.iter_errors(wrong)), wrong

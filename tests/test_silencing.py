"""What is left out, by whom, until when, and what brings it back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.baseline import Baseline, BaselineError, Known, LastRun, dumps, load
from doctor.configuration import (
    Configuration,
    ConfigurationError,
    IgnoredConfiguration,
    LoadedConfiguration,
    load_configuration,
)
from doctor.ignored import Ignored
from doctor.level import Level
from doctor.model import CheckResult, Finding, Metric, Resource, Severity, Status, SuppressionKind
from doctor.mutes import Muted, MuteError, MuteStore, mute
from doctor.severities import with_severities
from doctor.silencing import OUT_OF_DATE, silence
from tests.example_runs import finding, result

TODAY = date(2026, 11, 25)
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def nulls(rows: float, column: str = "public.atoms.embedding", severity: Severity = Severity.ERROR) -> Finding:
    metric = Metric("rows_without_vector", rows)
    return finding("EMB001", Resource("column", column), metric=metric, severity=severity)


def known(*findings: Finding) -> Known:
    return Known(Baseline().updated(findings, (), TODAY), "baseline.json")


# Worse.


@pytest.mark.parametrize(
    "then, now, worse",
    [
        (nulls(237), nulls(237), False),
        (nulls(237), nulls(12), False),
        (nulls(237), nulls(238), True),
        (nulls(237), nulls(1, severity=Severity.CRITICAL), True),
        (nulls(237), replace(nulls(1), metric=None), False),
    ],
)
def test_more_of_it_or_a_higher_severity_is_worse(then: Finding, now: Finding, worse: bool):
    assert Level.of(then).is_exceeded_by(now) is worse


# Silencing.


def test_what_is_covered_is_left_out_and_the_check_passes():
    results, suppressions = silence((result("EMB001", nulls(237)),), [known(nulls(237))])
    assert [(one.status, one.findings) for one in results] == [(Status.PASS, ())]
    assert [(one.origin, one.reason, one.kind) for one in suppressions] == [
        ("baseline.json", "known since 2026-11-25", SuppressionKind.BASELINE)
    ]


def test_what_became_worse_comes_back():
    results, suppressions = silence((result("EMB001", nulls(300)),), [known(nulls(237))])
    assert [one.status for one in results] == [Status.FAIL]
    assert suppressions == ()


def test_entries_that_are_gone_are_told_where_their_check_ran():
    gone = [known(nulls(1), nulls(2, "public.old.embedding"))]
    told, _ = silence((result("EMB001", nulls(1)),), gone)
    assert told[-1].code == OUT_OF_DATE
    assert told[-1].findings[0].symptom == (
        "1 of 2 entries of the baseline are gone: EMB001 column:public.old.embedding"
    )
    for status in (Status.SKIP, Status.UNKNOWN):
        silent, _ = silence((result("EMB001", status=status), result("TSK001")), gone)
        assert [one.code for one in silent] == ["EMB001", "TSK001"]


def test_a_run_that_could_ask_nothing_stays_one():
    entry = IgnoredConfiguration("EMB001", "temporary", until=date(2026, 11, 1))
    over = Ignored(LoadedConfiguration(Configuration(ignored=(entry,))), TODAY)
    assert len(silence((result("EMB001", status=Status.SKIP),), [over])[0]) == 1


# The configuration.


CONFIGURATION = """\
[[ignored]]
code = "EMB001"
resource = "column:public.tmp_*"
reason = "temporary tables"
owner = "@data"
until = 2026-11-25

[[ignored]]
code = "VEC"
reason = "small tables"
"""


@pytest.fixture
def configured(tmp_path: Path) -> Ignored:
    (tmp_path / "doctor.toml").write_text(CONFIGURATION)
    return Ignored(load_configuration(tmp_path), TODAY)


def test_the_configuration_ignores_resources_of_a_pattern_until_a_day(configured: Ignored, tmp_path: Path):
    suppression = configured.covers(nulls(5, "public.tmp_7.embedding"))
    assert suppression is not None
    assert (suppression.origin, suppression.reason, suppression.until) == (
        "doctor.toml:2",
        "temporary tables (@data)",
        TODAY,
    )
    assert configured.covers(nulls(5)) is None
    tomorrow = Ignored(load_configuration(tmp_path), TODAY + timedelta(days=1))
    assert tomorrow.covers(nulls(5, "public.tmp_7.embedding")) is None
    (over,) = tomorrow.out_of_date(())
    assert over.symptom == "the entry for EMB001 column:public.tmp_* ended on 2026-11-25; what it ignored counts again"
    assert over.resource.location == "doctor.toml:2"
    assert over.resource.key == "suppression:EMB001 column:public.tmp_*", "whatever line it stands on"


def test_an_entry_that_ignores_nothing_is_told(configured: Ignored):
    told = [one.symptom for one in configured.out_of_date((result("EMB001", nulls(1)), result("VEC001")))]
    assert told == [
        "the entry for EMB001 column:public.tmp_* ignores nothing that is found",
        "the entry for VEC ignores nothing that is found",
    ]


@pytest.mark.parametrize(
    "text, said",
    [
        ('[[ignored]]\ncode = "VEC001"\n', "ignored.0.reason"),
        ('[[ignored]]\ncode = "VEC001"\nreason = "x"\nresorce = "y"\n', "doctor.toml:4"),
        ('[severity]\nVEC001 = "wrning"\n', "doctor.toml:2"),
        ('[profile.ci]\nfail_onn = "error"\n', "did you mean 'fail_on'?"),
    ],
)
def test_a_wrong_entry_is_told_with_its_line(tmp_path: Path, text: str, said: str):
    (tmp_path / "doctor.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        load_configuration(tmp_path)


def test_severities_of_the_configuration_count_and_the_longest_prefix_wins():
    given = with_severities((result("EMB001", nulls(1)),), {"EMB": "warning", "EMB001": "info", "VEC": "critical"})
    assert [one.severity for one in given[0].findings] == [Severity.INFO]


# The baseline's file.


def test_the_file_has_one_line_an_entry_sorted_and_survives_reading(tmp_path: Path):
    baseline = Baseline().updated([nulls(2, "public.b.embedding"), nulls(1, "public.a.é")], (), TODAY)
    path = tmp_path / "baseline.json"
    path.write_text(dumps(baseline), encoding="utf-8")
    assert load(path) == baseline
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line.rstrip(","))["resource"] for line in lines[3:-2]] == [
        "column:public.a.é",
        "column:public.b.embedding",
    ]


def test_an_update_keeps_the_day_forgets_what_is_gone_and_leaves_what_was_not_asked():
    old = Baseline().updated(
        [nulls(1), nulls(2, "public.gone.v"), finding("MOD001", Resource("model", "m"))], (), TODAY
    )
    new = old.updated([nulls(5)], (result("EMB001", nulls(5)),), TODAY + timedelta(days=9))
    assert [(one.code, one.value, one.since) for one in new.entries] == [
        ("EMB001", 5, TODAY),
        ("MOD001", None, TODAY),
    ]
    assert len(old.pruned([nulls(5)], (result("EMB001", nulls(5)),)).entries) == 2


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "baseline.json:1: is no JSON"),
        ('{\n "entries": [\n<<<<<<< HEAD\n', "baseline.json:3: is no JSON"),
        ('{"schema_version": "9"}', "no baseline of version 1"),
        ("[]", "no baseline of version 1"),
        ('{"schema_version": "1", "entries": [{"code": 1}]}', "entries.0"),
        ("[" * 100_000, "is no baseline|is no JSON"),
    ],
)
def test_a_file_that_was_spoilt_is_told_with_its_place(tmp_path: Path, text: str, said: str):
    path = tmp_path / "baseline.json"
    path.write_text(text)
    with pytest.raises(BaselineError, match=said):
        load(path)


@given(st.binary(max_size=60))
def test_no_bytes_crash_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    path = tmp_path_factory.getbasetemp() / "any-baseline.json"
    path.write_bytes(content)
    with pytest.raises(BaselineError):
        load(path)


# The last run.


def test_what_the_last_run_had_found_is_left_out_unless_it_is_worse():
    last = LastRun("20261125T120000.000Z-aaaa", [nulls(5)])
    suppression = last.covers(nulls(5))
    assert suppression is not None
    assert suppression.kind is SuppressionKind.LAST_RUN
    assert last.covers(nulls(6)) is None
    assert last.covers(nulls(1, "public.other.v")) is None


# Mutes.


def muted(found: Finding, now: datetime = NOW) -> Muted:
    return Muted([mute("EMB", "column:*", NOW + timedelta(hours=4), "backfill", [found])], now)


def test_a_mute_holds_until_its_time_and_while_nothing_is_worse():
    assert muted(nulls(5)).covers(nulls(5)) is not None
    assert muted(nulls(5)).covers(nulls(6)) is None
    assert muted(nulls(5)).covers(nulls(5, "public.new.v")) is None, "it was not there when somebody decided"
    assert muted(nulls(5), NOW + timedelta(hours=4)).covers(nulls(5)) is None


def left(mutes: Muted, *results: CheckResult) -> int:
    return len(mutes.left([one for each in results for one in each.findings], results))


def test_a_mute_is_cleared_when_its_time_is_over_or_its_finding_is_gone_or_worse():
    assert left(muted(nulls(5)), result("EMB001", nulls(5))) == 1
    assert left(muted(nulls(5)), result("EMB001", status=Status.SKIP)) == 1
    assert left(muted(nulls(5)), result("EMB001", nulls(6))) == 0
    assert left(muted(nulls(5)), result("EMB001")) == 0
    assert left(muted(nulls(5), NOW + timedelta(days=1)), result("EMB001", nulls(5))) == 0


def test_nothing_is_muted_that_nobody_has_seen():
    with pytest.raises(MuteError, match="found nothing of EMB001 column:x"):
        mute("EMB001", "column:x", NOW, "r", [nulls(1)])


def test_mutes_survive_the_file_and_a_spoilt_file_is_told(tmp_path: Path):
    store = MuteStore(tmp_path)
    assert store.load() == ()
    given = mute("EMB", "*", NOW, "é", [nulls(5)])
    store.save([given])
    assert store.load() == (given,)
    assert (tmp_path / ".doctor" / ".gitignore").read_text() == "*\n"
    store.path.write_text("{")
    with pytest.raises(MuteError, match="delete the file"):
        store.load()

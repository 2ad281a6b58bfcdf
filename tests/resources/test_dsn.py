"""Addresses as applications write them become what libpq understands."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from doctor.resources.dsn import InvalidDsnError, normalise_dsn, parse_dsn


@pytest.fixture(autouse=True)
def _no_libpq_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGPORT", "PGUSER"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "scheme",
    [
        "postgresql",
        "postgres",
        "postgresql+asyncpg",
        "postgresql+psycopg",
        "postgresql+psycopg2",
        "jdbc:postgresql",
        "postgis",
    ],
)
def test_every_scheme_of_postgresql_is_read(scheme: str):
    dsn = parse_dsn(f"{scheme}://app:secret@db:5433/knowledge")
    assert dsn.address == "db:5433/knowledge as app"
    assert dsn.parameters["password"] == "secret"


@pytest.mark.parametrize(
    "query, mode",
    [
        ("ssl=require", "require"),
        ("ssl=true", "require"),
        ("ssl=false", "disable"),
        ("ssl=verify-full", "verify-full"),
        ("sslmode=prefer", "prefer"),
    ],
)
def test_the_ssl_words_of_other_drivers_become_sslmode(query: str, mode: str):
    assert parse_dsn(f"postgresql+asyncpg://h/d?{query}").parameters["sslmode"] == mode


def test_options_that_libpq_does_not_know_are_left_out():
    dsn = parse_dsn("postgresql://u@h/d?pool_size=5&schema=public&pgbouncer=true&target_session_attrs=read-write")
    assert set(conninfo_to_dict(dsn.conninfo.reveal())) == {"host", "port", "user", "dbname", "target_session_attrs"}


def test_several_hosts_and_ipv6_keep_their_ports():
    assert parse_dsn("postgresql://a,b:5433/x").hosts == (("a", 5432), ("b", 5433))
    assert parse_dsn("postgresql://u@[::1]:5434/x").address == "[::1]:5434/x as u"


def test_a_socket_folder_and_keywords_are_read():
    assert parse_dsn("postgresql://u@/app?host=/var/run/postgresql").hosts == (("/var/run/postgresql", 5432),)
    assert parse_dsn("host=db port=6432 user=u password='a b' dbname=q").address == "db:6432/q as u"
    assert parse_dsn("'postgresql://u@h/d' ").address == "h:5432/d as u"


def test_loopback_means_every_host():
    assert parse_dsn("postgresql://127.0.0.1/x").is_loopback
    assert parse_dsn("postgresql:///x").is_loopback
    assert not parse_dsn("postgresql://localhost,db/x").is_loopback


@pytest.mark.parametrize(
    "text",
    ["", "  ", "mysql://u:hidden@h/d", "nonsense hidden", "postgresql://u:hidden@h:54x/d", "postgresql://u:hidden@h:0/d",
     "postgresql://u:hidden@h/d?sslmode=maybe", "sqlite:///hidden.db"],
)  # fmt: skip
def test_what_is_no_address_of_postgresql_is_refused_without_repeating_it(text: str):
    with pytest.raises(InvalidDsnError) as caught:
        parse_dsn(text)
    assert "hidden" not in str(caught.value)


def test_the_password_is_in_no_representation():
    dsn = parse_dsn("postgresql://u:hunter2@h/d")
    assert "hunter2" not in f"{dsn!r} {dsn.address} {normalise_dsn('postgresql://u:hunter2@h/d')}"
    assert "hunter2" in dsn.conninfo.reveal()


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30))
def test_any_password_arrives_unchanged_when_it_is_encoded(password: str):
    dsn = parse_dsn(f"postgresql://u:{quote(password, safe='')}@h:5432/d")
    assert conninfo_to_dict(dsn.conninfo.reveal())["password"] == password


@given(st.text("abcXYZ019@/#?%:!$&", min_size=1, max_size=20).filter(lambda text: "%" not in text))
def test_most_passwords_arrive_even_when_nobody_encoded_them(password: str):
    assert parse_dsn(f"postgresql://u:{password}@h/d").parameters["password"] == password

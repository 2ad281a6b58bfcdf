"""One vocabulary for everything that cannot be reached."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl

import httpx
import pytest

from doctor.resources.unreachable import Reason, ResourceUnreachable, reason_of, reason_of_text


def _caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error, reason",
    [
        (ConnectionRefusedError(), Reason.REFUSED),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), Reason.UNKNOWN_HOST),
        (TimeoutError(), Reason.TIMEOUT),
        (ssl.SSLError("bad"), Reason.TLS),
        (ConnectionResetError(), Reason.CLOSED),
        (asyncio.IncompleteReadError(b"", 1), Reason.CLOSED),
        (OSError(errno.EHOSTUNREACH, "no route"), Reason.NO_ROUTE),
        (OSError(errno.ECONNREFUSED, "refused"), Reason.REFUSED),
        (_caused(httpx.ConnectError("All connection attempts failed"), ConnectionRefusedError()), Reason.REFUSED),
        (_caused(RuntimeError("wrapped"), socket.gaierror(-2, "unknown")), Reason.UNKNOWN_HOST),
        (ExceptionGroup("both", [OSError("x"), ConnectionRefusedError()]), Reason.REFUSED),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1)"), Reason.REFUSED),
        (ValueError("what"), Reason.OTHER),
    ],
)
def test_an_exception_gives_its_reason(error: BaseException, reason: Reason):
    assert reason_of(error) is reason


@pytest.mark.parametrize(
    "text, reason",
    [
        ("FATAL:  sorry, too many clients already", Reason.TOO_MANY_CONNECTIONS),
        ("FATAL:  remaining connection slots are reserved for roles with privileges", Reason.TOO_MANY_CONNECTIONS),
        ("FATAL:  the database system is starting up", Reason.STARTING),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "app"', Reason.AUTHENTICATION),
        ('FATAL:  role "app" does not exist', Reason.AUTHENTICATION),
        ('FATAL:  database "app" does not exist', Reason.NO_SUCH_DATABASE),
        ('could not translate host name "db" to address: Name or service not known', Reason.UNKNOWN_HOST),
        ("server closed the connection unexpectedly", Reason.CLOSED),
        ("something nobody has heard of", Reason.OTHER),
    ],
)
def test_the_words_of_postgresql_give_the_reason(text: str, reason: Reason):
    assert reason_of_text(text) is reason


def test_a_sqlstate_counts_more_than_the_words_which_may_be_translated():
    assert reason_of_text("ПОМИЛКА", sqlstate="53300") is Reason.TOO_MANY_CONNECTIONS


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_says_what_was_seen_and_what_to_do(reason: Reason):
    error = ResourceUnreachable(reason, "host:1", "detail")
    assert str(error).endswith(f"host:1: {reason.explanation} (detail); {reason.remedy}")
    assert reason.explanation
    assert reason.remedy


def test_what_the_other_side_said_is_redacted_put_on_one_line_and_cut():
    error = ResourceUnreachable(Reason.OTHER, "h:1", "bad\n\tpassword=hunter2 \x1b[31m" + "x" * 999)
    assert "hunter2" not in str(error)
    assert "\x1b" not in str(error)
    assert error.detail.startswith("bad password=<redacted:password#")
    assert len(str(error)) < 600

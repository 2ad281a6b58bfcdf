"""The quick look lets through whatever redaction would change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor.redaction import Redactor, printable
from doctor.redaction_screen import is_suspect, may_hold_secret
from tests.test_redaction import HARMLESS, SECRETS

PIECES = st.sampled_from(
    [word for text, _, _ in SECRETS for word in text.replace("~", "").split()]
    + [word for text in HARMLESS for word in text.split()]
    + ["password", "Token:", "=", ":", "api_key", '"', "x" * 20, "%s", "key", "--token", "PRIVATE", "KEY-----"]
)
TEXTS = st.lists(PIECES, max_size=8).map(" ".join)


def let_through(text: str) -> bool:
    return may_hold_secret(text) and any(map(is_suspect, text.split()))


@pytest.mark.parametrize("text, secret, kind", SECRETS, ids=[text[:40] for text, _, _ in SECRETS])
def test_a_secret_is_let_through(text: str, secret: str, kind: str) -> None:
    assert let_through(text.replace("~", ""))


@given(TEXTS)
def test_whatever_redaction_would_change_is_let_through(text: str) -> None:
    text = printable(text)
    if Redactor().redact(text) != text:
        assert let_through(text)


@given(TEXTS)
def test_redaction_without_marks_gives_the_same_in_every_process_and_again(text: str) -> None:
    once = Redactor(tells_apart=False).redact(text)
    assert once == Redactor(tells_apart=False).redact(text)
    assert Redactor(tells_apart=False).redact(once) == once
    assert Redactor().redact(once) == once


def test_nearly_no_line_of_a_log_is_looked_at_twice() -> None:
    lines = [
        "Starting knowledge extraction for 13 messages using agent 'knowledge_extractor'",
        'INFO:     127.0.0.1:45400 - "GET http://localhost:8000/health?x=1 HTTP/1.1" 404 Not Found',
        "max_tokens=4000 tokens: 12 tokenizer: bert",
        "Unverified token rejected (production).",
    ]
    assert not any(map(may_hold_secret, lines))

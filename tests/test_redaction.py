"""Secrets go, everything else stays. All are made up; a ``~`` keeps scanners from taking one for real."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from doctor.redaction import PLACEHOLDER, Redactor, bounded, printable, redact, redact_value

SECRETS = [
    ("DATABASE_URL=postgresql+asyncpg://app:hunt~er2@db:5432/app", "hunt~er2", "password"),
    ("could not connect to postgres://u:p@s~s/w#rd@host/db", "p@s~s/w#rd", "password"),
    ("connecting to nats://s3cr3tt~oken@nats:4222", "s3cr3tt~oken", "userinfo"),
    ("amqp://guest:bun~ny@mq:5672/%2f", "bun~ny", "password"),
    ("Authorization: Bearer abcdefgh~ijkl1234", "abcdefgh~ijkl1234", "authorization"),
    ("Authorization: Basic dXNlcj~pwYXNz", "dXNlcj~pwYXNz", "authorization"),
    ("headers={'Authorization': 'Bearer abc.~def'}", "abc.~def", "authorization"),
    ("got bearer 0123456789abc~def0123", "0123456789abc~def0123", "authorization"),
    ("token eyJhbGci~OiJIUzI1NiJ9.eyJzdWIiOi~IxMjM0In0.abcDEF~123456 expired", "eyJzdWIiOi~IxMjM0In0", "jwt"),
    ("OPENAI_API_KEY=sk-pr~oj-abc123DEF456ghi789JKL", "abc123DEF456ghi789JKL", "key"),
    ("using sk-an~t-api03-abcdefghij0123456789", "abcdefghij0123456789", "key"),
    ("clerk sk_te~st_abcdEFGH1234 loaded", "abcdEFGH1234", "key"),
    ("clerk pk_li~ve_Y2xlcmsuZXhhbXBsZSQ loaded", "Y2xlcmsuZXhhbXBsZSQ", "key"),
    ("login with hf~_abcdefghijklmnopqrstuvwxyzABCDEFGH", "abcdefghijklmnopqrstuvwxyzABCDEFGH", "key"),
    ("push with gh~p_abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijklmnopqrstuvwxyz", "key"),
    ("aws AK~IAABCDEFGHIJKLMNOP used", "ABCDEFGHIJKLMNOP", "key"),
    ("google AI~zaSyA0123456789abcdefghijklmnopqrstuv", "SyA0123456789", "key"),
    ("fernet gAAAAAB~labcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcd==", "labcdefghij", "key"),
    ("nkey SU~AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA end", "AAAAAAAAAAAAAAAA", "key"),
    (
        "https://api.telegram.org/bot1234~56789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr/sendMessage",
        "AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr",
        "telegram-token",
    ),
    ("GET /f?X-Amz-Signature=deadbeef~cafe&x=1", "deadbeef~cafe", "parameter"),
    ("GET /f?access_token=abcd~1234&x=1", "abcd~1234", "token"),
    ('{"api_key": "zzz~-1234", "model": "x"}', "zzz~-1234", "key"),
    (r"{\"password\": \"sw0~rd\"}", "sw0~rd", "password"),
    ("{'secret_key': 'my sec~ret words'}", "my sec~ret words", "key"),
    ("host=db password=hunt~er2 dbname=x", "hunt~er2", "password"),
    ("password: correct-~horse", "correct-~horse", "password"),
    ("POSTGRES_PASSWORD=a&b;c~)d", "a&b;c~)d", "password"),
    ("export STRIPE_KEY=abcdef~123456", "abcdef~123456", "key"),
    ('os.environ["API_KEY"] = "zz ~top"', "zz ~top", "key"),
    ("X-Telegram-Bot-Api-Secret-Token: ab~c-123", "ab~c-123", "token"),
    ("Cookie: session=ab~c; csrftoken=def", "ab~c", "cookie"),
    ("tool --password hunt~er2 run", "hunt~er2", "password"),
    ("written by someone.else~@example.com today", "someone.else~@example.com", "email"),
    ('jwt.decode(t, "my-hm~ac", options={})', "my-hm~ac", "key"),
    ('jwt.encode({"sub": "x", "n": 1}, "my-hm~ac")', "my-hm~ac", "key"),
    ('decode(t, "my-hm~ac", algorithms=["HS256"])', "my-hm~ac", "key"),
    ('return pyjwt.decode(t.strip(), key="my-hm~ac")', "my-hm~ac", "key"),
    ('encode({"sub": "x"}, "my-hm~ac", algorithm="HS256")', "my-hm~ac", "key"),
    ('decode(request.headers["x"], "my-hm~ac", options={})', "my-hm~ac", "key"),
    ('logger.info("password=%s", "hunt~er2")', "hunt~er2", "password"),
    ('logger.info("user %s, password %r", user, "hunt~er2")', "hunt~er2", "password"),
    ('logger.info("token: {} for {}", "first~one99", name)', "first~one99", "token"),
    ('print("password=%s of %s" % ("hunt~er2", user))', "hunt~er2", "password"),
    ('print("api_key={}".format("hunt~er2"))', "hunt~er2", "key"),
    ('api_key: str = "plain~99"', "plain~99", "key"),
    ('os.getenv("API_KEY", "plain~99")', "plain~99", "key"),
    ("-----BEGIN RSA PRI~VATE KEY-----\nMIIEabc\n-----END RSA PRI~VATE KEY-----", "MIIEabc", "private-key"),
    ("key was -----BEGIN PRI~VATE KEY-----\nMIIEcut", "MIIEcut", "private-key"),
]

HARMLESS = [
    "Failed to queue scoring task: 'function' object has no attribute 'kiq'",
    "No active agent config 'knowledge_extractor' found for knowledge extraction, skipping",
    "Threshold reached (13 >= 10), queueing knowledge extraction for 13 messages using agent 'knowledge_extractor'",
    "Starting knowledge extraction for 13 messages (model: qwen2:7b-instruct-q4_K_M)",
    "[Errno 8] nodename nor servname provided, or not known",
    "Unverified token rejected (production).",
    "AUTHENTICATION ERROR: Token verification failed for endpoint: GET /api/content-planning/monitoring/stats",
    "Invalid token: Signature verification failed",
    "HF structured model not found: %s. Trying fallback model.",
    "StatReload detected changes in 'api\\today_workflow.py'. Reloading...",
    'INFO:     127.0.0.1:45400 - "GET http://localhost:8000/health HTTP/1.1" 404 Not Found',
    "max_tokens=4000 token_count: 12 tokens=300 tokenizer=bert-base",
    "eos_token='</s>' pad_token=\"<pad>\"",
    'secret_env = "TELEGRAM_WEBHOOK_SECRET"',
    "api_key: None, password=None token: str, secret: missing",
    "token = settings.clerk_token",
    "password=*** api_key=${API_KEY}",
    "PWD=/srv/app",
    "git@github.com:example/project.git",
    "postgresql://app@db:5432/app",
    "PRIMARY_KEY=id",
    "@task_retry_with_dlq stands above @broker.task",
    "basic authentication required; bearer token missing",
    "sha256:3f1a8b9c0d digest 0123456789abcdef0123456789abcdef",
    "http://[::1]:8000/a@b http://host:8000/x?y=a@b",
    "2026-11-20 19:45:17,085 - app.tasks - ERROR - 1.2.3.4:4222",
    "expected 1536 dimensions, not 768",
    'codecs.decode(raw, "anything") or decode(raw, "utf-8") or encode(text, "unicode_escape")',
    'tokenizer.decode(ids, "left") base64.b64decode(x, "-_")',
    'logger.info("password=%s of %s", password, name); logger.info("%s of %s", "messages", "topic")',
]


@pytest.mark.parametrize("text, secret, kind", SECRETS, ids=[text[:40] for text, _, _ in SECRETS])
def test_a_secret_is_replaced_and_its_kind_named(text: str, secret: str, kind: str):
    shown = redact(text.replace("~", ""))
    assert secret.replace("~", "") not in shown
    assert f"<redacted:{kind}#" in shown


@pytest.mark.parametrize("text", HARMLESS)
def test_a_harmless_line_is_left_as_it_is(text: str):
    assert redact(text) == text


def test_the_part_of_an_address_that_helps_is_kept():
    shown = redact("nats://app:hunter2@nats:4222 postgresql://app:hunter2@db:5432/app?sslmode=require")
    pattern = r"nats://app:(<[^>]+>)@nats:4222 postgresql://app:(<[^>]+>)@db:5432/app\?sslmode=require"
    match = re.fullmatch(pattern, shown)
    assert match is not None
    assert match[1] == match[2]


def test_equal_secrets_stay_recognisable_and_another_key_gives_another_mark():
    one, other = Redactor(b"one"), Redactor(b"other")
    first = one.redact("password=hunter2")
    assert one.redact("PGPASSWORD='hunter2'").partition("#")[2][:4] == first.partition("#")[2][:4]
    assert Redactor(b"one").redact("password=hunter2") == first
    assert other.redact("password=hunter2") != first
    assert one.redact("password=hunter3") != first


def test_a_redactor_counts_what_it_took_out():
    redactor = Redactor(b"key")
    redactor.redact("password=a1 token=b2 password=c3")
    assert redactor.counts == {"password": 2, "token": 1}


def test_terminal_sequences_and_control_characters_go():
    hostile = "\x1b[31mred\x1b[0m\x1b]0;title\x07 a\x00b\x08 \u202eevil \x9b2J\r\nnext\rover\ud800"
    assert redact(hostile) == "red ab evil \nnext\nover\N{REPLACEMENT CHARACTER}"


def test_a_secret_that_a_control_character_splits_is_found_nevertheless():
    assert "hunter2" not in redact("password=hun\x00ter2")
    assert "hunter2" not in redact("pass\x1b[1mword=hunter2")


def test_tabs_newlines_and_other_scripts_stay():
    text = "ключ\tне секрет\nпривіт 😀 é"
    assert redact(text) == text


_pieces = st.one_of(
    st.sampled_from([text.replace("~", "") for text, _, _ in SECRETS] + HARMLESS),
    st.sampled_from(
        [
            "password=",
            "token: ",
            "'",
            '"',
            "\\",
            "@",
            "://",
            "eyJ",
            "Bearer ",
            "\x1b[",
            "<redacted:",
            "#ab12>",
            "=",
            ";",
            " ",
        ]
    ),
    st.from_regex(r"<redacted:(password|key)#[0-9a-f]{4}>", fullmatch=True),
    st.text(max_size=20),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(_pieces, max_size=6).map("".join))
@example("token=<redacted:key#ab12>x")
@example("password=password=<redacted:password#ab12>")
def test_redacting_twice_changes_nothing(text: str):
    redactor = Redactor(b"key")
    once = redactor.redact(text)
    assert redactor.redact(once) == once


@given(st.text(max_size=200))
def test_what_is_printable_holds_no_control_characters_and_can_be_encoded(text: str):
    shown = printable(text)
    shown.encode("utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)
    assert printable(shown) == shown


def test_a_long_text_is_cut_and_says_how_much_is_missing():
    assert bounded("x" * 12, 10) == "xxxxxxxxxx… (+2 characters)"
    assert bounded("x" * 10, 10) == "x" * 10


def test_a_cut_never_goes_through_a_placeholder():
    text = "ab <redacted:password#1234> cd"
    assert PLACEHOLDER.search(text) is not None
    for limit in range(4, 27):
        assert bounded(text, limit).startswith("ab … (+")
    assert bounded(text, 27).startswith("ab <redacted:password#1234>… ")


@pytest.mark.parametrize(
    ("name", "hidden"), [("API_KEY", True), ("password", True), ("MODEL", False), ("subject", False)]
)
def test_a_value_is_hidden_by_what_its_name_says(name: str, hidden: bool) -> None:
    assert (redact_value(name, "planted99value") == "planted99value") is not hidden

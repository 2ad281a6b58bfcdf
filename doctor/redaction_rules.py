"""The kinds of secrets that :mod:`doctor.redaction` takes out: how each is recognised, and what is no secret after all.

All repetitions are bounded or free of ambiguity, so that a hostile line costs time in proportion to its length.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

PLACEHOLDER = re.compile(r"<redacted:[a-z-]{1,24}(?:#[0-9a-f]{4})?>")
"""What a secret looks like afterwards."""

Verdict = tuple[str, str]
"""The group of the match that is secret, and its kind."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern, its verdict on a match (None: keep), lower-case hints of which one occurs wherever it can match."""

    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    judge: Callable[[re.Match[str]], Verdict | None]


_NAME = (
    r"(?P<key>passw(?:or)?d|passphrase|pwd|secret|token|credentials?"
    r"|(?:api|access|private|signing|encryption|secret|auth|account|shared|fernet|master|jwt|client|webhook|service)"
    r"[_\-. ]?key(?:[_-]?id)?|(?-i:(?<=[A-Z0-9])_KEY))"
    r"(?:[_-](?:hash|value|encrypted|b64|base64|raw))?[0-9]{0,2}"
)
_BEFORE_NAME = re.compile(r"[A-Za-z0-9_.\-]{0,64}$")
_SEPARATOR = r"(?P<separator>\\?[\"']?\]?[ \t]{0,3}(?:=>|:=|==?|:)[ \t]{0,3})"
_VALUE = (
    r"(?:\\(?P<escape>[\"'])(?P<escaped>(?:(?!\\(?P=escape))[^\n])+)"
    r"|[bBrRuU]?(?P<quote>[\"'])(?P<quoted>(?:\\.|(?!(?P=quote))[^\\\n])+)"
    r"|(?P<bare>[^\s\"',;&)}\]\\]+))"
)

_NO_SECRET = re.compile(
    r"none|null|nil|true|false|yes|no|not|is|was|are|has|have|and|or|the|an|missing|required|invalid|expired|empty|unset"
    r"|undefined|set|string|str|bytes|int|bool|secret|secretstr|optional|any|field|bearer|basic|hidden|masked|redacted"
    r"|unknown|error|failed|default",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"\$\{?\w*|%\(?\w*\)?[sdr]?|\{\w*|(?:settings|config|os|self|cls|env|environ|process|request|kwargs|args)[.\[(].*"
    r"|(?:str|bytes|SecretStr|Secret|SecretBytes|Optional|Field|getenv|get_secret)[\[(].*|[\W_]+|[xX]{3,}"
)
_SPECIAL_TOKEN = re.compile(
    r"(?:^|[_.\-])(?:eos|bos|pad|unk|sep|cls|mask|stop|end|start|next|last|first|new|prev|num|max|min|per)[_-]?token$",
    re.IGNORECASE,
)


def _is(kind: str, group: str = "secret") -> Callable[[re.Match[str]], Verdict | None]:
    return lambda _match: (group, kind)


def _is_no_secret(key: str, value: str) -> bool:
    word = value.rstrip(".:!")
    return bool(_NO_SECRET.fullmatch(word) or _REFERENCE.fullmatch(value)) or word.casefold() == key.casefold()


def _assigned(match: re.Match[str]) -> Verdict | None:
    """Judge the value of ``key = value``: a word that says there is none, a count or a reference is no secret."""
    groups = match.groupdict()
    start = match.start("key")
    before = _BEFORE_NAME.search(match.string, max(0, start - 64), start)
    key = (before[0] if before else "") + match["key"]
    group = next(name for name in ("escaped", "quoted", "bare") if groups.get(name) is not None)
    value = match[group]
    if _is_no_secret(key, value) or _SPECIAL_TOKEN.search(key):
        return None
    lowered = key.casefold()
    is_password = "pass" in lowered or "pwd" in lowered
    if group == "bare" and not is_password and not _looks_secret(key, value, match["separator"]):
        return None
    if lowered.endswith("pwd") and value.startswith(("/", "~", ".")):
        return None  # the working directory
    kinds = {"password": is_password, "token": "token" in lowered, "key": "key" in lowered}
    return group, next((name for name, applies in kinds.items() if applies), "secret")


def _looks_secret(key: str, value: str, separator: str) -> bool:
    """Tell ``token: 7f3a…`` from prose such as ``invalid token: signature`` and from counts such as ``token=12``."""
    if value.isdigit() and len(value) < 7:
        return False
    prose = separator.endswith((" ", "\t")) and ":" in separator and "token" in key.casefold()
    weak = prose or key.endswith("_KEY") or key.casefold().endswith(("credential", "credentials"))
    return not weak or len(value) >= 16 or any(character.isdigit() for character in value)


def _authorization(match: re.Match[str]) -> Verdict | None:
    group = "secret" if match["secret"] is not None else "bare"
    return None if _is_no_secret("authorization", match[group]) else (group, "authorization")


_CODEC = re.compile(
    r"utf.?(?:8|16|32)\S*|(?:us-)?ascii|latin\S*|iso\S*|cp\d+|big5|gb\S*|hex\S*|base64\S*|rot.?13|zlib\S*|bz2\S*|idna|punycode"
    r"|\w*unicode_escape|quopri\S*",
    re.IGNORECASE,
)
"""What ``codecs.decode`` is given where ``jwt.decode`` is given its key."""


def _signing_key(match: re.Match[str]) -> Verdict | None:
    return None if _CODEC.fullmatch(match["secret"]) else ("secret", "key")


_VENDOR = re.compile(
    r"(?<![A-Za-z0-9])(?P<secret>"
    r"sk-(?=[A-Za-z0-9_-]{0,200}[0-9])[A-Za-z0-9_-]{20,}|[sprk]k_(?:live|test)_[A-Za-z0-9+/=]{8,}"
    r"|whsec_[A-Za-z0-9+/=]{16,}"
    r"|hf_[A-Za-z0-9]{20,}|gh[opusr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}|gsk_[A-Za-z0-9]{20,}|r8_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{20,}"
    r"|pypi-[A-Za-z0-9_-]{32,}|xox[abeprs]-[A-Za-z0-9-]{10,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"
    r"|(?:nvapi|xai|tvly|pplx)-[A-Za-z0-9_-]{20,}|lsv2_[a-z]{2}_[A-Za-z0-9_]{20,}"
    r"|S[ACNOUX][A-Z2-7]{56}(?![A-Za-z0-9])"  # NATS nkey seeds
    r"|gAAAA[A-Za-z0-9_-]{60,}={0,2})"  # Fernet
)

RULES: tuple[Rule, ...] = (
    Rule(
        ("private key",),
        re.compile(
            r"(?P<secret>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
            r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z))"
        ),
        _is("private-key"),
    ),
    Rule(
        ("eyj",),
        re.compile(
            r"(?<![A-Za-z0-9_-])"
            r"(?P<secret>eyJ[A-Za-z0-9_-]{8,16384}\.[A-Za-z0-9_-]{8,16384}(?:\.[A-Za-z0-9_-]{0,16384}){0,3})"
        ),
        _is("jwt"),
    ),
    Rule(
        ("://",),
        # The user stays; up to the last @ before a blank, as people forget to encode it. ``:8000/`` is a port.
        re.compile(
            r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{0,40}://[^\s/?#:@\['\"<>`]{0,256}:(?![0-9]{1,5}(?:[/?#,]|$))"
            r"(?P<secret>[^\s'\"`]{1,512})@"
        ),
        _is("password"),
    ),
    Rule(
        ("://",),
        re.compile(
            r"(?<![A-Za-z0-9+.-])(?:nats|tls|wss?|https?|git\+https|rediss?|amqps?)://"
            r"(?P<secret>[^\s/?#:@'\"<>`]{1,512})@",
            re.IGNORECASE,
        ),
        _is("userinfo"),
    ),
    Rule(
        ("authorization", "bearer", "basic"),
        re.compile(
            r"(?<![A-Za-z0-9])(?:(?:proxy-)?authorization\\?[\"']?\]?[ \t]{0,3}[:=][ \t]{0,3}(?:b?\\?[\"'])?"
            r"(?:(?:bearer|basic|token|apikey|negotiate)[ \t]+|digest[ \t]+(?=\S))(?P<secret>[^\s\"',;\\]+)"
            r"|(?:bearer|basic)[ \t]+(?P<bare>(?=[^\s\"',;\\]{0,512}[0-9=])[A-Za-z0-9+/=_.~:-]{12,}))",
            re.IGNORECASE,
        ),
        _authorization,
    ),
    Rule(
        ("cookie",),
        re.compile(
            r"(?<![A-Za-z0-9])(?:set-)?cookie\\?[\"']?[ \t]{0,3}[:=][ \t]{0,3}\\?[\"']?"
            r"(?P<secret>[^\s\"'=;]+=[^\n\"'\\]+)",
            re.IGNORECASE,
        ),
        _is("cookie"),
    ),
    Rule(
        (
            *(
                "sk-",
                "k_live_",
                "k_test_",
                "whsec_",
                "hf_",
                "gho_",
                "ghp_",
                "ghu_",
                "ghs_",
                "ghr_",
                "github_pat_",
                "glpat-",
            ),
            *("akia", "asia", "aiza", "gsk_", "r8_", "npm_", "pypi-", "xox", "sg.", "nvapi-", "xai-", "tvly-", "pplx-"),
            *("lsv2_", "sa", "sc", "sn", "so", "su", "sx", "gaaaa"),
        ),
        _VENDOR,
        _is("key"),
    ),
    Rule(
        (":",),
        re.compile(r"(?<![0-9])(?P<secret>[0-9]{6,12}:[A-Za-z0-9_-]{30,64})"),
        _is("telegram-token"),
    ),
    Rule(
        ("?", "&"),
        re.compile(
            r"[?&;](?:(?:x-amz-)?(?:signature|credential|security-token)|sig|auth|sid|session(?:_?id)?|jwt|otp"
            r"|(?:key|code|state|sas)(?==[^&\s]{12}))=(?P<secret>[^\s&\"'<>#;]{4,})",
            re.IGNORECASE,
        ),
        _is("parameter"),
    ),
    Rule(
        ("pass", "pwd", "secret", "token", "key", "credential"),
        re.compile(
            rf"(?m:^)[ \t]*(?:export[ \t]+)?[A-Za-z0-9_.\-]{{0,64}}?(?i:{_NAME})"
            r"(?P<separator>=)(?P<bare>[^\s\"'][^\s]*)"
        ),
        _assigned,
    ),
    Rule(
        ("pass", "pwd", "secret", "token", "key", "credential"),
        re.compile(rf"(?i:{_NAME}){_SEPARATOR}{_VALUE}"),
        _assigned,
    ),
    Rule(
        ("pass", "pwd", "secret", "token", "key", "credential"),
        # ``api_key: str = "…"``, and the default in ``os.getenv("API_KEY", "…")``.
        re.compile(
            rf"(?i:{_NAME})(?P<separator>[ \t]{{0,3}}:[ \t]{{0,3}}[A-Za-z_][\w.\[\]| ]{{0,60}}=[ \t]{{0,3}}"
            r"|[\"'],[ \t]{0,3})[bBrRuU]?(?P<quote>[\"'])(?P<quoted>(?:\\.|(?!(?P=quote))[^\\\n])+)"
            r"(?P=quote)(?![ \t]*:)"
        ),
        _assigned,
    ),
    Rule(
        ("%s", "%r", "{}", "{!r}"),
        # ``"password=%s", "…"``: a literal that a message of a log, ``%`` or ``format`` puts behind the name.
        re.compile(
            rf"(?i:{_NAME})(?P<separator>[ \t]{{0,3}}[:=]?[ \t]{{0,3}})(?:%[sr]|\{{(?:!r)?\}})[^\"'\n]{{0,200}}[\"']"
            r"(?:[ \t]{0,3}%[ \t]{0,3}\(?|\.format\(|,)[ \t]{0,3}"
            r"(?:(?:[^,\"'()\n]{1,100}|[\"']<redacted:[^>]{1,40}>[\"']),[ \t]{0,3}){0,8}"
            r"[bBrRuU]?(?P<quote>[\"'])(?!<redacted:)(?P<quoted>(?:\\.|(?!(?P=quote))[^\\\n])+)(?P=quote)"
        ),
        _assigned,
    ),
    Rule(
        ("decode(", "encode("),
        re.compile(
            r"(?<![\w.])(?:\w{0,32}jwt\w{0,32}\.)?(?:decode|encode)\("
            r"(?:\{[^}\n]{0,200}\}|(?:[^,\"'{\n]|\"[^\"\n]{0,80}\"|'[^'\n]{0,80}'){1,200}),[ \t]{0,3}"
            r"(?:key[ \t]?=[ \t]?)?[bBrRuU]?(?P<quote>[\"'])(?P<secret>[^\"'\\\n]+)(?P=quote)"
        ),
        _signing_key,
    ),
    Rule(
        ("--",),
        re.compile(
            r"(?<![\w-])--(?i:(?P<key>[a-z-]{0,32}(?:password|passwd|secret|token|api-?key)))(?P<separator>[ \t]+)"
            r"(?P<bare>(?!-)[^\s\"',;]+)"
        ),
        _assigned,
    ),
    Rule(
        ("@",),
        re.compile(
            r"(?<![A-Za-z0-9._%-])(?<!://)(?!git@)(?P<secret>[A-Za-z0-9_][A-Za-z0-9._%+-]{0,63}@"
            r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,5}\.[A-Za-z]{2,24})(?![A-Za-z0-9-])"
        ),
        _is("email"),
    ),
)

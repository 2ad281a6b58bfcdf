"""The forms of log lines: where the time, the level and the message stand in each.

A *strong* form cannot be mistaken, and begins a record wherever it stands. A *weak* one may also stand inside of a
message, and counts only in streams where many lines have it (:mod:`doctor.triage.detection`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from doctor.triage.timestamps import CLOCK, DATE, STAMP

LEVELS = {
    **dict.fromkeys(("trace", "trc", "debug", "dbg", "verbose"), "debug"),
    **dict.fromkeys(("info", "inf", "information", "success", "notice", "log", "statement"), "info"),
    **dict.fromkeys(("warn", "warning", "wrn"), "warning"),
    **dict.fromkeys(("error", "err", "exception"), "error"),
    **dict.fromkeys(("critical", "fatal", "ftl", "panic", "emergency", "alert"), "critical"),
    **{f"debug{number}": "debug" for number in range(1, 6)},
}
"""Word of a log → level."""


class Header(NamedTuple):
    """The beginning of a record. ``stamp`` is the time as written. ``function`` and ``line`` are known where the log
    names its own source; ``context`` are ``key=value`` pairs beside the message; ``extra`` are lines that the message
    brings along, such as a traceback in JSON."""

    message: str
    stamp: str = ""
    level: str = ""
    logger: str = ""
    function: str = ""
    line: int = 0
    context: str = ""
    extra: tuple[str, ...] = ()


Match = re.Match[str]


@dataclass(frozen=True, slots=True)
class LineFormat:
    """One form. ``first`` are the characters with which a line of it may begin (empty: any)."""

    name: str
    pattern: re.Pattern[str]
    read: Callable[[Match], Header | None]
    first: str = ""
    strong: bool = True


_WORD = "TRACE|DEBUG|INFO|SUCCESS|NOTICE|WARN(?:ING)?|ERROR|CRITICAL|FATAL"
_ANY = f"(?:{_WORD}|{_WORD.lower()})"
_DIGITS = "0123456789"
_NAME = r"[A-Za-z_<][\w.<>/$-]*"


def _level(word: str) -> str:
    return LEVELS.get(word.lower(), "")


def _groups(*names: str) -> Callable[[Match], Header]:
    """Return a reader whose groups are these fields, in order."""

    def read(match: Match) -> Header:
        values = dict(zip(names, match.groups(""), strict=True))
        level, logger = values.get("level", ""), values.get("logger", "")
        return Header(values["message"], values.get("stamp", ""), _level(level), logger)

    return read


def _loguru(match: Match) -> Header:
    stamp, level, context, logger, function, line, message = match.groups("")
    return Header(message, stamp, _level(level), logger, function, int(line or 0), context.strip())


def _structlog(match: Match) -> Header:
    stamp, level, text = match.groups()
    event, blank, tail = text.partition("  ")
    return Header(event.rstrip(), stamp, _level(level), context=tail.strip() if blank else "")


def _gin(match: Match) -> Header:
    stamp, status, method, path = match.groups()
    level = "error" if status >= "500" else "warning" if status >= "400" else "info"
    return Header(f'"{method} {path}" {status}', stamp, level)


def _access(match: Match) -> Header:
    client, stamp, request, status = match.groups()
    level = "error" if status >= "500" else "info"
    return Header(f'{client} - "{request}" {status}', stamp, level)


def _uvicorn(match: Match) -> Header:
    return Header(match[2], "", _level(match[1]), "uvicorn")


_FIELD = re.compile(r'(\w[\w.]*)=("(?:\\.|[^"\\])*"|\S*)')


def _logfmt(match: Match) -> Header | None:
    fields = {name: value.strip('"') for name, value in _FIELD.findall(match[0])}
    message = fields.pop("msg", fields.pop("message", ""))
    if not message:
        return None
    stamp, level = fields.pop("time", fields.pop("ts", "")), fields.pop("level", "")
    source, _, line = fields.pop("source", "").partition(":")
    context = " ".join(f"{name}={value}" for name, value in fields.items())
    return Header(message, stamp, _level(level), source, "", int(line) if line.isdigit() else 0, context)


_MESSAGES = ("event", "message", "msg", "text", "log")
_TIMES = ("timestamp", "time", "ts", "@timestamp", "asctime")
_LEVEL_KEYS = ("level", "levelname", "severity", "log.level", "lvl")
_LOGGERS = ("logger", "logger_name", "name", "log.logger")
_EXCEPTIONS = ("exception", "exc_info", "stack", "stack_trace", "traceback")
_TOLD_ELSEWHERE = frozenset((*_MESSAGES, *_TIMES, *_LEVEL_KEYS, *_LOGGERS, *_EXCEPTIONS))


def _json(match: Match) -> Header | None:
    try:
        fields = json.loads(match[0])
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    if isinstance(fields.get("record"), dict):
        return _serialized(fields["record"], str(fields.get("text", "")))
    message = _first(fields, _MESSAGES)
    if message is None or not (_first(fields, _LEVEL_KEYS) or _first(fields, _TIMES)):
        return None
    text, *more = str(message).rstrip("\n").split("\n")
    context = " ".join(f"{key}={value}" for key, value in fields.items() if key not in _TOLD_ELSEWHERE)
    return Header(
        text,
        str(_first(fields, _TIMES) or ""),
        _level(str(_first(fields, _LEVEL_KEYS) or "")),
        str(_first(fields, _LOGGERS) or ""),
        str(fields.get("func_name", fields.get("funcName", ""))),
        _number(fields.get("lineno")),
        context[:2000],
        (*more, *_exception_lines(_first(fields, _EXCEPTIONS))),
    )


def _serialized(record: dict[str, Any], text: str) -> Header:
    """Read what loguru writes with ``serialize=True``: its traceback stands only in the text."""
    level, time, extra = (record.get(name) for name in ("level", "time", "extra"))
    message, *more = str(record.get("message", "")).split("\n")
    begin = text.find("Traceback (most recent call last):")
    return Header(
        message,
        str(time.get("repr", "")) if isinstance(time, dict) else "",
        _level(str(level.get("name", ""))) if isinstance(level, dict) else "",
        str(record.get("name") or ""),
        str(record.get("function") or ""),
        _number(record.get("line")),
        " ".join(f"{key}={value}" for key, value in extra.items())[:2000] if isinstance(extra, dict) else "",
        (*more, *(text[begin:].split("\n") if begin >= 0 else ())),
    )


def _first(fields: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((fields[name] for name in names if fields.get(name) not in (None, "")), None)


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _exception_lines(value: Any) -> list[str]:
    """Return a traceback as its lines; structlog's list of dictionaries is written as Python would, without locals."""
    if isinstance(value, str):
        return value.split("\n")
    lines: list[str] = []
    for one in reversed(value) if isinstance(value, list) else ():
        if not isinstance(one, dict):
            continue
        lines.append("Traceback (most recent call last):")
        frames = one.get("frames")
        lines += [
            f'  File "{frame.get("filename")}", line {frame.get("lineno")}, in {frame.get("name")}'
            for frame in (frames if isinstance(frames, list) else ())
            if isinstance(frame, dict)
        ]
        lines += [f"{one.get('exc_type')}: {one.get('exc_value')}"]
    return lines


FORMATS: tuple[LineFormat, ...] = (
    LineFormat(
        "loguru",
        re.compile(
            rf"({STAMP}|{CLOCK}) \| ({_WORD}|[A-Z]{{3,12}}) *\| "
            rf"(?:((?:\w+=[^\s|]* +)+)\| )?(?:({_NAME}):({_NAME}):(\d+) - )?(.*)"
        ),
        _loguru,
        _DIGITS,
    ),
    LineFormat(
        "taskiq",
        re.compile(rf"\[({STAMP})\]\[({_NAME})\]\[({_WORD}) *\]\[[^\]]*\] (.*)"),
        _groups("stamp", "logger", "level", "message"),
        "[",
    ),
    LineFormat(
        "gunicorn",
        re.compile(rf"\[({STAMP})\] \[\d+\] \[({_WORD})\] (.*)"),
        _groups("stamp", "level", "message"),
        "[",
    ),
    LineFormat(
        "postgresql",
        re.compile(
            rf"({STAMP})(?: [A-Z]{{2,5}})? \[\d+(?:-\d+)?\] (?:\S+@\S+ )?"
            r"(LOG|ERROR|FATAL|PANIC|WARNING|NOTICE|INFO|DEBUG\d?):  (.*)"
        ),
        _groups("stamp", "level", "message"),
        _DIGITS,
    ),
    LineFormat(
        "oslo.log",
        re.compile(rf"({STAMP}) \d+ ({_WORD}) ({_NAME}) (?:\[[^\]]*\] )?(.*)"),
        _groups("stamp", "level", "logger", "message"),
        _DIGITS,
    ),
    LineFormat("structlog", re.compile(rf"({STAMP}) \[({_ANY}) *\] (.*)"), _structlog, _DIGITS),
    LineFormat(
        "asctime name level",
        re.compile(rf"({STAMP}) -? ?\[?({_NAME})\]? -? ?\[?({_WORD})\]? ?[-:]? (.*)"),
        _groups("stamp", "logger", "level", "message"),
        _DIGITS,
    ),
    LineFormat(
        "asctime level name",
        re.compile(
            rf"({STAMP})(?: -|,)? \[?({_ANY})\]? *(?:-|:)? ?\[?((?=[\w.]*[A-Za-z])[\w.]+)(?:\] |\]: |: | - )(.*)"
        ),
        _groups("stamp", "level", "logger", "message"),
        _DIGITS,
    ),
    LineFormat(
        "asctime level",
        re.compile(rf"({STAMP})(?: -|,)? \[?({_ANY})\]? *(?:-|:)? ?(.*)"),
        _groups("stamp", "level", "message"),
        _DIGITS,
    ),
    LineFormat(
        "nats-server",
        re.compile(rf"\[\d+\] (\d{{4}}/\d\d/\d\d {CLOCK}) \[(INF|WRN|ERR|FTL|DBG|TRC)\] (.*)"),
        _groups("stamp", "level", "message"),
        "[",
    ),
    LineFormat(
        "gin",
        re.compile(rf'\[GIN\] (\d{{4}}/\d\d/\d\d - {CLOCK}) \| *(\d{{3}}) \|[^|]*\|[^|]*\| (\w+) +"([^"]*)"'),
        _gin,
        "[",
    ),
    LineFormat("logfmt", re.compile(rf'(?:time|ts)="?{DATE}T{CLOCK}\S* (?:level|msg)=.*'), _logfmt, "t"),
    LineFormat("json", re.compile(r"\{.*\} *"), _json, "{"),
    LineFormat(
        "uvicorn",
        re.compile(r"(?=.{10})(INFO|ERROR|DEBUG|TRACE|WARNING|CRITICAL): +(?<=^.{10})(.*)"),
        _uvicorn,
        "IEDTWC",
    ),
    LineFormat(
        "access log",
        re.compile(r'(\S+) \S+ \S+ \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "([^"]*)" (\d{3})\b.*'),
        _access,
    ),
    LineFormat(
        "syslog",
        re.compile(r"([A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d) \S+ ([\w./-]+)(?:\[\d+\])?: (.*)"),
        _groups("stamp", "logger", "message"),
        "JFMASOND",
    ),
    LineFormat("stamp", re.compile(rf"\[?({STAMP})\]?[ ,:-]+(.*)"), _groups("stamp", "message"), _DIGITS + "["),
    LineFormat(
        "logging",
        re.compile(rf"({_WORD}):({_NAME}):(.*)"),
        _groups("level", "logger", "message"),
        "TDISNWECF",
        strong=False,
    ),
    LineFormat(
        "level",
        re.compile(rf"(?:\[({_WORD})\]|({_WORD})(?: -|:)) +(.*)"),
        lambda match: Header(match[3], "", _level(match[1] or match[2])),
        "[TDISNWECF",
        strong=False,
    ),
)


class FormatReader:
    """Finds the header of a line among the forms that a stream may have."""

    def __init__(self, weak: frozenset[str] = frozenset()) -> None:
        wanted = [one for one in FORMATS if one.strong or one.name in weak]
        self._by_first: dict[str, tuple[LineFormat, ...]] = {}
        self._wanted = wanted

    def read(self, line: str) -> tuple[str, Header] | None:
        """Return the name of the form and the header, or None for a line that begins no record."""
        first = line[:1]
        forms = self._by_first.get(first)
        if forms is None:
            forms = self._by_first[first] = tuple(one for one in self._wanted if not one.first or first in one.first)
        if first in " \t":
            return None
        for form in forms:
            match = form.pattern.fullmatch(line)
            if match is not None and (header := form.read(match)) is not None:
                return form.name, header
        return None

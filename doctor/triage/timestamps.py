"""Reads the times that log lines bear. What a line does not say is not guessed: a zone, a date.

Times are seconds since 1970. A stamp without a zone is read as if it were UTC, and one without a date is on the day
that it is given; both are told (``Clock``).
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime

DATE = r"\d{4}-\d\d-\d\d"
CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
ZONE = r"(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)(?![\w:]))"
STAMP = rf"{DATE}[T ]{CLOCK}{ZONE}?"
"""A whole stamp, as a regular expression without groups."""

MONTHS = {name: number for number, name in enumerate(calendar.month_abbr) if name}
DAY = 86_400.0

_PARTS = re.compile(
    r"(?:(?P<y>\d{4})[-/](?P<m>\d\d)[-/](?P<d>\d\d)(?:[T ]| - )"
    r"|(?P<cd>\d\d)/(?P<cm>[A-Z][a-z]{2})/(?P<cy>\d{4}):"
    rf"|(?P<sm>[A-Z][a-z]{{2}}) {{1,2}}(?P<sd>\d{{1,2}}) )?"
    rf"(?P<clock>{CLOCK})(?P<zone>{ZONE})?"
)


_EPOCH = re.compile(r"(1\d{9}|1\d{12})(?:\.\d{1,9})?")


class Clock:
    """Reads the stamps of one stream. ``day`` is the date of stamps that have none.

    A clock that jumps back by more than half a day has passed midnight.
    """

    def __init__(self, day: date | None = None) -> None:
        self._day = day
        self._minutes: dict[str, float | None] = {}
        self._last = 0.0
        self._passed = 0
        self.has_zone = False
        self.lacks_zone = False
        self.lacks_date = False

    def read(self, stamp: str) -> float | None:
        """Return the time, or None for what is none."""
        if len(stamp) in (19, 23, 26) and stamp[4:5] == "-":
            minute = stamp[:16]
            base = self._minutes.get(minute)
            if base is None and minute not in self._minutes:
                if len(self._minutes) > 10_000:
                    self._minutes.clear()
                base = self._minutes[minute] = self._whole(f"{minute}:00")
            if base is not None:
                try:
                    return base + float(stamp[17:].replace(",", "."))
                except ValueError:
                    return None
        return self._whole(stamp)

    def _whole(self, stamp: str) -> float | None:
        match = _PARTS.fullmatch(stamp)
        if match is None:
            return self._epoch(stamp)
        try:
            year, month, day, exact = self._date(match)
            seconds = _seconds(match["clock"])
            start = calendar.timegm((year, month, day, 0, 0, 0)) if _is_date(year, month, day) else None
        except (ValueError, KeyError):
            return None
        if start is None or seconds is None:
            return None
        offset = _offset(match["zone"])
        self.has_zone |= offset is not None
        self.lacks_zone |= offset is None
        time = start + seconds - (offset or 0.0)
        return time if exact else self._rolled(time)

    def _epoch(self, stamp: str) -> float | None:
        """Read seconds, or thousandths of seconds, since 1970, as JSON has them."""
        match = _EPOCH.fullmatch(stamp)
        if match is None:
            return None
        self.has_zone = True
        return float(stamp) / (1.0 if len(match[1]) == 10 else 1000.0)

    def _date(self, match: re.Match[str]) -> tuple[int, int, int, bool]:
        if match["y"]:
            return int(match["y"]), int(match["m"]), int(match["d"]), True
        if match["cy"]:
            return int(match["cy"]), MONTHS[match["cm"]], int(match["cd"]), True
        self.lacks_date = True
        day = self._day or date(1970, 1, 1)
        if match["sm"]:
            return day.year, MONTHS[match["sm"]], int(match["sd"]), True
        return day.year, day.month, day.day, False

    def _rolled(self, time: float) -> float:
        """Put a time without a date on the day after where it follows a later one."""
        if time + self._passed * DAY < self._last - DAY / 2:
            self._passed += 1
        time += self._passed * DAY
        self._last = time
        return time


def shown(time: float | None) -> str:
    """Return a time as ISO 8601, to the millisecond where it is that exact, or an empty text for none."""
    if time is None:
        return ""
    moment = datetime.fromtimestamp(time, UTC)
    precision = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def _is_date(year: int, month: int, day: int) -> bool:
    date(year, month, day)
    return 1970 <= year <= 9000


def _seconds(clock: str) -> float | None:
    hours, minutes, seconds = int(clock[:2]), int(clock[3:5]), float(clock[6:].replace(",", "."))
    return hours * 3600 + minutes * 60 + seconds if hours < 24 and minutes < 60 and seconds < 61 else None


def _offset(zone: str | None) -> float | None:
    text = (zone or "").strip()
    if not text:
        return None
    if text[0] not in "+-":
        return 0.0
    sign = -1 if text[0] == "-" else 1
    return float(sign * (int(text[1:3]) * 3600 + int(text[-2:]) * 60))

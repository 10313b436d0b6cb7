"""Days in queries: `after:2025-03` and the like, as spans of time in the asker's zone."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from transcripts.errors import UnknownZoneError

_DATE = re.compile(r"(\d{4})(?:[-./](\d{1,2})(?:[-./](\d{1,2}))?)?")


@dataclass(frozen=True)
class Days:
    """From the first day to the day before `until`; None: open."""

    first: date | None = None
    until: date | None = None

    def within(self, other: "Days") -> "Days":
        """Both conditions together."""
        firsts = [day for day in (self.first, other.first) if day is not None]
        untils = [day for day in (self.until, other.until) if day is not None]
        return Days(max(firsts, default=None), min(untils, default=None))

    def span(self, zone: tzinfo) -> tuple[int | None, int | None]:
        """(from, before) in ms UTC: the days begin and end at midnight of that zone."""
        return _midnight(self.first, zone), _midnight(self.until, zone)


def parse_days(name: str, value: str) -> Days | None:
    """`after`, `before` or `on` with a day (2025-03-09), a month (2025-03) or a year; None if it is none.

    `after:` and `before:` include the day (month, year) named.
    """
    found = _DATE.fullmatch(value.strip())
    if found is None:
        return None
    year, month, day = (int(part) if part else None for part in found.groups())
    try:
        first = date(year or 0, month or 1, day or 1)
        last = _next(first, month is not None, day is not None)
    except (ValueError, OverflowError):
        return None
    match name:
        case "after":
            return Days(first=first)
        case "before":
            return Days(until=last)
    return Days(first, last)


def zone_of(name: str) -> tzinfo:
    """The time zone of an IANA name.

    Raises:
        UnknownZoneError: there is no such zone.
    """
    if name.upper() in {"UTC", "GMT", "Z", ""}:
        return UTC  # without asking the system, which may have no zones at all
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:
        raise UnknownZoneError(f"there is no time zone {name!r}") from exc


def _next(first: date, has_month: bool, has_day: bool) -> date:
    if has_day:
        return first + timedelta(days=1)
    if has_month:
        return (first + timedelta(days=31)).replace(day=1)
    return first.replace(year=first.year + 1)


def _midnight(day: date | None, zone: tzinfo) -> int | None:
    if day is None:
        return None
    try:
        return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)
    except (OverflowError, ValueError):
        return 0 if day.year < 1970 else 2**62

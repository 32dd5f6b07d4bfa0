"""Times: those of leaves, which may have nine digits of a second, and Python's."""
from __future__ import annotations

import datetime
import functools
import re
from typing import Tuple

from .events import Moment, rfc3339

_PARTS = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_FIRST = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)
_LAST = datetime.datetime.max.replace(tzinfo=datetime.timezone.utc)


@functools.lru_cache(1024)  # a batch is received at one moment
def parse_time(text: str) -> datetime.datetime:
    """The moment of an RFC 3339 text, in UTC. Digits beyond microseconds are cut, and what lies
    before the year 1 or after 9999 is the first or last moment that Python has: a log may have
    times of the year 0."""
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise ValueError("%.60r is no RFC 3339 time" % text)
    micros = ((parts[3] or "") + "000000")[:6]
    zone = "+00:00" if parts[4] in "Zz" else parts[4]
    if parts[1].startswith("0000"):
        return _FIRST
    moment = datetime.datetime.fromisoformat("%sT%s.%s%s" % (parts[1], parts[2], micros, zone))
    try:
        return moment.astimezone(datetime.timezone.utc)
    except OverflowError:
        return _FIRST if moment.year == 1 else _LAST


def time_text(moment: Moment) -> str:
    """A moment as the filters of the log take it."""
    text = rfc3339(moment) or ""
    if text:
        parse_time(text)
    return text


def order(text: str) -> Tuple[str, str]:
    """A key by which texts of times compare, to the last digit: the second in UTC, as text, and
    the digits behind it."""
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise ValueError("%.60r is no RFC 3339 time" % text)
    second = "%sT%s" % (parts[1], parts[2])
    if parts[4] not in "Zz":
        second = parse_time(text).isoformat()[:19]
    return second, (parts[3] or "").rstrip("0")

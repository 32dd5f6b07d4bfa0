"""Plain JSON values and texts, made of any that Python has.

The toolkit checks less than the log does: what the log would refuse is kept in another form."""
from __future__ import annotations

import contextlib
import datetime
import json
import math
import re
from typing import Any, Dict, List, Optional, Pattern, Set

from .events import MAX_DATA, rfc3339, to_json

MAX_NODES = MAX_DATA // 2  # values of an event's data
MAX_NESTING = 30  # arrays and objects inside each other

_NONCHARACTERS = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef%s]" % _NONCHARACTERS)
SURROGATES = re.compile("[\ud800-\udfff]")
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d{1,30})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def plain_time(value: Any) -> Optional[str]:
    """An RFC 3339 time as the log takes it, or None."""
    try:
        text = re.sub(r"\+00:00Z?$", "Z", str(rfc3339(value) or ""))
        match = _TIME.fullmatch(text)
        if match is None:
            return None
        zone = match[4].upper().replace("Z", "+00:00")
        moment = datetime.datetime.fromisoformat("%sT%s%s" % (match[1], match[2], zone))
        moment.astimezone(datetime.timezone.utc)
        return text
    except Exception:  # it is no time, or lies outside the years 1 to 9999 in UTC
        return None


def escape(pattern: Pattern[str], text: str) -> str:
    """The text, with the escapes of Python for what the pattern matches."""
    return pattern.sub(lambda match: ascii(match.group())[1:-1], text)


def show(value: object) -> str:
    """Any value as text."""
    try:
        return str(value)
    except Exception:  # whatever the caller's __str__ does
        return "<%s>" % type(value).__name__


def cut(text: Optional[str], size: int) -> Optional[str]:
    """Text of at most size bytes, cut at a character's end."""
    return text and text.encode()[:size].decode(errors="ignore")


def plain_text(value: Any, field: str, altered: List[str]) -> Optional[str]:
    """A string that an attribute may be: without control characters, lone surrogates or
    noncharacters, of at most 4 KiB. None if there is none. Names the field in altered if it is kept
    in another form."""
    if value is None or value == "":
        return None
    with contextlib.suppress(Exception):  # a time outside the years 1 to 9999 in UTC
        value = rfc3339(getattr(value, "value", value))
    text = value if isinstance(value, str) else show(value)
    whole = escape(FORBIDDEN, text)
    short = cut(whole, 4000)  # an event's type has a prefix, too
    if not text == whole == short:
        altered.append(field)
    return short


def plain_data(data: Any, altered: List[str]) -> Any:
    """Data as JSON would have it. What JSON, or the log, cannot say is kept as text in its
    place."""
    if data is None:
        return None
    plain = _Plain()
    try:
        value = plain.of(data, 0)
        text = to_json(value)
    except Exception:  # more values than an event may have bytes, or an object that fails
        plain.altered = True
        text = to_json(escape(SURROGATES, _repr(data)))
        value = json.loads(text)
    if len(text) > MAX_DATA:
        plain.altered = True
        value = {
            "agt_truncated": True,
            "bytes": len(text),
            "head": cut(text.decode(), 64 << 10),
            "tail": text.decode()[-4096:],
        }
    if plain.altered:
        altered.append("data")
    return value


def _repr(value: object) -> str:
    try:
        return ascii(value)
    except Exception:  # it is nested too deeply, or its __repr__ fails
        return "<%s>" % type(value).__name__


class _Plain:
    """Makes plain JSON values of any. altered says that something is kept in another form than
    json.dumps gives it."""

    def __init__(self) -> None:
        self.altered = False
        self._left = MAX_NODES
        self._above: Set[int] = set()

    def of(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            raise ValueError("too many values")
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            return self._string(str.__str__(value))
        if isinstance(value, int):
            return int(value) if abs(value) < 1 << 1000 else self._other(hex(value))
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else self._other(repr(float(value)))
        if not isinstance(value, (dict, list, tuple)):
            return self._string(show(value))
        if depth >= MAX_NESTING or id(value) in self._above:
            return self._other(escape(SURROGATES, _repr(value))[: 1 << 16])
        self._above.add(id(value))
        try:
            if isinstance(value, dict):
                return self._object(value, depth)
            return [self.of(item, depth + 1) for item in value]
        finally:
            self._above.discard(id(value))

    def _other(self, value: str) -> str:
        self.altered = True
        return value

    def _string(self, text: str) -> str:
        escaped = escape(SURROGATES, text)
        return text if escaped == text else self._other(escaped)

    def _name(self, key: Any) -> str:
        """A key as json.dumps makes it."""
        if isinstance(key, str):
            return self._string(str.__str__(key))
        simple = key is None or isinstance(key, (bool, int, float))
        return self._string(json.dumps(key) if simple else show(key))

    def _object(self, value: Dict[Any, Any], depth: int) -> Dict[str, Any]:
        """Two keys that become the same are both kept. A key that is text keeps its name."""
        plain: Dict[str, Any] = {}
        for key, item in sorted(value.items(), key=lambda pair: not isinstance(pair[0], str)):
            name = self._name(key)
            while name in plain:
                name = self._other("%s (%s)" % (name, type(key).__name__))
            plain[name] = self.of(item, depth + 1)
        return plain

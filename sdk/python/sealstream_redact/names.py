"""What the name or the word before a value says of it."""
import functools
import re

from .scan import _ALNUM, _LETTER, _MAX_ISSUED, _MAX_NAME, _NAME, _WORD, _escape_ends, _has_digit
from .shapes import _ANCHORS, _EXACT, _ISSUERS, _LITERALS, _NOT_GENERIC, _NOT_NAMES, _SUFFIX


def _plainest(name):
    return bytes(c | 0x20 if 0x41 <= c <= 0x5A else c for c in name if c in _ALNUM).decode()


@functools.lru_cache(4096)
def _name_kind(name):
    """The kind of the secret that a name names; "" if it names none."""
    if not 3 <= len(name) <= _MAX_NAME or not all(c in _ALNUM or c in b"_-. $@" for c in name):
        return ""
    plain = _plainest(name)
    kind = _EXACT.get(plain)
    if kind is None:
        kind = next((kind for text, kind in _SUFFIX if len(plain) > len(text) and plain.endswith(text)), "")
        if kind and plain.endswith(_NOT_NAMES):
            kind = ""
    if kind:
        low = name.lower()
        if not any(anchor in low for anchor in _ANCHORS):
            return ""
    return kind


def _hits(t):
    """Where literals stand: (place, order, what it is, length), from left to right."""
    low, hits = t.lower(), []
    for text, fold, order, what in _LITERALS:
        where = low if fold else t
        if text not in where:
            continue
        at = where.find(text)
        while at >= 0:
            hits.append((at, order, what, len(text)))
            at = where.find(text, at + 1)
    hits.sort(key=lambda hit: hit[:2])
    return hits


def _around(t, at, end):
    """The whole name of which a part stands from at to end."""
    begin = at
    while begin > 0 and at - begin < _MAX_NAME and t[begin - 1] in _NAME and not _escape_ends(t, begin):
        begin -= 1
    return begin, _NAME.run(t, end, min(len(t), end + _MAX_NAME))


def _suspicious(name):
    low = name.lower().decode("latin-1")
    return not any(part in low for part in _NOT_GENERIC)


def _changes(v):
    return sum(1 for a, b in zip(v, v[1:]) if a in _LETTER and b in _LETTER and (a ^ b) & 0x20)


def _shuffled(v, least):
    small, capital = sum(0x61 <= c <= 0x7A for c in v), sum(0x41 <= c <= 0x5A for c in v)
    groups, changes = len(re.findall(rb"[0-9]+", v)), _changes(v)
    return (least < 10 and small > 0 and capital > 0 and (groups > 0 or 5 * changes >= 2 * len(v))
            or small > 1 and capital > 1 and (groups > 1 or groups > 0 and 5 * changes >= 2 * len(v)))


def _issuer_kind(word):
    return _plainest(word) + "-key"


def _issuer_form(word, t, i):
    stop = min(len(t), i + _MAX_ISSUED)
    for form in _ISSUERS[word]:
        end = form.match(t, i, True, stop)
        if end < 0 or end < stop and t[end] in _WORD:
            continue
        v = t[i:end]
        if any(c in _LETTER for c in v) and (_has_digit(v) or 10 * _changes(v) >= 3 * len(v)):
            return end
    return 0


def _issuer_of(name, value):
    if len(value) >= 14 and _has_digit(value):
        for _, _, what, _ in _hits(name):
            if isinstance(what, bytes) and _issuer_form(what, value, 0) > 0:
                return _issuer_kind(what)
    return ""

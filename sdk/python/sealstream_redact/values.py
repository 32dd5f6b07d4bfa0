"""What a value looks like, and the quotes around it."""
import re

from .scan import (
    _ALNUM, _DIGIT, _IS_MARK, _LETTER, _NONE, _QUOTES, _SCHEMES, _SYMBOLS, _WORD, _has_digit,
)


def _placeholder(v):
    """Whether a value only stands for a secret: it is masked already, or names a variable."""
    if _IS_MARK.fullmatch(v) or not v.strip(b"*") or v.startswith((b"${", b"{{", b"$(")) or len(v) > 2 and not v.strip(b"xX.*-_#"):
        return True
    space = v.find(b" ")
    if space > 0 and v[:space].lower() in _SCHEMES:
        rest = v[space:].lstrip(b" ")
        return not rest or rest[:1] in (b"<", b"{", b"$") or rest.startswith(b"%s")
    if v[0] == 0x3C and v[-1] == 0x3E or v[0] == 0x5B and v[-1] == 0x5D or len(v) > 2 and v[0] == 0x25 and v[-1] == 0x25 or v.startswith((b"<%", b"[REDACTED")):
        return True
    if v[0] == 0x24 and len(v) > 1 and (v[1] in _LETTER or v[1] == 0x5F):
        return all(0x41 <= c <= 0x5A or c in _DIGIT or c == 0x5F for c in v[1:])
    return False


def _worth(t, begin, end):
    if begin >= end:
        return _NONE
    v = t[begin:end]
    if _placeholder(v) or len(v) <= 3 and not any(c >= 0x80 or c in _ALNUM for c in v):
        return _NONE
    return begin, end


class _Quotation:
    """A string in a text: its quote, and how many backslashes stand in front of it."""

    def __init__(self, t, i):
        self.ok, self.quote, self.slashes, self.triple, self.begin = False, 0, 0, False, i
        if i + 1 < len(t) and (t[i] in _LETTER or t[i] in b"@$") and t[i + 1] in b"\"'" and (i == 0 or t[i - 1] not in _WORD):
            i += 1
        while i < len(t) and t[i] == 0x5C and self.slashes < 64:
            self.slashes += 1
            i += 1
        if i >= len(t) or t[i] not in _QUOTES:
            self.slashes = 0
            return
        self.ok, self.quote, self.begin = True, t[i], i + 1
        if self.slashes == 0 and i + 2 < len(t) and t[i + 1] == t[i] and t[i + 2] == t[i]:
            self.triple, self.begin = True, i + 3

    def end(self, t, stop=None):
        """Where what the quotation says ends. One that is cut off ends with the text."""
        stop = len(t) if stop is None else min(stop, len(t))
        i, step = self.begin, 2 * (self.slashes + 1)
        while True:
            i = t.find(self.quote, i, stop)
            if i < 0:
                return stop
            run = 0
            while i - run - 1 >= self.begin and t[i - run - 1] == 0x5C:
                run += 1
            if self.triple:
                if i + 2 >= stop or t[i + 1] == self.quote and t[i + 2] == self.quote:
                    return i - run
            elif run >= self.slashes and (run - self.slashes) % step == 0:
                return i - self.slashes
            i += 1

    def after(self, t, end):
        return min(len(t), end + (3 if self.triple else self.slashes + 1))


def _host(t, i):
    return i < len(t) and (t[i] in _ALNUM or t[i] in b"[${_/%" or t[i] >= 0x80)


def _ends(t, i, end):
    match = re.compile(rb"[/?#]").search(t, i, end)
    if match and match.start() > i:
        return t.find(b"@", i + 1, match.start()) < 0 and t.find(b"@", match.start(), end) < 0
    return t.find(b"@", i + 1, end) < 0


def _placeholder_or_empty(v):
    return not v or _placeholder(v)


def _path_like(v):
    return len(v) > 1 and (v[0] == 0x2F and b"/" in v[1:] or v[:2] == b"~/" or len(v) > 2 and v[1:3] == b":\\")


def _plausible(v):
    if len(v) < 6 or not _has_digit(v) or b" " in v or b"://" in v or v[0] in b"/.":
        return False
    if any(part in v for part in (b"${", b"{{", b"$(", b"%s", b"%d", b"%v", b"%q", b"[REDACTED")):
        return False
    return not (v.find(b".") > 0 and _dotted(v))


def _dotted(v):
    return all(not part or (part[0] in _LETTER or part[0] == 0x5F) and len(part) < 20 for part in v.split(b"."))


def _direct(t, begin, end):
    if begin > 0 and t[begin - 1] in b"?&#;" or t[begin] == 0x2D:
        return True
    if begin == 0 and not any(c in b" \t\n" for c in t):
        return True
    return not any(0x61 <= c <= 0x7A or c == 0x2E for c in t[begin:end])


def _date(v):
    return re.match(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}", v) is not None


def _strong(v):
    if len(v) < 8 or _date(v):
        return False
    groups = len(re.findall(rb"[0-9]+", v))
    return any(c in _LETTER for c in v) and groups >= 1 and (any(c in _SYMBOLS for c in v) and groups >= 2 or groups >= 3)

"""Redaction of text and of JSON, which may stand in each other."""
import json
import re

from .finder import _Finder, _mark, _plain
from .names import _issuer_of, _name_kind, _plainest
from .scan import _DIGIT, _MAX_AGAIN, _MAX_BACK, _MAX_NESTED, _MAX_ROUNDS, _at, _has_digit
from .shapes import _ABOUT, _NUMERIC, _PAIR_NAMES, _PAIR_VALUES
from .values import _path_like, _placeholder


def _text(t, level):
    if level > _MAX_NESTED or not _like_json(t):
        return _plain(t)
    kinds = []
    for _ in range(_MAX_ROUNDS + 1):
        walker = _Walker(t, b"", level)
        walker.walk()
        kinds += [kind for kind, _ in walker.findings]
        out, found = _plain(walker.result() if walker.findings else t)
        t = out
        kinds += found
        if not walker.findings and not found:
            return t, kinds
    return _mark(kinds[0]), kinds


def _like_json(t):
    t = (t[3:] if t.startswith(b"\xef\xbb\xbf") else t).lstrip(b" \t\r\n")
    return len(t) > 1 and t[0] in b"{["


class _Frame:
    """An object or array that is open."""
    __slots__ = ("array", "kind", "path", "n", "in_value", "name", "plain", "pending", "nested", "prev", "dash", "named", "back")

    def __init__(self, array):
        self.array, self.kind, self.path, self.n, self.in_value, self.name, self.plain = array, "", 0, 0, False, None, ""
        self.pending, self.nested, self.prev, self.dash, self.named, self.back = "", False, "", False, "", None


_ATOM, _STRING, _BLANK = re.compile(rb'[^{}\[\],:" \t\r\n]*'), re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL), re.compile(rb"[ \t\r\n]*")
_SURROGATE = re.compile("[\ud800-\udfff]")


def _unescaped(quoted):
    body = quoted[1:-1]
    if b"\\" not in body:
        return body
    try:
        return _SURROGATE.sub("\ufffd", json.loads(quoted.decode("utf-8", "replace"))).encode()
    except ValueError:
        return body


_ESCAPES = {0x22: '\\"', 0x5C: "\\\\", 8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}


def _quoted(text):
    table = {c: _ESCAPES.get(c, "\\u%04x" % c) for c in list(range(0x20)) + [0x22, 0x5C]}
    return b'"' + text.decode("utf-8", "replace").translate(table).encode() + b'"'


def _pointer(name):
    return name.replace(b"~", b"~0").replace(b"/", b"~1")


class _Walker:
    """Goes over JSON text token by token, whatever its depth, and makes the best of what is no JSON."""

    def __init__(self, raw, path, level):
        self.raw, self.path, self.level, self.i, self.out, self.copied = raw, path, level, 0, [], 0
        self.frames, self.keys, self.findings, self.again = [], 0, [], 0

    def result(self):
        return b"".join(self.out) + self.raw[self.copied:]

    def walk(self):
        raw = self.raw
        while self.i < len(raw):
            c = raw[self.i]
            if c in b" \t\r\n":
                self.i += 1
            elif c in b"{[":
                self._open(c == 0x5B)
            elif c in b"}]":
                self.i += 1
                if self.frames:
                    self.path = self.path[:self.frames.pop().path]
            elif c == 0x2C:
                self.i += 1
                if self.frames:
                    frame = self.frames[-1]
                    self.path = self.path[:frame.path]
                    frame.n += 1
                    frame.in_value, frame.pending, frame.name = False, "", None
            elif c == 0x3A:
                self.i += 1
                if self.frames and not self.frames[-1].array:
                    self.frames[-1].in_value = True
            elif c == 0x22:
                self._string()
            else:
                self._atom()

    def _open(self, array):
        frame = _Frame(array)
        if self.frames:
            up = self.frames[-1]
            self._element()
            frame.nested, frame.kind = up.array, up.kind if up.array else up.pending
            if up.array:
                up.prev = ""
        frame.path = len(self.path)
        self.frames.append(frame)
        self.i += 1

    def _element(self):
        if self.frames and self.frames[-1].array:
            self.path = self.path[:self.frames[-1].path] + b"/%d" % self.frames[-1].n

    def _atom(self):
        begin = self.i
        self.i = max(begin + 1, _ATOM.match(self.raw, begin).end())
        c = self.raw[begin]
        if c != 0x2D and c not in _DIGIT:
            return
        self._element()
        kind = ""
        if self.frames:
            frame = self.frames[-1]
            kind = frame.kind if frame.array else frame.pending
            if frame.array:
                frame.prev = ""
        text = self.raw[begin:self.i]
        if kind not in _NUMERIC:
            if not 13 <= len(text) <= 19:
                return
            finder = _Finder(text)
            finder.cards()
            if len(finder.spans) != 1 or finder.spans[0][1] - finder.spans[0][0] != len(text):
                return
            kind = "card"
        self._replace(begin, self.i, _mark(kind))
        self._found([kind])

    def _string(self):
        begin = self.i
        match = _STRING.match(self.raw, begin)
        if not match:
            self.i = len(self.raw)
            return
        self.i = match.end()
        if not self.frames:
            self._value(begin, "", None)
            return
        frame = self.frames[-1]
        if frame.array:
            self._element()
            self._item(frame, begin)
            return
        if not frame.in_value:
            colon = _BLANK.match(self.raw, self.i).end()
            if _at(self.raw, colon) == 0x3A:
                end, self.i = self.i, colon + 1
                self._member(frame, begin, end)
                return
        if frame.pending == "" and self._names(frame, _unescaped(self.raw[begin:self.i])):
            return
        self._value(begin, frame.pending, frame.name)

    def _names(self, frame, value):
        if frame.named or frame.name is None:
            return False
        if frame.plain == "kind" and value == b"Secret":
            frame.named = "secret"
        elif frame.plain in _PAIR_NAMES:
            frame.named = _name_kind(value)
        if not frame.named or frame.back is None or self.again + self.i - frame.back[0] > _MAX_AGAIN * len(self.raw):
            return False
        self.again += self.i - frame.back[0]
        self.i, out, self.copied, self.keys, findings, name = frame.back
        frame.back = False  # not again
        del self.out[out:], self.findings[findings:]
        frame.name, frame.in_value, frame.pending = name, True, frame.named
        self.path = self.path[:frame.path] + b"/" + _pointer(name)
        return True

    def _member(self, frame, begin, end):
        self.path = self.path[:frame.path]
        name = self._name(begin, end)
        self.path += b"/" + _pointer(name)
        frame.name, frame.in_value, frame.plain = name, True, _plainest(name) if len(name) <= 24 else ""
        frame.pending = _name_kind(name)
        value = frame.plain in _PAIR_VALUES
        if frame.pending:
            pass
        elif value and frame.named:
            frame.pending = frame.named
        elif frame.kind == "authorization":
            frame.pending = frame.kind if value else ""
        elif frame.kind and frame.plain not in _ABOUT:
            frame.pending = frame.kind
        if value and not frame.pending and frame.back is None and not frame.named and len(self.frames) <= _MAX_BACK:
            frame.back = self.i, len(self.out), self.copied, self.keys, len(self.findings), name

    def _name(self, begin, end):
        t = _unescaped(self.raw[begin:end])
        out, kinds = _text(t, self.level + 1)
        if not kinds:
            return t
        self.keys += 1
        if self.keys > 1:
            out += b"#%d" % self.keys
        self._replace(begin, end, out)
        self.findings += [(kind, self.path + b"/" + _pointer(out)) for kind in kinds]
        return out

    def _item(self, frame, begin):
        t = _unescaped(self.raw[begin:self.i])
        kind, named = frame.kind, _name_kind(t)
        if not kind and frame.prev and not named and t and t[0] != 0x2D:
            last = _at(self.raw, _BLANK.match(self.raw, self.i).end()) == 0x5D
            if frame.dash or _has_digit(t) or frame.nested and frame.n == 1 and last:
                kind = frame.prev
        frame.dash = len(t) > 1 and t[0] == 0x2D
        frame.prev = named if frame.dash or frame.n % 2 == 0 else ""
        self._value(begin, kind, None)

    def _value(self, begin, kind, name):
        t = _unescaped(self.raw[begin:self.i])
        if not t:
            return
        if not kind and name is not None:
            kind = _issuer_of(name, t)
        if kind and not (_placeholder(t) or kind == "password" and _path_like(t) and name is not None and name.lower().endswith(b"pwd")):
            self._replace(begin, self.i, _mark(kind))
            self._found([kind])
            return
        out, kinds = _text(t, self.level + 1)
        if kinds:
            self._replace(begin, self.i, out)
            self._found(kinds)

    def _found(self, kinds):
        self.findings += [(kind, self.path) for kind in kinds]

    def _replace(self, begin, end, text):
        self.out += [self.raw[self.copied:begin], _quoted(text)]
        self.copied = end


def _distinct(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice")


def redact_text(text):
    """Redacts a str, and returns it with the kinds of what was found."""
    t = text.encode("utf-8", "surrogatepass")
    out, kinds = _text(t, 0)
    return out.decode("utf-8", "surrogatepass") if kinds else text, kinds


def redact_json(raw, path="/data"):
    """Redacts valid JSON text, a str, and returns it with a list of (kind, path)."""
    walker = _Walker(raw.encode("utf-8", "surrogatepass"), path.encode(), 0)
    walker.walk()
    if not walker.findings:
        return raw, []
    out = walker.result().decode("utf-8", "replace")
    if walker.keys:
        try:
            json.loads(out, object_pairs_hook=_distinct)
        except ValueError:
            return '"[REDACTED:members]"', [("members", path)]
    return out, [(kind, where.decode("utf-8", "replace")) for kind, where in walker.findings]

"""Values that are assigned to a name."""
from .names import _name_kind, _plainest
from .places import (
    _block, _closing, _element, _header, _leads, _lines, _named, _numeric, _tagged, _typed, _value,
)
from .scan import (
    _ALNUM, _BARE_END, _CLASSES, _CONNECTION, _DIGIT, _LETTER, _MAX_CONTAINER, _MAX_LOOK, _NONE,
    _OPEN, _OPERATORS, _QUOTES, _TEXT_ENDS, _at, _has_digit, _space_at, _space_before, _spaces,
)
from .shapes import _ABOUT, _NUMERIC, _PAIR_VALUES
from .values import _Quotation, _date, _direct, _dotted, _path_like, _plausible, _strong, _worth


class _Assigned:
    """Values that are assigned to a name. A part of _Finder."""

    def assigned(self, begin, end, kind):
        if begin >= len(_OPEN) and self.text.startswith(_OPEN, begin - len(_OPEN)):
            return _NONE
        start, stop = self._given(begin, end, kind)
        if stop > start:
            v, name = self.text[start:stop], self.text[begin:end].lower()
            if v.lower() == name or name.endswith(b"pwd") and v[0] in b"/~.":
                return _NONE
        return start, stop

    def _given(self, begin, end, kind):
        t = self.text
        start, stop = _tagged(t, begin, end)
        if stop > start:
            return start, stop
        quoted = begin > 0 and t[begin - 1] in _QUOTES
        i, closed = _closing(t, end)
        quoted = quoted and closed
        start, stop = self._pair(begin, i, quoted)
        if stop > start:
            return start, stop
        i = _spaces(t, i)
        if quoted:
            i = _lines(t, i)
        op = next((op for op in _OPERATORS if t.startswith(op, i)), b"")
        if not op:
            return self._argument(begin, end, i)
        if op == b">":
            return _element(t, i + 1) if quoted and _named(t, begin) else _NONE
        spaced = i > end
        i += len(op)
        if op == b"=" and not spaced and (_direct(t, begin, end) or self._connection()):
            if begin > 0 and i < len(t) and t[begin - 1] == t[i] and _Quotation(t, i).ok:
                after = _spaces(t, i + 1)
                if after < len(t) and t[after] in b"+),]":
                    return _NONE
            return _value(t, i)
        after = _spaces(t, i)
        if quoted and after < len(t) and (t[after] in _TEXT_ENDS or t.startswith(b"\\n", after)):
            after = _lines(t, after)
        start, stop = _numeric(t, after, kind, quoted)
        if stop > start:
            return start, stop
        after = _block(t, after)
        if op == b":":
            after = _typed(t, after) or after
        if _Quotation(t, after).ok or quoted and _at(t, after) in (0x5B, 0x7B):
            return self._literal(after, kind, quoted)
        if op == b":" and not spaced and (kind in ("authorization", "cookie") or t[begin:end].lower().startswith(b"x-") or t.startswith(b"ce-", begin, end)):
            return _header(t, i)
        if _at(t, after) in _TEXT_ENDS and op == b":":
            after = _lines(t, after)
            return self._certain(_spaces(t, after + 2) if t.startswith(b"- ", after) else after)
        return self._setting(begin, after, i == after and op == b":")

    def _literal(self, i, kind, quoted):
        t = self.text
        if t[i] in b"[{":
            end = self._container(i, kind)
            return end, end
        q = _Quotation(t, i)
        end = q.end(t, len(t) if quoted else i + _MAX_CONTAINER)
        v = t[q.begin:end]
        if not quoted and (any(c in _TEXT_ENDS for c in v) and not q.triple or not _plausible(v)):
            return _NONE
        if kind == "password" and _path_like(v):
            return _NONE
        return _worth(t, q.begin, end)

    def _container(self, i, kind):
        t = self.text
        numeric, name, depth, limit = kind in _NUMERIC, "", 0, min(len(t), i + _MAX_CONTAINER)
        while i < limit:
            q = _Quotation(t, i)
            if q.ok:
                end = q.end(t)
                i = q.after(t, end)
                if _at(t, _spaces(t, i)) == 0x3A:
                    name = _plainest(t[q.begin:end])
                    continue
                if name not in _ABOUT:
                    self.add(*_worth(t, q.begin, end), kind)
                name = ""
                continue
            c = t[i]
            if c in b"[{":
                depth += 1
            elif c in b"]}":
                depth -= 1
                if depth == 0:
                    return i + 1
            elif numeric and c in _DIGIT and t[i - 1] not in _ALNUM:
                end = _ALNUM.run(t, i)
                if _DIGIT.run(t, i) == end and name not in _ABOUT:
                    self.add(i, end, kind)
                    i = end
                    continue
            i += 1
        return i

    def _connection(self):
        if self._connects is None:
            low = self.text.lower()
            self._connects = any(part in low for part in _CONNECTION)
        return self._connects

    def _pair(self, begin, i, quoted):
        t, j = self.text, i
        while j < len(t) and j - i < 64:
            n = _space_at(t, j)
            if t.startswith(b"\\n", j):
                j += 2
            elif t[j] in b",;\r\n" or n:
                j += max(1, n)
            else:
                break
        if j == i:
            return _NONE
        q = _Quotation(t, j)
        if quoted and q.ok and t[i] == 0x2C and t[i - 1] != 0x5D:
            end = q.end(t)
            if _at(t, _spaces(t, q.after(t, end))) not in (0x3A, 0x3D):
                before = begin - 1
                while before > 0 and (t[before - 1] == 0x5C or _space_before(t, before) == 1):
                    before -= 1
                v = t[q.begin:end]
                if before > 0 and t[before - 1] in b"([" and _plausible(v) and not _name_kind(v):
                    return _worth(t, q.begin, end)
                return _NONE
        while j < len(t) and t[j] in b"\\\"'":
            j += 1
        end = _LETTER.run(t, j)
        if end == j or t[j:end].lower().decode() not in _PAIR_VALUES or not _named(t, begin):
            return _NONE
        end = _spaces(t, _closing(t, end)[0])
        if _at(t, end) not in (0x3A, 0x3D):
            return _NONE
        end = _spaces(t, end + 1)
        q = _Quotation(t, end)
        if q.ok:
            return _worth(t, q.begin, q.end(t))
        stop = end
        while stop < len(t) and t[stop] not in _BARE_END:
            stop += 1
        if stop - end < 3 or t[end] in b"{[":
            return _NONE
        return _worth(t, end, stop)

    def _argument(self, begin, end, i):
        t = self.text
        if i >= len(t) or begin > 0 and t[begin - 1] == 0x2F:
            return _NONE
        if t[i] in b"|;,(":
            return self._certain(_spaces(t, i + 1))
        if i == end:
            return _NONE
        q = _Quotation(t, i)
        if t[begin] == 0x2D:
            if q.ok:
                return _worth(t, q.begin, q.end(t))
            start, stop = _value(t, i)
            return (start, stop) if stop > start and t[start] != 0x2D and _has_digit(t[start:stop]) else _NONE
        if q.ok and q.quote == 0x27:
            stop = q.end(t, i + _MAX_CONTAINER)
            return _worth(t, q.begin, stop) if _plausible(t[q.begin:stop]) else _NONE
        start = _typed(t, i)
        if start:
            return self._literal(start, "", False)
        if b"login " in t[max(0, begin - 128):begin].lower() and t[begin:end].lower() == b"password":
            return _value(t, i)
        stop = i
        while stop < len(t) and t[stop] not in _BARE_END and not _space_at(t, stop):
            stop += 1
        if begin > 0:
            before = _LETTER.back(t, begin - 1, 8)
            if t[before:begin - 1].lower() in (b"env", b"setx") and _plausible(t[i:stop]):
                return _worth(t, i, stop)
        if t.startswith((b"is ", b"is: "), i):
            i = _spaces(t, i + 3)
        return self._certain(i)

    def _certain(self, i):
        t = self.text[:i + _MAX_LOOK]
        end, q = i, _Quotation(t, i)
        if q.ok:
            i, end = q.begin, q.end(t)
        else:
            while end < len(t) and t[end] not in _BARE_END and not _space_at(t, end) and t[end] not in b"([{":
                end += 1
            if _at(t, end) in (0x28, 0x5B, 0x7B):
                return _NONE
            while end > i and t[end - 1] in b".:":
                end -= 1
        v = t[i:end]
        return _worth(t, i, end) if _strong(v) and _plausible(v) else _NONE

    def _setting(self, name, begin, tight):
        t, end = self.text, begin
        while end < len(t) and t[end] not in _BARE_END and not _space_at(t, end) and t[end] not in b"([{":
            end += 1
            if end - begin == _MAX_LOOK and not _has_digit(t[begin:end]):
                return _NONE
        if _at(t, end) == 0x28 and _Quotation(t, end + 1).ok:
            return self._certain(end + 1)
        if _at(t, end) in (0x28, 0x5B, 0x7B):
            return _NONE
        while end > begin and t[end - 1] in b".:":
            end -= 1
        v = t[begin:end]
        if len(v) < 6 or not _has_digit(v) or v.find(b".") > 0 and len(v) < 32 and _dotted(v) or v[0] in b"$/%" or v.startswith((b"0x", b"-0x")) or _date(v) or b"://" in v:
            return _NONE
        if not _strong(v):
            stop = end
            while stop < len(t):
                n = _space_at(t, stop)
                if t[stop] not in b";," and not n:
                    break
                stop += max(1, n)
            if tight or not _leads(t, name) or stop < len(t) and t[stop] not in _TEXT_ENDS and not t.startswith((b"#", b"//", b"--", b"/*", b"\\n"), stop):
                return _NONE
            if stop > end and t[end] in b",;" and v[0] not in _DIGIT and _CLASSES["word"].run(v, 0) == len(v):
                return _NONE
        return _worth(t, begin, end)

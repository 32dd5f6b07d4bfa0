"""Secrets that stand behind the name of their issuer, or behind a general word."""
from .names import _issuer_form, _issuer_kind, _shuffled
from .scan import (
    _CLASSES, _ISSUER_GAP, _ISSUER_LEAD, _ISSUER_NAME, _ISSUER_OP, _MAX_GAP, _NAME, _NONE,
    _TEXT_ENDS, _at, _space_at, _space_before,
)


class _Words:
    """Secrets that stand behind the name of their issuer, or behind a general word. A part of _Finder."""

    def issued(self, word, i):
        t = self.text
        i = _ISSUER_NAME.run(t, i, min(len(t), i + 20))
        i = _ISSUER_GAP.run(t, i, min(len(t), i + 4))
        begin = i
        i = _ISSUER_OP.run(t, i, min(len(t), i + 4))
        if i == begin:
            return 0, 0, ""
        for _ in range(6):
            n = _space_at(t, i)
            if n:
                i += n
            elif _at(t, i) in _ISSUER_LEAD:
                i += 1
            else:
                break
        for start in (i, i - 1):
            if start <= begin or start < i and _at(t, start) != 0x3D:
                break
            end = _issuer_form(word, t, start)
            if end > start:
                return start, end, _issuer_kind(word)
        return 0, 0, ""

    def generic(self, i, password):
        t = self.text
        i = _ISSUER_NAME.run(t, i, min(len(t), i + 20))
        i = _ISSUER_GAP.run(t, i, min(len(t), i + 4))
        op = i
        i = _ISSUER_OP.run(t, i, min(len(t), i + 4))
        if i == op:
            return _NONE
        i = _ISSUER_LEAD.run(t, i, min(len(t), i + 6))
        if t[op] == 0x2C and t[i - 1] not in b"\"'":
            return _NONE
        least = 8 if password and t[i - 1] == 0x22 else 10
        end = _CLASSES["dotted"].run(t, i, min(len(t), i + 151))
        v = t[i:end]
        if not least <= len(v) <= 150 or not _shuffled(v, least) or _at(t, end) in (0x28, 0x5B):
            return _NONE
        return i, end

    def kubernetes(self, at):
        t, i = self.text, at
        while i > 0 and at - i < 16 and (t[i - 1] in b"\"'" or _space_before(t, i) == 1):
            i -= 1
        if i < 5 or t[i - 5:i].lower() != b"kind:" or self._kubernetes:
            return
        self._kubernetes = True
        low, i = t.lower(), 0
        while True:
            i = low.find(b"data:", i)
            if i < 0:
                return
            i += len("data:")
            stop = min(len(t), i + _MAX_GAP)
            while i < stop:
                after = self._entries(i)
                if after > i + 1:
                    i = after
                    break
                i += 1

    def _entries(self, i):
        t = self.text
        while True:
            name = i
            while name < len(t) and (t[name] in _TEXT_ENDS or t[name] == 0x3C or _space_at(t, name) == 1):
                name += 1
            colon = _NAME.run(t, name)
            if name == i or colon == name or _at(t, colon) != 0x3A:
                return i
            begin = colon + 1
            while begin < len(t) and (t[begin] in b"|>-+\"'" or t[begin] in _TEXT_ENDS or _space_at(t, begin) == 1):
                begin += 1
            end = _CLASSES["base64"].run(t, begin)
            if _at(t, end) == 0x3A or end - begin < 4:
                return i
            self.add(begin, end, "secret")
            i = end + 1 if _at(t, end) in (0x22, 0x27) else end

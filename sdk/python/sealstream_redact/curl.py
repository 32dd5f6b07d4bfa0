"""Credentials among the arguments of curl."""
from .scan import (
    _ALNUM, _MAX_CURL, _NONE, _OPEN, _TEXT_ENDS, _at, _begins, _space_at, _space_before, _spaces,
)
from .values import _Quotation, _worth


class _Curl:
    """Credentials among the arguments of curl. A part of _Finder."""

    def _match_curl(self, at):
        t = self.text
        if not _begins(t, at, False) or _at(t, at + 4) in _ALNUM or _at(t, at + 4) == 0x5F:
            return _NONE
        limit, i = min(len(t), at + _MAX_CURL), max(at + 4, self._curled)
        self._curled = limit
        while True:
            i = t.find(b"-", i, limit)
            if i < 0:
                return _NONE
            if t[i - 1] in _TEXT_ENDS or _space_before(t, i):
                for option in (b"-u", b"--user", b"--proxy-user", b"-H", b"--header"):
                    if t.startswith(option, i):
                        j = i + len(option)
                        j = _spaces(t, j + 1 if _at(t, j) == 0x3D else j)
                        if option in (b"-H", b"--header"):
                            self._curl_header(j)
                        else:
                            self._curl_user(j)
                        break
            i += 1

    def _curl_user(self, i):
        t = self.text
        begin = end = i
        q = _Quotation(t, i)
        if q.ok:
            whole = q.end(t)
            begin, end = q.begin, min(whole, q.begin + 256)
            after = q.after(t, whole)
            if _at(t, after) == 0x3A:
                self._curl_bare(after + 1)
                return
        else:
            while end < len(t) and not _space_at(t, end) and t[end] not in _TEXT_ENDS and end - i < 256:
                end += 1
        colon = t.find(b":", begin, end)
        if colon < 0:
            return
        if colon + 1 == end and end > begin + 3:
            self.add(begin, colon, "password")
            return
        self._curl_bare(colon + 1)

    def _curl_bare(self, i):
        t, end = self.text, i
        q = _Quotation(t, i)
        if q.ok:
            i, end = q.begin, q.end(t)
        else:
            while end < len(t) and not _space_at(t, end) and t[end] not in _TEXT_ENDS and t[end] not in b"\"'\\":
                end += 1
        self.add(*_worth(t, i, end), "password")

    def _curl_header(self, i):
        t = self.text
        q = _Quotation(t, i)
        if not q.ok:
            return
        end = min(q.end(t), q.begin + 1024)
        colon = t.find(b":", q.begin, end)
        if colon < 0:
            return
        name, kind = t[q.begin:colon].lower(), ""
        if name.endswith(b"authorization"):
            kind = "authorization"
        elif name.endswith((b"key", b"token")):
            kind = "api-key"
        begin = _spaces(t, colon + 1)
        if not kind or end - begin < 8:
            return
        word = t[begin:end].find(b" ")
        if 0 < word < 20 and end - begin - word > 4:
            begin += word + 1
        begin, end = _worth(t, begin, end)
        if not t.startswith(_OPEN, begin):
            self.add(begin, end, kind)

"""Secrets that are known by their own form."""
import base64
import binascii

from .scan import (
    _AFTER_WORD, _ALNUM, _AUTHRESS, _AZURE, _CLASSES, _DIGIT, _IS_MARK, _JWT_PART, _MAX_LOOK, _NONE,
    _NOTE_END, _OPEN, _PATH, _REST, _TOKEN, _URL_END, _WEB, _WORD, _at, _begins, _escape_ends,
    _has_digit, _space_at, _spaces,
)
from .values import _Quotation, _ends, _host, _placeholder_or_empty, _worth


class _Known:
    """Secrets that are known by their own form. A part of _Finder."""

    def match(self, shape, at):
        t = self.text
        if shape.match:
            return getattr(self, "_match_" + shape.match)(at)
        if shape.bound and not _begins(t, at, shape.strict):
            return _NONE
        end = shape.form.match(t, at + len(shape.start), shape.fold)
        if end < 0:
            return _NONE
        longer = _WORD.run(t, end)
        if longer > end and shape.strict:
            return _NONE
        end = longer
        while t[end - 1] == 0x2E:
            end -= 1
        return at, end

    def _match_pem(self, at):
        t = self.text
        label = at + len("-----begin")
        near = t[label:label + 128].lower()
        stop = near.find(b"-----")
        if stop < 0 or b"private key" not in near[:stop]:
            return _NONE
        end = t.lower().find(b"-----end", label + stop + 5)
        if end < 0:
            return at, len(t)
        last = t.find(b"-----", end + 8, end + 136)
        return (at, last + 5) if last >= 0 else (at, end + 8)

    def _match_jwt(self, at):
        t = self.text
        if not _begins(t, at, False):
            return _NONE
        end, parts = at, 0
        while True:
            stop = _TOKEN.run(t, end)
            if stop == end and parts not in (1, 2):
                break
            end = stop
            if parts == 0 and end - at < 12:
                return _NONE
            parts += 1
            if parts == 5 or _at(t, end) != 0x2E:
                break
            end += 1
        return (at, _CLASSES["any64"].run(t, end)) if parts >= 3 else _NONE

    def _match_jwtpair(self, at):
        t = self.text
        begin = at
        while begin > 0 and t[begin - 1] in _TOKEN:
            begin -= 1
        while begin < at and not (t[begin:begin + 2] == b"ey" and _begins(t, begin, False)):
            begin += 1
        if at - begin < 19:
            return _NONE
        end = _JWT_PART.run(t, at + 1)
        if end - at < 19 or _at(t, end) != 0x2E:
            return _NONE
        return begin, _CLASSES["any64"].run(t, end + 1)

    def _after_scheme(self, at, i):
        t = self.text
        if at > 0 and (t[at - 1] in _ALNUM or t[at - 1] == 0x5F) and not _escape_ends(t, at):
            return -1
        begin = i
        while i - begin < 8:
            n = _space_at(t, i)
            if n:
                i += n
            elif t.startswith(b"%20", i):
                i += 3
            elif _at(t, i) in _AFTER_WORD:
                i += 1
            else:
                break
        return i if i > begin else -1

    def _match_bearer(self, at):
        t, wide = self.text, _CLASSES["wide"]
        begin = self._after_scheme(at, at + len("bearer"))
        if begin < 0 or not _has_digit(t[begin:wide.run(t, begin, min(len(t), begin + _MAX_LOOK))]):
            return _NONE
        end = wide.run(t, begin)
        while end > begin and t[end - 1] == 0x2E:
            end -= 1
        if end - begin < 8 or _at(t, end) in (0x28, 0x5B):
            return _NONE
        return begin, end

    def _match_basic(self, at):
        t = self.text
        begin = self._after_scheme(at, at + len("basic"))
        if begin < 0:
            return _NONE
        end = _CLASSES["base64"].run(t, begin, min(len(t), begin + 1025))
        if not 4 <= end - begin <= 1024:
            return _NONE
        code = t[begin:end].rstrip(b"=")
        try:
            plain = base64.b64decode(code + b"=" * (-len(code) % 4), validate=True).decode()
        except (binascii.Error, ValueError):
            return _NONE
        if ":" not in plain or any(ord(c) < 0x20 or c in "\x7f\ufffd" for c in plain):
            return _NONE
        return begin, end

    def _match_url(self, at):
        t = self.text
        start = at + len("://")
        begin = at
        while begin > 0 and at - begin < 24 and (t[begin - 1] in _ALNUM or t[begin - 1] in b"+.-"):
            begin -= 1
        quote = {0x27: 0x27, 0x28: 0x29}.get(t[begin - 1], -1) if begin > 0 else -1
        colon = first = last = delimiter = -1
        end = i = start
        while i < len(t) and t[i] not in _URL_END and t[i] != quote and not _space_at(t, i):
            end = i + 1
            c = t[i]
            if t.startswith(_OPEN, i):
                mark = _IS_MARK.match(t, i)
                if mark:
                    i = mark.end() - 1
                    end = i + 1
            elif c == 0x5B and i == start:
                stop = t.find(b"]", i, i + 64)
                if stop > 0:
                    i = stop
            elif c == 0x3A and colon < 0 and delimiter < 0:
                colon = i
            elif c == 0x3A and t.startswith(b"://", i):
                break
            elif c in b"/?#" and delimiter < 0:
                delimiter = i
                if colon < 0:
                    break
            elif c == 0x40 and _host(t, i + 1):
                if delimiter < 0:
                    first = i
                last = i
            i += 1
        if colon < 0 or last < colon or 0 <= first < colon:
            return _NONE
        scheme = t[begin:at].lower()
        if first >= 0 and (scheme in _WEB or b"?" in t[first:last] or _ends(t, first, end)):
            return _worth(t, colon + 1, first)
        if first < 0 and delimiter >= 0:
            between = t[colon + 1:delimiter]
            if scheme in _WEB and len(between) <= 5 and all(c in _DIGIT for c in between) or _placeholder_or_empty(between):
                return _NONE
        return _worth(t, colon + 1, last)

    def _match_webhook(self, at):
        t = self.text
        begin = at + len("hooks.slack.com/")
        for part in (b"services/", b"workflows/", b"triggers/"):
            if t.startswith(part, begin):
                begin += len(part)
                end = _PATH.run(t, begin)
                if end - begin >= 20:
                    return begin, end
        return _NONE

    def _match_sendgrid(self, at):
        t = self.text
        if not _begins(t, at, False):
            return _NONE
        end = _CLASSES["dotted"].run(t, at + 3, min(len(t), at + 128))
        while end > at + 3 and t[end - 1] == 0x2E:
            end -= 1
        return (at, end) if end - at >= 40 and _has_digit(t[at:end]) else _NONE

    def _match_notekey(self, at):
        end = at
        while end < len(self.text) and self.text[end] not in _NOTE_END:
            end += 1
        return (at, end) if end - at >= 60 else _NONE

    def _match_rest(self, at):
        begin = at + len(".webhook.office.com/")
        end = _REST.run(self.text, begin)
        return (begin, end) if end - begin >= 40 else _NONE

    def _match_telegram(self, at):
        begin, end = _DIGIT.back(self.text, at, 17), _TOKEN.run(self.text, at + 1)
        return (begin, end) if 5 <= at - begin <= 16 and end - at - 1 >= 30 else _NONE

    def _match_atlas(self, at):
        begin, end = _ALNUM.back(self.text, at, 64), _CLASSES["any64"].run(self.text, at + len(".atlasv1."))
        return (begin, end) if at - begin >= 14 and end - at >= 40 else _NONE

    def _match_onepassword(self, at):
        t, end, groups = self.text, at + 2, 0
        while _at(t, end) == 0x2D:
            stop = _CLASSES["upper"].run(t, end + 1)
            if stop - end - 1 < 5:
                break
            end, groups = stop, groups + 1
        return (at, end) if groups >= 5 and _begins(t, at, False) else _NONE

    def _match_azure(self, at):
        t = self.text
        begin, end = _AZURE.back(t, at, 3), _AZURE.run(t, at + 3)
        while end > at and t[end - 1] == 0x2E:
            end -= 1
        return (begin, end) if at - begin >= 3 and end - at - 3 >= 31 else _NONE

    def _match_sas(self, at):
        t = self.text
        if at > 0 and t[at - 1] in _ALNUM and not _escape_ends(t, at):
            return _NONE
        begin = end = at + len("sig=")
        while end < len(t) and (t[end] in _CLASSES["any64"] or t[end] == 0x25):
            end += 1
        return (begin, end) if end - begin >= 40 else _NONE

    def _match_authress(self, at):
        t = self.text
        begin = _CLASSES["dotted"].back(t, at, 64)
        if t.startswith((b"sc_", b"ext_", b"scauth_", b"authress_"), begin):
            end = _AUTHRESS.run(t, at + 4)
            if end - at >= 44:
                return begin, end
        return _NONE

    def _match_maxmind(self, at):
        begin = _CLASSES["word"].back(self.text, at, 36)
        return (begin, at + 4) if at - begin >= 36 else _NONE

    def _match_mysql(self, at):
        t, colon, i = self.text, -1, at
        while i > 0 and at - i < 256:
            c = t[i - 1]
            if c in b" \n\"'" or c == 0x2F and i >= 2 and t[i - 2] == 0x2F:
                break
            if c == 0x3A:
                colon = i
            i -= 1
        return _worth(t, colon, at) if colon >= 1 else _NONE

    def _match_oracle(self, at):
        t = self.text
        i = at + len("oracle:thin:")
        slash = t.find(b"/", i, i + 64)
        if slash <= i:
            return _NONE
        end = t.find(b"@", slash, slash + 128)
        if end < 0 or any(c in b" \n\"@" for c in t[i:end]):
            return _NONE
        return _worth(t, slash + 1, end)

    def _match_identified(self, at):
        t = self.text
        i = _spaces(t, at + len("identified by"))
        if t[i:i + 8].lower() == b"password":
            i = _spaces(t, i + 8)
        q = _Quotation(t, i)
        return _worth(t, q.begin, q.end(t)) if q.ok else _NONE

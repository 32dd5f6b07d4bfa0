"""One pass over one text."""
from .assigned import _Assigned
from .cards import _Cards
from .curl import _Curl
from .known import _Known
from .names import _around, _hits, _name_kind, _suspicious
from .scan import _IS_MARK, _MAX_ROUNDS, _NONE
from .shapes import _GENERIC, _Shape
from .words import _Words


class _Finder(_Known, _Curl, _Cards, _Words, _Assigned):
    def __init__(self, text):
        self.text, self.spans, self._connects, self._kubernetes, self._curled = text, [], None, False, 0

    def add(self, begin, end, kind):
        if end > begin:
            self.spans.append((begin, end, kind))

    def find(self):
        """Collects what there is to replace, in order and without overlap."""
        t = self.text
        self.cards()
        done, name = 0, -1
        for at, _, literal, length in _hits(t):
            if at < done:
                continue
            begin, end, kind = 0, 0, ""
            if isinstance(literal, _Shape):
                kind = literal.kind
                begin, end = self.match(literal, at)
            elif literal is not None:
                begin, end, kind = self.issued(literal, at + length)
            else:
                begin, stop = _around(t, at, at + length)
                if begin == name:
                    continue
                name, word = begin, t[at:at + length].lower()
                if word == b"secret":
                    self.kubernetes(begin)
                kind = _name_kind(t[begin:stop])
                if kind:
                    begin, end = self.assigned(begin, stop, kind)
                elif word.decode() in _GENERIC and _suspicious(t[max(begin, at - 12):stop]):
                    kind = _GENERIC[word.decode()]
                    begin, end = self.generic(at + length, kind == "password")
                else:
                    begin, end = _NONE
            self.add(begin, end, kind)
            done = max(done, end)
        self.spans.sort(key=lambda span: span[0])
        kept = []
        for span in self.spans:
            if kept and span[0] < kept[-1][1]:
                kept[-1] = (kept[-1][0], max(kept[-1][1], span[1]), kept[-1][2])
            else:
                kept.append(span)
        return kept


def _mark(kind):
    return b"[REDACTED:%s]" % kind.encode()


def _once(t, kinds):
    out, last = [], 0
    for begin, end, kind in _Finder(t).find():
        out.append(t[last:begin])
        if _IS_MARK.fullmatch(t, begin, end):
            out.append(t[begin:end])
        else:
            out.append(_mark(kind))
            kinds.append(kind)
        last = end
    return b"".join(out) + t[last:] if out else t


def _plain(t):
    """Redacts a text as no more than characters."""
    kinds = []
    for _ in range(_MAX_ROUNDS):
        before = len(kinds)
        t = _once(t, kinds)
        if len(kinds) == before:
            return t, kinds
    more = []
    out = _once(t, more)
    return (out, kinds) if not more else (_mark(kinds[0]), kinds)

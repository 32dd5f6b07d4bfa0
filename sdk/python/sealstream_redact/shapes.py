"""The forms of secrets, as the table has them."""
import re

from .scan import _CLASSES, _SEPARATOR
from .table import _TABLE


class _Form:
    """What follows the start of a secret; see pkg/redact/form.go."""

    def __init__(self, text):
        self.parts = []
        for word in text.split():
            match = re.fullmatch(r"(\*\.)?([a-z0-9]+)([:=])(\d+)", word)
            if match and match[2] in _CLASSES:
                self.parts.append((None, _CLASSES[match[2]], int(match[4]), match[3] == "=", bool(match[1])))
            else:
                self.parts.append((word.lstrip("~").encode(), None, 0, word.startswith("~"), False))

    def match(self, t, i, fold, stop=None):
        """Where the form ends that begins at i, or -1."""
        stop = len(t) if stop is None else stop
        for text, kind, least, flag, repeated in self.parts:
            if kind is None:
                have = t[i:min(stop, i + len(text))]
                if have != text and not (fold and have.lower() == text.lower()):
                    if flag:
                        continue
                    return -1
                i += len(text)
            elif repeated:
                while i < stop and t[i] == 0x2E:
                    end = kind.run(t, i + 1, stop)
                    if end - i - 1 < least:
                        break
                    i = end
            else:
                end = kind.run(t, i, stop)
                if end - i < least or flag and end - i > least:
                    return -1
                i = end
        return i


def _weak(start):
    return len(start) < 4 or not any(c in b"_-.~:/=" for c in start)


class _Shape:
    def __init__(self, kind, start, form, match, fold, strict):
        self.kind, self.start, self.form, self.match, self.fold, self.strict = kind, start.encode(), _Form(form), match, fold, strict
        self.bound = strict or _weak(self.start)


_SHAPES = [_Shape(*row) for row in _TABLE.get("shapes", [])]
_ISSUERS = {}  # word: its forms, in the order of the table
for _word, _text in _TABLE.get("issuers", []):
    _ISSUERS.setdefault(_word.encode(), []).append(_Form(_text))
_EXACT, _SUFFIX = {}, []
for _text, _kind in _TABLE.get("names", []):
    if _text.startswith("*"):
        _SUFFIX.append((_text[1:], _kind))
    _EXACT.setdefault(_text.lstrip("*"), _kind)
_NOT_NAMES, _NUMERIC = tuple(_TABLE.get("not_names", ())), frozenset(_TABLE.get("numeric", ()))
_ANCHORS = tuple(text.encode() for text in _TABLE.get("anchors", ()))
_PAIR_NAMES, _PAIR_VALUES, _ABOUT = (frozenset(_TABLE.get(name, ())) for name in ("pair_names", "pair_values", "about"))
_GENERIC, _NOT_GENERIC = _TABLE.get("generic", {}), tuple(_TABLE.get("not_generic", ()))
_LITERALS = ([(shape.start, shape.fold, index, shape) for index, shape in enumerate(_SHAPES)]
             + [(word, True, len(_SHAPES) + index, word) for index, word in enumerate(_ISSUERS)]
             + [(anchor, True, len(_SHAPES) + len(_ISSUERS), None) for anchor in _ANCHORS])


def _shortest(texts):
    """Those of texts that no other stands in: where none of them is, none of all is."""
    return [text for text in texts if not any(other != text and other in text for other in texts)]


_CASED = _shortest([text for text, fold, _, _ in _LITERALS if not fold])
_FOLDED = _shortest([text for text, fold, _, _ in _LITERALS if fold])
_MANY = re.compile(rb"[0-9](?:(?:" + _SEPARATOR.pattern + rb")?[0-9]){12}")

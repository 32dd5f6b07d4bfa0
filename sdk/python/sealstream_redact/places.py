"""Where the value stands that belongs to a name."""
from .scan import (
    _ALNUM, _BARE_END, _DIGIT, _LETTER, _LINE_END, _LIST_MARKS, _MAX_LOOK, _MAX_NAME, _NAME, _NONE,
    _OPEN, _QUOTES, _SCHEMES, _TEXT_ENDS, _at, _has_digit, _space_at, _space_before, _spaces,
)
from .shapes import _NUMERIC, _PAIR_NAMES
from .values import _Quotation, _dotted, _worth


def _closing(t, i):
    begin = i
    while _at(t, i) == 0x5C and i - begin < 64:
        i += 1
    closed = _at(t, i) in _QUOTES
    i = i + 1 if closed else begin
    if _at(t, i) == 0x5D or _at(t, i) == 0x7D and _at(t, _spaces(t, i + 1)) == 0x3D:
        return i + 1, closed
    if t.startswith((b"%5D", b"%5d"), i):
        return i + 3, closed
    return i, closed


def _lines(t, i):
    while True:
        n = _space_at(t, i)
        if _at(t, i) in _TEXT_ENDS:
            i += 1
        elif n:
            i += n
        elif t.startswith(b"\\n", i):
            i += 2
        else:
            return i


def _numeric(t, i, kind, quoted):
    if not quoted or kind not in _NUMERIC or not (_at(t, i) in _DIGIT or _at(t, i) == 0x2D):
        return _NONE
    end = i + 1
    while end < len(t) and (t[end] in _DIGIT or t[end] in b".eE+-"):
        end += 1
    return _NONE if _at(t, end) in _ALNUM else (i, end)


def _value(t, i):
    if _at(t, i) == 0x7B:
        end = t.find(b"}", i)
        if 1 < end - i < _MAX_LOOK and t[i + 1] != 0x7B:
            return _worth(t, i + 1, end)
    q = _Quotation(t, i)
    if q.ok:
        end = q.end(t)
        line = t.find(b"\n", q.begin, end)
        return _worth(t, q.begin, line if line >= 0 and not q.triple else end)
    end = i
    while end < len(t) and t[end] not in _BARE_END and not _space_at(t, end):
        if end - i < _MAX_LOOK and t[end] in b"([":
            return _NONE
        end += 1
    if end - i < 3 or t[i] == 0x7B or t[i] == 0x25 and end - i < 4 or t.startswith(b"%#v", i):
        return _NONE
    return _worth(t, i, end)


def _header(t, i):
    i = _spaces(t, i)
    word = i
    while word < len(t) and t[word] not in _LINE_END and not _space_at(t, word) and t[word] != 0x5B and word - i < _MAX_LOOK:
        word += 1
    first, more = t[i:word], _space_at(t, word) > 0
    if more and first.lower() in _SCHEMES:
        pass
    elif len(first) >= 8 and _has_digit(first) and (not more or not _dotted(first)) or not more and len(first) >= 8 and first.find(b"=") > 0:
        if more and b"=" not in first:
            return _worth(t, i, word)
    elif not (more and first.find(b"=") > 0 and first[-1] == 0x3B):
        return _NONE
    if t.startswith(_OPEN, _spaces(t, word)):
        return _NONE
    end = word
    while end < len(t) and t[end] not in _LINE_END:
        end += 1
    return _worth(t, i, end) if len(t[i:end].strip(b" \t")) >= 8 else _NONE


def _element(t, i):
    end = i
    while end < len(t) and t[end] not in b"<\n" and end - i < 1024:
        end += 1
    return _NONE if _at(t, end) != 0x3C or t.startswith(b"<!", i) else _worth(t, i, end)


def _named(t, i):
    t, i = t[max(0, i - 64):i], min(i, 64)
    while i > 0 and t[i - 1] in b"\"'\\":
        i -= 1
    n = _space_before(t, i)
    while n:
        i -= n
        n = _space_before(t, i)
    if i == 0 or t[i - 1] not in b":=":
        return False
    i -= 1
    while i > 0 and t[i - 1] in b"\"'\\ ":
        i -= 1
    return t[_LETTER.back(t, i, 16):i].lower().decode() in _PAIR_NAMES


def _leads(t, begin):
    i = begin
    while i > 0 and t[i - 1] != 0x0A and begin - i <= _MAX_NAME:
        n = _space_before(t, i)
        if n:
            i -= n
        elif t[i - 1] in _LIST_MARKS:
            i -= 1
        else:
            word = _ALNUM.back(t, i, 16)
            if t[word:i].lower() not in (b"export", b"set", b"env", b"let", b"const", b"var", b"val", b"n", b"r"):
                digits = _DIGIT.back(t, i, 16)
                return digits < i and (digits == 0 or t[digits - 1] == 0x0A)
            i = word
    return i == 0 or t[i - 1] == 0x0A


def _tagged(t, begin, end):
    i = begin
    if i > 0 and t[i - 1] == 0x3A:
        i = _ALNUM.back(t, i - 1, 32)
    if i == 0 or t[i - 1] != 0x3C:
        return _NONE
    stop = end
    while stop < len(t) and stop - end < 128 and t[stop] != 0x3C:
        if t[stop] == 0x3E and t[stop - 1] != 0x2F:
            return _element(t, stop + 1)
        stop += 1
    return _NONE


def _block(t, i):
    if i + 1 < len(t) and t[i] in b"!&" and (t[i + 1] in _ALNUM or t[i + 1] == 0x21):
        end = i
        while end < len(t) and end - i < 64 and (t[end] in _NAME or t[end] in b"!&"):
            end += 1
        after = _spaces(t, end)
        if after > end:
            i = after
    end = i
    while end < len(t) and end - i < 4 and (t[end] in b"|>+-" or t[end] in _DIGIT):
        end += 1
    return _lines(t, end) if end > i and t[i] in b"|>" and _at(t, end) in _TEXT_ENDS else i


def _typed(t, i):
    end = i
    while end < len(t) and end - i < 32 and (t[end] in _NAME or t[end] in b"[]*?"):
        end += 1
    after = _spaces(t, end)
    if end == i or _at(t, after) != 0x3D:
        return 0
    after = _spaces(t, after + 1)
    return after if _Quotation(t, after).ok else 0

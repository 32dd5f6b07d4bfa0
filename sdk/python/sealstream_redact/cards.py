"""Payment cards, and numbers that are none."""
from .scan import _ALNUM, _CLUSTER, _DIGIT, _LETTER, _SEPARATOR, _TOKEN, _at, _escape_ends


def _number(digits, grouped):
    """Whether digits are a card's number: a range and a length that an issuer has, and Luhn's check digit."""
    n, d = len(digits), [c - 0x30 for c in digits]
    if not 13 <= n <= 19:
        return False
    four = int(digits[:4])
    two = four // 100
    if d[0] == 4:
        fits = n in (13, 16, 19)
    elif 51 <= two <= 55 or 2221 <= four <= 2720:
        fits = n == 16
    elif two in (34, 37):
        fits = n == 15
    elif two in (36, 38) or 300 <= four // 10 <= 305:
        fits = n in (14, 16)
    else:
        fits = (four == 6011 or two in (65, 62) or 644 <= four // 10 <= 649 or 3528 <= four <= 3589) and n >= 16
    if not fits or n > 16 and two != 62 and not (n == 19 and d[0] == 4 and grouped):
        return False
    return sum(v if k % 2 == 0 else v * 2 - 9 * (v > 4) for k, v in enumerate(reversed(d))) % 10 == 0


def _short(t, i):
    end = _DIGIT.run(t, i)
    return 0 < end - i <= 4 and not (_at(t, end) in _LETTER or _at(t, end) == 0x5F)


class _Cards:
    """Payment cards, and numbers that are none. A part of _Finder."""

    def cards(self):
        t = self.text
        for match in _CLUSTER.finditer(t):
            begin, i, groups = match.start(), match.start(), []
            if match.end() - begin < 13:
                continue
            while True:
                end = _DIGIT.run(t, i)
                groups.append([i, end])
                if end >= match.end():
                    break
                i = _SEPARATOR.match(t, end).end()
            if sum(end - i for i, end in groups) < 13:
                continue
            if begin > 0 and t[begin - 1] == 0x25 and groups[0][1] - begin > 2:
                groups[0][0] += 2
            self._groups(groups)

    def _groups(self, groups):
        t, k = self.text, 0
        while k < len(groups):
            begin, end = groups[k]
            n = end - begin
            if n in (15, 16):
                self._facebook(begin, end)
            if 13 <= n <= 19:
                if n not in (17, 18) and _number(t[begin:end], False) and self._whole(begin, end):
                    self.add(begin, end, "card")
            else:
                for want in ((4, 4, 4, 4, 3), (4, 4, 4, 4), (4, 6, 5), (4, 6, 4)):
                    end = self._grouped(groups[k:k + len(want)], want)
                    if end:
                        self.add(begin, end, "card")
                        k += len(want) - 1
                        break
            k += 1

    def _grouped(self, groups, want):
        t = self.text
        if len(groups) < len(want) or any(end - i != n for (i, end), n in zip(groups, want)):
            return 0
        if len({t[groups[k][1]:groups[k + 1][0]] for k in range(len(want) - 1)}) != 1:
            return 0
        begin, end = groups[0][0], groups[-1][1]
        if not _number(b"".join(t[i:j] for i, j in groups), True):
            return 0
        if begin > 0 and (t[begin - 1] in _ALNUM or t[begin - 1] == 0x5F) and not _escape_ends(t, begin):
            return 0
        return 0 if _at(t, end) in _ALNUM or _at(t, end) == 0x5F else end

    def _whole(self, begin, end):
        t = self.text
        if begin > 0 and not _escape_ends(t, begin):
            c = t[begin - 1]
            if c == 0x42 and begin > 1 and t[begin - 2] == 0x25:
                pass
            elif c in _ALNUM:
                if begin < 3 or t[begin - 3] != 0x25:
                    return False
            elif c in b"_@/" or c == 0x2D and begin > 1 and (t[begin - 2] in _ALNUM or t[begin - 2] == 0x2D) or c == 0x2E and begin > 1 and t[begin - 2] in _ALNUM:
                return False
        if end < len(t):
            c, after = t[end], _at(t, end + 1)
            if c in _ALNUM or c in b"_@" or c == 0x2D and after in _ALNUM and not _short(t, end + 1) or c == 0x2E and (after in _ALNUM or after == 0x5F):
                return False
            if c == 0x2F:
                return after in _DIGIT and _short(t, end + 1)
        return True

    def _facebook(self, begin, end):
        t = self.text
        if _at(t, end) in (0x7C, 0x25):
            stop = _TOKEN.run(t, end + 1)
            if stop - end - 1 >= 27:
                self.add(begin, stop, "facebook-token")

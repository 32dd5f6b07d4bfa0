"""Characters, spaces and limits: what all parts stand on."""
import re

from .table import _TABLE

_OPEN = b"[REDACTED:"
_MAX_ROUNDS, _MAX_NAME, _MAX_LOOK, _MAX_CONTAINER, _MAX_CURL, _MAX_ISSUED, _MAX_GAP = 4, 64, 256, 4096, 1024, 512, 128
_MAX_NESTED, _MAX_BACK, _MAX_AGAIN = 3, 64, 4
_MAX_ATTRIBUTE, _MAX_REDACTIONS, _MAX_PATH = 4096, 32, 128
_IS_MARK = re.compile(rb"\[REDACTED:[a-z0-9-]{1,40}\]")
_NONE = (0, 0)


class _Class:
    """A set of bytes."""

    def __init__(self, characters):
        self.bytes = frozenset(characters)
        self._run = re.compile(b"[" + re.escape(characters) + b"]*")

    def run(self, t, i, end=None):
        """The end of the run of its characters from i on."""
        return self._run.match(t, i, len(t) if end is None else end).end() if i < len(t) else i

    def back(self, t, i, most):
        """The begin of the run that ends before i, of so many characters at most."""
        begin = i
        while begin > 0 and i - begin < most and t[begin - 1] in self.bytes:
            begin -= 1
        return begin

    def __contains__(self, c):
        return c in self.bytes


def _class(text):
    return _Class(text.encode("latin-1"))


_LOW, _UP, _NUM = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
_CLASSES = {name: _class(text) for name, text in _TABLE.get("classes", {}).items()}
_LETTER, _DIGIT, _ALNUM = _class(_LOW + _UP), _class(_NUM), _class(_LOW + _UP + _NUM)
_WORD, _TOKEN, _NAME = _class(_LOW + _UP + _NUM + "_-"), _class(_LOW + _UP + _NUM + "_-"), _class(_LOW + _UP + _NUM + "_.-")
_PATH, _AZURE = _class(_LOW + _UP + _NUM + "_/+-"), _class(_LOW + _UP + _NUM + "_~.-")
_AUTHRESS, _JWT_PART, _REST = _class(_LOW + _UP + _NUM + "._+/=-"), _class(_LOW + _UP + _NUM + "_/\\-"), _class(_LOW + _UP + _NUM + "_/+-@")
_AFTER_WORD, _URL_END, _BARE_END = _class(":= \t\"'`\\+"), _class(" \t\r\n\"<>\\`"), _class(" \t\r\n\"'<>&;\\`,)]}|")
_SYMBOLS, _TEXT_ENDS, _LINE_END, _LIST_MARKS = _class("!@#$%^*+/=~?-"), _class("\r\n"), _class("\r\n\"'\\"), _class(" \t-*+#/;>|$\"'`.:@\\(")
_NOTE_END = _class(" \t\r\n\"'\\<>[")
_ISSUER_NAME, _ISSUER_GAP = _class(_LOW + _UP + _NUM + "_. \t-"), _class(" \t\r\n\f\v'\"\\")
_ISSUER_OP, _ISSUER_LEAD = _class("=:>|?,"), _class("`'\" \t\r\n\f\v=\\")
_QUOTES = frozenset(b"\"'`")
_SPACE = re.compile(rb"[ \t\f\v]|\xc2\xa0|\xe2\x80[\x80-\x8d\xaf]|\xe2\x81[\x9f\xa0]|\xe3\x80\x80|\xef\xbb\xbf")
_SPACES = re.compile(b"(?:" + _SPACE.pattern + b")*")
_SEPARATOR = re.compile(rb"[-.]|\xe2\x80[\x90\x91\x93]|" + _SPACE.pattern)
_CLUSTER = re.compile(rb"[0-9]+(?:(?:" + _SEPARATOR.pattern + rb")[0-9]+)*")
_SCHEMES = (b"bearer", b"basic", b"digest", b"token", b"apikey", b"negotiate", b"ntlm", b"aws4-hmac-sha256")
_WEB = frozenset((b"http", b"https", b"ws", b"wss", b"git", b"ssh", b"git+ssh", b"svn+ssh", b"sftp", b"file", b""))
_OPERATORS = (b"::=", b"||=", b"=>", b":=", b"==", b"?=", b"+=", b"->", b"=", b":", b">", b"\xef\xbc\x9a", b"\xef\xbc\x9d")
_CONNECTION = (b"host=", b"server=", b"data source=", b"endpoint=", b"accountname=", b"hostaddr=", b"dsn=", b"driver=", b"user id=", b"uid=", b"dbname=",
               b"initial catalog=", b"jdbc:")


def _space_at(t, i):
    match = _SPACE.match(t, i)
    return match.end() - i if match else 0


def _spaces(t, i):
    return _SPACES.match(t, i).end() if i < len(t) else i


def _space_before(t, i):
    for n in (1, 2, 3):
        if n <= i and _space_at(t, i - n) == n:
            return n
    return 0


def _at(t, i):
    """The character at i, or -1 beyond the end."""
    return t[i] if 0 <= i < len(t) else -1


def _has_digit(v):
    return any(c in _DIGIT for c in v)


def _escape_ends(t, i):
    return i >= 2 and t[i - 2] == 0x5C or i >= 6 and t[i - 6] == 0x5C and t[i - 5] == 0x75


def _begins(t, i, strict):
    if i == 0 or _escape_ends(t, i):
        return True
    c = t[i - 1]
    return c not in _LETTER and not (strict and (c in _DIGIT or c in b"+/"))

"""Where in the spool its reader is."""
from __future__ import annotations

import collections
import pathlib
from typing import Deque, Optional, Tuple

Numbered = Tuple[int, bytes]  # the number of an event in the spool, and its line


class Reading:
    """Reads the files of a spool. ahead are the lines that were read and are not stored yet."""

    def __init__(self, path: pathlib.Path, first: int, skip: int) -> None:
        self.ahead: Deque[Numbered] = collections.deque()
        self._opened = False
        self.open(path, first, skip)

    def open(self, path: pathlib.Path, first: int, skip: int) -> None:
        """Goes to another file, whose first events are passed over."""
        self.close()
        self._file, self._opened = open(path, "rb", buffering=0), True
        self.first, self._offset, self._number, self._skip = first, 0, first, skip

    def close(self) -> None:
        if self._opened:
            self._file.close()

    def lines(self, end: Optional[int]) -> bool:
        """Reads whole lines before the offset end (None: the file's end). False if there are none.
        No line is longer than a chunk."""
        self._file.seek(self._offset)
        size = 1 << 20 if end is None else min(end - self._offset, 1 << 20)
        chunk = self._file.read(size) or b""
        whole = chunk.rfind(b"\n") + 1
        self._offset += whole
        for line in chunk[:whole].split(b"\n")[:-1]:
            if self._number >= self.first + self._skip:
                self.ahead.append((self._number, line))
            self._number += 1
        return whole > 0

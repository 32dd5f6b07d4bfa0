"""Follower, which writes the entries of a log to a sink of one's own."""
from __future__ import annotations

import json
import os
import pathlib
from typing import Any, Optional, Union

from .audit import Sink
from .errors import ForkError
from .reader import Reader


class Follower:
    """Writes every entry of a log, of all processes, to a sink: what is there, and what comes.

    reader   proves the entries
    sink     has write_batch, which takes a list of AuditEntry in the order of the log
    cursor   file that keeps how far the sink is. It is written once write_batch has returned, so
             that after a crash the last batch comes again: index tells a sink what it has
    filters  those of Reader.entries. Without any, entries of the log's own come too, and a missing
             one is refused
    """

    def __init__(
        self, reader: Reader, sink: Sink, cursor: Union[str, "os.PathLike[str]"], **filters: Any
    ) -> None:
        self._reader, self._sink, self._cursor = reader, sink, pathlib.Path(cursor)
        self._stream = reader.follow(self._load(), **filters)

    def run(self, until: Optional[int] = None) -> None:
        """Follows until stop is called or, with until, an entry of at least this index is written.
        What the sink raises, it raises."""
        batches = self._stream.batches()
        while until is None or (self._stream.next_index or 0) <= until:
            batch = next(batches, None)
            if batch is None:
                return
            if batch:
                self._sink.write_batch(batch)
                self._save(batch[-1].index + 1)
        self.stop()

    def stop(self) -> None:
        """Ends run, from any thread."""
        self._stream.close()

    def _load(self) -> int:
        if not self._cursor.exists():
            return 0
        saved = json.loads(self._cursor.read_text(encoding="utf-8"))
        held = self._reader.checkpoint(int(saved["next_index"]))
        if saved["origin"] != held.origin:
            raise ForkError("the cursor is of %.80r, the log is %.80r" % (saved["origin"], held.origin))
        return int(saved["next_index"])

    def _save(self, next_index: int) -> None:
        held = self._reader.held()
        text = json.dumps({"origin": held.origin if held else "", "next_index": next_index})
        other = self._cursor.with_name(self._cursor.name + ".part")
        with open(other, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(other, self._cursor)

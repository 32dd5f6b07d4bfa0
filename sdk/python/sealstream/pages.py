"""Pages of proven entries."""
from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional, Tuple

import sealstream_verify as sv

from .api import Answer
from .entry import AuditEntry
from .errors import IncompleteError, ProofError
from .filters import Filter
from .head import Behind, Head, patiently, require
from .request import Kept, Requests
from .verifier import Checkpoint, open_page, refused

PAGE = 500  # entries that are asked for at once


class Walk:
    """Goes through the entries that a filter wants, page by page, all under one checkpoint.

    It refuses, by IncompleteError, a page that repeats or reorders entries, and, where every entry
    is wanted, one that leaves out any. With a filter, that no entry that fits is left out is the
    server's word: nothing proves it.
    """

    def __init__(self, requests: Requests, head: Head, wanted: Filter, newest_first: bool) -> None:
        self._requests, self._head, self._wanted = requests, head, wanted
        self._descending = newest_first
        self._query: Dict[str, Any] = dict(wanted.query())
        self._whole = not self._query
        self._query.update(order="desc" if newest_first else "asc", proof=1)
        self._size = 0  # of the tree under which all pages are
        self._least = 0  # size that it must have
        self._edge: Optional[int] = None  # the entries to come lie beyond this index

    def pages(self, start: int, least: int, page: int = PAGE) -> Iterator[List[AuditEntry]]:
        """The pages, each in the order of the log. In ascending order they begin at an index. The
        log must have at least so many entries: it is waited for."""
        if self._wanted.is_empty():
            return
        self._edge = start - 1 if start and not self._descending else None
        query = dict(self._query, limit=page)
        if start and not self._descending:
            query["from_index"] = start
        kept = Kept(self._requests)
        try:
            self._least = max(least, self._head.least())
            entries, cursor = self._page(kept, query)
            yield entries
            while cursor:
                query = self._next(query, cursor)
                entries, cursor = self._page(kept, query)
                yield entries
        finally:
            kept.close()

    def _next(self, query: Dict[str, Any], cursor: str) -> Dict[str, Any]:
        """The question for the page after one."""
        query = dict(query, cursor=cursor, size=self._size)
        query.pop("from_index", None)
        return query

    def _page(
        self, kept: Kept, query: Dict[str, Any]
    ) -> Tuple[List[AuditEntry], Optional[str]]:
        """The next page, of a log that has grown as far as it must."""
        return patiently(lambda: self._ask(kept, query))

    def _ask(
        self, kept: Kept, query: Dict[str, Any]
    ) -> Tuple[List[AuditEntry], Optional[str]]:
        try:
            raw = kept.page("/v1/entries", query)
        except Answer as error:
            if self._is_behind(error, query):
                raise Behind(str(error)) from error
            raise
        with refused("page", {"kind": "malformed"}):
            answer = sv.parse(raw)
            lines, cursor = answer["entries"], answer["next_cursor"]
            sv.check(isinstance(lines, list) and len(lines) <= query["limit"], "too many entries")
            sv.check(isinstance(cursor, (str, type(None))), "next_cursor is no text")
        if cursor and self._size:  # not the first page, which may be all that is wanted
            kept.send_ahead("/v1/entries", self._next(query, cursor))
        entries, checkpoint = open_page(lines, answer.get("proof"), self._head.keys())
        self._see(checkpoint)
        for entry in [] if self._whole else entries:
            if not self._wanted.wants(entry):
                raise ProofError("entry %d does not fit the filter" % entry.index)
        self._check_order([entry.index for entry in entries], cursor)
        return entries, cursor

    def _is_behind(self, error: Answer, query: Dict[str, Any]) -> bool:
        """Whether the server says that it has not what was seen before."""
        if error.status != 400:
            return False
        parameter = error.problem.get("parameter")
        if parameter == "from_index":
            return int(query.get("from_index", 0)) <= self._least
        return parameter in ("size", "cursor") and self._size > 0

    def _see(self, checkpoint: Checkpoint) -> None:
        if self._size and checkpoint.size != self._size:
            why = "a page under %d entries, asked for under %d"
            raise ProofError(why % (checkpoint.size, self._size))
        require(checkpoint.size, self._size or self._least)
        self._head.see(checkpoint)
        self._size = checkpoint.size

    def _check_order(self, indexes: List[int], cursor: Optional[str]) -> None:
        """The proof has shown that the indexes rise within the page."""
        if cursor and not indexes:
            raise IncompleteError("a page without entries that is not the last")
        if self._descending:
            self._check_descending(indexes, cursor)
        else:
            self._check_ascending(indexes, cursor)

    def _check_ascending(self, indexes: List[int], cursor: Optional[str]) -> None:
        edge = -1 if self._edge is None else self._edge
        if indexes and indexes[0] <= edge:
            raise IncompleteError("entry %d comes again, or too late" % indexes[0])
        if self._whole:
            end = self._size if cursor is None else edge + 1 + len(indexes)
            _check_whole(indexes, range(edge + 1, max(end, edge + 1)))
        self._edge = indexes[-1] if indexes else edge

    def _check_descending(self, indexes: List[int], cursor: Optional[str]) -> None:
        edge = self._size if self._edge is None else self._edge
        if indexes and indexes[-1] >= edge:
            raise IncompleteError("entry %d comes again, or too late" % indexes[-1])
        if self._whole:
            start = 0 if cursor is None else edge - len(indexes)
            _check_whole(indexes[::-1], range(edge - 1, start - 1, -1))
        self._edge = indexes[0] if indexes else edge


def _check_whole(indexes: List[int], expected: range) -> None:
    """Says which entry is the first that is left out. A server can make expected as long as it
    likes, so it is never written out."""
    for index, wanted in zip(indexes, expected):
        if index != wanted:
            raise IncompleteError("entry %d is left out" % wanted)
    if len(indexes) < len(expected):
        raise IncompleteError("entry %d is left out" % expected[len(indexes)])
    if len(indexes) > len(expected):
        raise IncompleteError("entry %d is too many" % indexes[len(expected)])

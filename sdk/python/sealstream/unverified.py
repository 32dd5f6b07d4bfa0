"""Reading what the server says, without any proof."""
from __future__ import annotations

import dataclasses
from typing import Any, Dict, Iterator

from .counts import ClaimedCounts
from .errors import AnswerError
from .filters import Filter
from .head import Head, patiently, require
from .request import Kept, Requests


@dataclasses.dataclass(frozen=True)
class UnverifiedEntry:
    """An entry as the server shows it. Nothing of it was checked."""

    members: Dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.members[name]


class UnverifiedReader:
    """Reads the server's word. It is another type than Reader, so that no program takes one for the
    other: its entries are UnverifiedEntry. Counts and alerts are here, for nothing proves them."""

    def __init__(self, requests: Requests, head: Head) -> None:
        self._requests, self._head = requests, head

    def entries(self, *, limit: int = 0, **filters: Any) -> Iterator[UnverifiedEntry]:
        """The entries that fit, in the order of the log; 0: all of them."""
        query: Dict[str, Any] = dict(Filter(**filters).query(), order="asc", limit=500)
        kept, found = Kept(self._requests), 0
        try:
            while True:
                answer = self._requests.decode(kept.page("/v1/entries", query))
                for one in answer["entries"]:
                    yield UnverifiedEntry(one)
                    found += 1
                    if found == limit:
                        return
                if not answer["next_cursor"]:
                    return
                query["cursor"] = answer["next_cursor"]
        finally:
            kept.close()

    def entry(self, index: int) -> UnverifiedEntry:
        """The entry at an index."""
        return UnverifiedEntry(self._requests.json("/v1/entries/%d" % index))

    def counts(self, **filters: Any) -> ClaimedCounts:
        """How many entries fit, by what they are. Reader.verify counts again. A server that knows
        less than was seen is asked again for a while; then this raises ForkError."""
        wanted, least = Filter(**filters), self._head.least()

        def ask() -> ClaimedCounts:
            answer = self._requests.json("/v1/counts", **wanted.query())
            if not isinstance(answer, dict) or not isinstance(answer.get("tree_size"), int):
                raise AnswerError("the answer has no counts")
            require(answer["tree_size"], least)
            return ClaimedCounts(answer, wanted)

        return patiently(ask)

    def stats(self) -> Dict[str, Any]:
        """What the log holds, and how the service fares."""
        answer: Dict[str, Any] = self._requests.json("/v1/stats")
        return answer

    def alerts(self, limit: int = 100) -> Dict[str, Any]:
        """The newest alerts, as {"alerts": [...], "last": sequence}."""
        answer: Dict[str, Any] = self._requests.json("/v1/alerts", limit=limit)
        return answer

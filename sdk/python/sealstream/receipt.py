"""Receipts: what became of an event, as the server says."""
from __future__ import annotations

import dataclasses

WAITS = ("spooled", "stored", "sealed", "witnessed")  # how far an event has come, in order


@dataclasses.dataclass(frozen=True)
class Receipt:
    """What became of an event. index and entry_hash are there once it is sealed.

    status           spooled, stored, sealed, witnessed; or duplicate: it was sealed before, and
                     index and entry_hash are those of the original
    index            index 0 is the log's own first entry, never an event
    equivocation_of  index of an earlier entry with the same agent and id but other content;
                     0: there is none
    """

    entry_id: str
    status: str = "spooled"
    agent_did: str = ""
    index: int = 0
    entry_hash: str = ""
    input_seq: int = 0
    position: int = 0
    durability: str = ""
    checkpoint: str = ""
    equivocation_of: int = 0

    def reached(self, wait: str) -> bool:
        """Whether the event has come as far as wait says."""
        status = "sealed" if self.status == "duplicate" else self.status
        return WAITS.index(status) >= WAITS.index(wait)


STATUSES = frozenset(WAITS[1:]) | {"duplicate", "rejected"}  # what the receipts of a log say
FIELDS = frozenset(field.name for field in dataclasses.fields(Receipt))

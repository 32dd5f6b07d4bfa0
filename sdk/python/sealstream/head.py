"""What this client knows of a log: its keys, and the newest checkpoint that it has verified."""
from __future__ import annotations

import json
import os
import pathlib
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Sequence, TypeVar, Union

from .api import Answer
from .errors import ForkError, LogError, NoKeyError, ProofError, WrongLogError
from .request import Requests
from .verifier import Checkpoint, Key, check_consistent, open_checkpoint, parse_keys, read_keys, refused

Value = TypeVar("Value")
_REMEMBERED = 1024  # roots of sizes that are known to be consistent with the newest


class Behind(LogError):
    """The server knows less than was seen before. It may catch up."""


class Patience:
    """Bears a server that is behind, as after its restart, but not for long."""

    def __init__(self) -> None:
        self._since: Optional[float] = None  # when it was first behind; None: it is not

    def behind(self, error: Exception) -> None:
        """Raises ForkError if the server has been behind for too long."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if now - self._since > Head.ROLLED_BACK_AFTER:
            raise ForkError("rolled back: %s" % error) from error

    def caught_up(self) -> None:
        """Says that the server knows all that was seen."""
        self._since = None


def patiently(ask: Callable[[], Value]) -> Value:
    """What ask returns, once it does not raise Behind. A server that stays behind was rolled
    back."""
    patience, pause = Patience(), 0.02
    while True:
        try:
            return ask()
        except Behind as error:
            patience.behind(error)
        time.sleep(pause)
        pause = min(2 * pause, 0.5)


def require(size: int, least: int) -> None:
    """Raises Behind if a log has fewer entries than it must."""
    if size < least:
        raise Behind("the log had %d entries, and the server shows %d" % (least, size))


class Head:
    """Every checkpoint must be consistent with all that were seen before, so that a server cannot
    show this client two logs.

    The state file has the form of the Go client's: {"keys": [...], "checkpoint": note}. Without a
    key, the keys of the state count; without either, keys raises NoKeyError, unless
    trust_first_use says to take the keys that the server names.
    """

    ROLLED_BACK_AFTER = 10.0  # seconds that a server may know less than was seen, as in its restart

    def __init__(
        self,
        requests: Requests,
        key: Union[str, "os.PathLike[str]", None],
        state: Union[str, "os.PathLike[str]", None],
        trust_first_use: bool,
    ) -> None:
        self._requests, self._trust = requests, trust_first_use
        self._path = pathlib.Path(state) if state else None
        self._lock = threading.RLock()  # held while the server is asked: one after the other
        self._seen: Dict[int, bytes] = {}
        self._vkeys: List[str] = read_keys(key) if key else []
        self._keys: List[Key] = parse_keys(self._vkeys)
        self.newest: Optional[Checkpoint] = None
        self._load()

    def _load(self) -> None:
        if self._path is None or not self._path.exists():
            return
        state = json.loads(self._path.read_text(encoding="utf-8"))
        if not self._vkeys:
            self._vkeys = state["keys"]
            self._keys = parse_keys(self._vkeys)
        if state.get("checkpoint"):
            try:
                self.newest = open_checkpoint(state["checkpoint"], self._keys)
            except ProofError as error:
                raise ForkError("state %s: %s" % (self._path, error)) from error

    def keys(self) -> Sequence[Key]:
        """The keys of the log."""
        with self._lock:
            if not self._keys and not self._trust:
                raise NoKeyError(
                    "nothing says whose log it is: give key= (log.pub of the data directory, from"
                    " someone whom you trust), or trust_first_use=True to take the server's word"
                    " this once"
                )
            if not self._keys:
                stats = self._requests.json("/v1/stats")
                with refused("stats", {"kind": "malformed"}):
                    vkeys = stats["keys"]
                    self._keys, self._vkeys = parse_keys(vkeys), vkeys
                if not self._keys:
                    raise ProofError("stats: the server names no key of the log")
            return self._keys

    def least(self) -> int:
        """The size that an answer on the whole log must have at least."""
        return self.newest.size if self.newest else 0

    def ask(self, least: int = 0) -> Checkpoint:
        """The newest checkpoint that the server shows, once it is checked, and once it covers what
        was seen before and so many entries."""
        keys = self.keys()

        def ask() -> Checkpoint:
            known = max(least, self.least())
            found = open_checkpoint(self._requests.raw("/checkpoint"), keys)
            require(found.size, known)
            self.see(found)
            return found

        return patiently(ask)

    def see(self, found: Checkpoint) -> None:
        """Takes a checkpoint whose signature was verified: it must be of the log that is asked for,
        and of one log with all that were seen before."""
        wanted = self._requests.api.log
        if found.origin.split("/")[-2:-1] != [wanted]:
            raise WrongLogError("asked for the log %.80r, got %.80r" % (wanted, found.origin))
        with self._lock:
            newest = self.newest
            if newest and found.origin != newest.origin:
                raise ForkError("the log is %.80r, and was %.80r" % (found.origin, newest.origin))
            if newest and self._seen.get(found.size) != found.root:
                old, new = sorted((found, newest), key=lambda one: one.size)
                self._check(old, new)
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            self._seen[found.size] = found.root
            if newest is None or found.size > newest.size:
                self.newest = found
                self._save()

    def _check(self, old: Checkpoint, new: Checkpoint) -> None:
        if old.size == new.size:
            check_consistent(old, new, [])
            return
        sizes: Dict[str, Any] = {"from": old.size, "to": new.size}

        def ask() -> Any:
            try:
                return self._requests.json("/v1/consistency", **sizes)
            except Answer as error:
                if error.status not in (400, 404):
                    raise
                why = "size %d was seen, and the server cannot show it any more: %s"
                raise Behind(why % (new.size, error)) from error

        answer = patiently(ask)
        hashes = answer.get("proof") if isinstance(answer, dict) else None
        check_consistent(old, new, hashes if isinstance(hashes, list) else [None])

    def _save(self) -> None:
        """Writes the state. After a crash there is all of it, or the one before, which is as good
        but older."""
        if self._path is None or self.newest is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"keys": self._vkeys, "checkpoint": self.newest.note})
        name = "%s.%d.%d" % (self._path.name, os.getpid(), threading.get_ident())
        other = self._path.with_name(name)
        with open(other, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(other, self._path)

"""The spool: events on disk until the server has them."""
from __future__ import annotations

try:
    import fcntl
except ImportError:  # not Unix: the package can be imported, and a client says so
    fcntl = None  # type: ignore[assignment]
import itertools
import json
import os
import pathlib
import threading
from typing import Dict, List, Optional, Sequence, Tuple, Union

from .errors import SpoolBusy, SpoolFull
from .reading import Numbered, Reading
from .waiter import Waiter

BATCH_BYTES = 800 << 10  # of the events that are sent at once; the server splits larger ones
SEGMENT = 4 << 20  # bytes of a spool file, after which another is begun


class Spool:
    """Events on disk, one a line, in files named by the number of their first event; `cursor` says
    which are stored.

    Each start begins a new file, so that the line which a crash tore, of an event whose log call
    never returned, ends with its file. Any thread appends, one reads. Locks are taken in the order
    syncing, lock. sent <= durable <= next are numbers of events.
    """

    def __init__(self, folder: Union[str, pathlib.Path], max_bytes: int, sync: bool) -> None:
        if fcntl is None:
            raise NotImplementedError(
                "a client needs Unix (fcntl.flock): its spool must be locked; on this system send"
                " CloudEvents to /v1/events over HTTP"
            )
        self._folder, self._max, self._sync = pathlib.Path(folder), max_bytes, sync
        # So that a small spool, too, has room again before it is empty.
        self._segment = min(SEGMENT, max_bytes // 4)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock, self._syncing = threading.Lock(), threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiters: Dict[int, Waiter] = {}  # by number of the event
        self._closed = False
        self._lock_file = self._open("lock")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock_file)
            raise SpoolBusy(
                "spool %s is in use; give each client one of its own" % folder
            ) from error
        self._find()
        self._begin()
        self._forget()
        first = self._segments[0]
        self._reading = Reading(self._path(first), first, self._sent - first)

    def _open(self, name: str) -> int:
        return os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _find(self) -> None:
        """Finds what the client before has left."""
        self._cursor = self._open("cursor")
        digits = os.pread(self._cursor, 20, 0)
        self._sent = self._next = int(digits) if digits.isdigit() else 0
        names = [path.stem for path in self._folder.glob("*.jsonl") if path.stem.isdigit()]
        self._segments = sorted(map(int, names))
        self._size = sum(self._path(first).stat().st_size for first in self._segments)
        if not self._segments:
            return
        # An older cursor: a power failure took the newer one.
        self._sent = max(self._sent, self._segments[0])
        with open(self._path(self._segments[-1]), "rb") as file:
            chunks = iter(lambda: file.read(1 << 20), b"")
            lines = sum(chunk.count(b"\n") for chunk in chunks)
        self._next = self._segments[-1] + lines
        if self._sent > self._next:  # nobody has sent what was never written: it is damaged
            self._sent = self._segments[0]  # repeats do no harm

    def _path(self, first: int) -> pathlib.Path:
        return self._folder / ("%020d.jsonl" % first)

    def _begin(self) -> None:
        """Begins a new file for the events from next on."""
        if self._segments and self._segments[-1] == self._next:  # the last one holds no whole line
            self._remove(self._segments.pop())
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self._path(self._next), flags, 0o600)
        self._segments.append(self._next)
        self._file_size = self._durable_size = 0
        self._durable = self._next
        folder = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
        os.fsync(folder)  # the name must outlast a power failure as its lines do
        os.close(folder)

    def append(self, lines: List[bytes], waiters: Sequence[Waiter]) -> None:
        """Returns once the lines are on disk."""
        block = b"".join(lines)
        with self._lock:
            full = not self._closed and self._size + len(block) > self._max
        if full:
            self._make_room()
        with self._lock:
            if self._closed:
                raise ValueError("the client is closed")
            if self._size + len(block) > self._max:
                raise SpoolFull(
                    "the spool holds %d bytes of events that are not stored yet" % self._size
                )
            self._write(block)
            self._waiters.update(enumerate(waiters, self._next))
            self._file_size += len(block)
            self._size += len(block)
            self._next += len(lines)
            upto = self._next
        with self._syncing:  # one fsync serves all that was written before it began
            if self._durable < upto:
                self._make_durable()

    def _make_room(self) -> None:
        """Removes the last file, too, if all its events are stored. Otherwise it goes only when it
        is long enough."""
        with self._syncing, self._lock:  # nobody flushes the file that is closed here
            if not self._closed and self._file_size and self._sent == self._next:
                old = self._file
                self._begin()
                os.close(old)
                self._forget()

    def _write(self, block: bytes) -> None:
        if os.fstat(self._file).st_nlink == 0:  # what is written there ends with this process
            raise FileNotFoundError(
                "the spool %s was removed; make a new client" % self._folder
            )
        try:
            if os.fstat(self._file).st_size != self._file_size:
                # Ctrl-C came between a write and its being counted.
                os.ftruncate(self._file, self._file_size)
            written = 0
            while written < len(block):
                written += os.write(self._file, block[written:])
        except BaseException:
            # The disk is full: the event is not taken, and the next line must not join it.
            os.ftruncate(self._file, self._file_size)
            raise

    def _make_durable(self) -> None:
        with self._lock:
            if self._closed:
                raise ValueError("the client was closed before the event was on disk")
            file, upto, size = self._file, self._next, self._file_size
        if self._sync:
            os.fsync(file)
        with self._lock:
            self._durable, self._durable_size = upto, size
            if self._file_size >= self._segment:
                # What was written meanwhile, and, without sync, so that only the last file can
                # lack lines.
                os.fsync(file)
                self._begin()
                os.close(file)
            self._changed.notify_all()

    def peek(self, most: int, timeout: float) -> List[Numbered]:
        """The events to send next, at most so many. None if nothing came within timeout seconds."""
        with self._lock:
            if self._sent == self._durable:
                self._changed.wait(timeout)
            want = min(self._durable - self._sent, most)
        ahead = self._reading.ahead
        while len(ahead) < want and self._read_on():
            pass
        size = 0
        events: List[Numbered] = []
        for number, line in itertools.islice(ahead, want):
            size += len(line)
            if events and size > BATCH_BYTES:
                break
            events.append((number, line))
        return events

    def _read_on(self) -> bool:
        """Reads more lines, as far as they are on disk, or goes to the next file. False if there is
        nothing to read."""
        with self._lock:
            later = [first for first in self._segments if first > self._reading.first]
            end = None if later else self._durable_size
        if self._reading.lines(end):
            return True
        if not later:
            return False
        with self._lock:
            if not self._reading.ahead:
                # The file before it may lack lines, if it was damaged.
                self._sent = max(self._sent, later[0])
        self._reading.open(self._path(later[0]), later[0], 0)
        return True

    def waiters(self, events: Sequence[Numbered]) -> Dict[int, Waiter]:
        """Who waits for the events, by number."""
        with self._lock:
            return {n: self._waiters[n] for n, _ in events if n in self._waiters}

    def done(self, events: Sequence[Numbered]) -> None:
        """The events, the first that peek gave, are stored, or refused for good."""
        with self._lock:
            if self._closed:
                return  # closed meanwhile: they go again with the next client, as repeats
            for number, _ in events:
                self._reading.ahead.popleft()
                self._waiters.pop(number, None)
            self._sent = events[-1][0] + 1
            # Lost with the machine's power, they go again, too.
            os.pwrite(self._cursor, b"%020d" % self._sent, 0)
            self._forget()
            self._changed.notify_all()

    def _forget(self) -> None:
        """Removes the files all of whose events are stored."""
        while len(self._segments) > 1 and self._segments[1] <= self._sent:
            self._remove(self._segments.pop(0))

    def _remove(self, first: int) -> None:
        self._size -= self._path(first).stat().st_size
        os.unlink(self._path(first))

    def reject(self, line: bytes, reason: str) -> None:
        """Keeps a refused event for whoever looks after it."""
        event = line.decode(errors="backslashreplace")
        text = json.dumps({"reason": reason, "event": event}) + "\n"
        with open(self._folder / "rejected.jsonl", "a", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    def pending(self) -> Tuple[int, int]:
        """How many events are not stored yet, and the bytes of the files."""
        with self._lock:
            return self._next - self._sent, self._size

    def wait_empty(self, timeout: Optional[float]) -> bool:
        """Waits until all that was appended is stored."""
        with self._lock:
            upto = self._next
            return self._changed.wait_for(lambda: self._sent >= upto, timeout)

    def close(self) -> None:
        """Closes the files, and ends the waiting of those who wait."""
        with self._syncing, self._lock:
            if self._sent == self._next:  # nothing is left: only the cursor stays
                self._remove(self._segments.pop())
            for file in (self._file, self._cursor, self._lock_file):
                os.close(file)
            self._closed = True
            self._reading.close()
            for waiter in self._waiters.values():
                waiter.settle(None)

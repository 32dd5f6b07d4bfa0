"""Reading a whole log: its export, which is verified meanwhile."""
from __future__ import annotations

import contextlib
import json
import os
import pathlib
from typing import IO, ContextManager, Iterator, List, Optional, Sequence

from .counts import ClaimedCounts, Recount, counting
from .head import Head, patiently, require
from .request import Requests
from .settings import Path
from .verifier import Verified, check_export

LONGEST_LINE = 1 << 23  # bytes of a line of an export


def verify(
    requests: Requests,
    head: Head,
    least: int,
    copy: Optional[Path] = None,
    claims: Sequence[ClaimedCounts] = (),
) -> Verified:
    """Audits the whole log, which must have at least so many entries and all that were seen, copies
    the export into a file, and counts what is claimed. A server that is behind is asked again for a
    while."""
    recounts: List[Recount] = []

    def ask() -> Verified:
        recounts[:] = map(Recount, claims)
        return _verify(requests, head, max(least, head.least()), copy, recounts)

    found = patiently(ask)
    head.see(found.checkpoint)
    for recount in recounts:
        recount.check(found.checkpoint.size)
    return found


def export(requests: Requests, head: Head, least: int, path: Path) -> Verified:
    """As verify. The file is there if the log verifies, and else not, or as it was."""
    other = pathlib.Path(os.fspath(path) + ".part")
    try:
        found = verify(requests, head, least, other)
        os.replace(other, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            other.unlink()
    return found


def _verify(
    requests: Requests, head: Head, least: int, copy: Optional[Path], recounts: List[Recount]
) -> Verified:
    keys, held = head.keys(), head.newest
    none: ContextManager[Optional[IO[bytes]]] = contextlib.nullcontext()
    target = open(copy, "wb") if copy else none
    with contextlib.closing(requests.api.connect()) as connection, target as file:
        response = requests.patiently(lambda: requests.api.open(connection, "/v1/export", {}))
        lines = iter(lambda: response.readline(LONGEST_LINE), b"")
        counted = counting(_lines(lines, least, file), recounts)
        return check_export(counted, keys, held)


def _lines(lines: Iterator[bytes], least: int, file: Optional[IO[bytes]]) -> Iterator[bytes]:
    """The lines, each of which is written to the file, too. Raises Behind if the manifest is of a
    log of fewer entries than there must be."""
    for number, line in enumerate(lines):
        if number == 0:
            require(_size(line, least), least)
        if file:
            file.write(line)
        yield line.rstrip(b"\n")


def _size(manifest: bytes, least: int) -> int:
    """The size that a manifest names. One that names none is refused by who verifies it."""
    try:
        size = json.loads(manifest)["size"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return least
    return size if isinstance(size, int) else least

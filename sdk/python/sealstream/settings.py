"""Where a log is, and whose: what AuditLog takes from the environment and from its folder."""
from __future__ import annotations

import os
from typing import Optional, Union

from .client import DEFAULT_SERVER, Client
from .errors import SpoolBusy

Path = Union[str, "os.PathLike[str]"]
DEFAULT_SPOOL = "sealstream-spool"
MAX_SPOOLS = 64


def server_or_default(server: Optional[str]) -> str:
    """The server that was given, that of $SEALSTREAM_SERVER, or the one that `up` has."""
    return server or os.environ.get("SEALSTREAM_SERVER") or DEFAULT_SERVER


def log_or_default(log: Optional[str]) -> str:
    """The log that was given, that of $SEALSTREAM_LOG, or default."""
    return log or os.environ.get("SEALSTREAM_LOG") or "default"


def key_or_default(key: Optional[Path]) -> Optional[Path]:
    """The key that was given, or that of $SEALSTREAM_KEY; None: there is none."""
    return key or os.environ.get("SEALSTREAM_KEY") or None


def open_client(spool: Optional[Path], server: str, log: str, **options: object) -> Client:
    """A client with the spool that was given. If none was: with the first folder of
    sealstream-spool, sealstream-spool-2, ... that nobody uses."""
    if spool is not None:
        return Client(server, os.fspath(spool), log=log, **options)  # type: ignore[arg-type]
    for number in range(1, MAX_SPOOLS):
        name = DEFAULT_SPOOL if number == 1 else "%s-%d" % (DEFAULT_SPOOL, number)
        try:
            return Client(server, name, log=log, **options)  # type: ignore[arg-type]
        except SpoolBusy:
            continue
    raise SpoolBusy("%d spools here are in use; give each AuditLog one of its own" % number)

"""The errors of the package."""


class Rejected(Exception):
    """The log refuses this event, and will each time. It is kept in rejected.jsonl of the spool."""


class SpoolFull(Exception):
    """The server has been away for so long that the spool has reached max_bytes. The event was not
    taken."""


class SpoolBusy(Exception):
    """Another client, of this process or another one, has the spool."""


class LogError(Exception):
    """What the server says of the log does not hold. The subclasses say in which way."""


class NoKeyError(LogError):
    """There is neither a key of the log nor a saved state of it, so nothing can be proven."""


class ProofError(LogError):
    """An entry, a proof or a checkpoint does not verify."""


class AnswerError(LogError, ValueError):
    """An answer is none that a log's server gives, or is too long."""


class ForkError(LogError):
    """The server shows a log that does not continue the one that was seen before: another log, a
    rewritten one, or one that was rolled back."""


class WrongLogError(LogError):
    """The server shows a log of another name than the one that was asked for."""


class IncompleteError(LogError):
    """Entries are missing from an answer that must have them all, or they come twice or in another
    order."""


class CountsError(LogError):
    """Counts that the server claimed are not those of its log."""


class NotFoundError(LogError, LookupError):
    """The log has no such entry, as the server says. Nothing proves that."""


class AmbiguousError(LogError):
    """Several agents have used the id. Give agent_did too."""

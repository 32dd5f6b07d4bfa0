"""The Python SDK of sealstream, with nothing but the standard library of Python >= 3.9.

    audit = sealstream.AuditLog(key="sealstream-data/log.pub")
    entry = audit.log("tool_invocation", "did:web:agent.example.com", "allow", "/crm/contacts")
    print(entry.entry_hash, audit.verify_integrity())

AuditLog    log, query, prove and export, with the toolkit's names; AsyncAuditLog for asyncio
Client      log alone, from any number of threads: it returns once an event is on disk
Reader      read, follow, prove, verify and export; Follower writes what it reads to a sink
AuditSink   the agent-governance-toolkit's own AuditLog writes to the log through it

Where it stands in the flow:

    agent -- log --> spool on disk -- batches over HTTP --> ingest --> EVENTS --> sealer

An event is on disk, with its id and salt, before it is sent for the first time. What is sent again
is the same to the byte, and the log recognises it, so that neither a server that goes away nor an
agent that is killed makes an event lost or doubled. What receipts say is the server's word. What
AuditLog and Reader return was proven under a checkpoint that the log's key has signed.
"""
from .aio import AsyncAuditLog
from .attestation import Attestation, Control
from .audit import AuditLog, MerkleAuditChain, Sink
from .client import Client
from .counts import ClaimedCounts
from .details import Details
from .entry import AuditEntry
from .errors import (
    AmbiguousError,
    AnswerError,
    CountsError,
    ForkError,
    IncompleteError,
    LogError,
    NoKeyError,
    NotFoundError,
    ProofError,
    Rejected,
    SpoolBusy,
    SpoolFull,
    WrongLogError,
)
from .events import ACTIONS, OUTCOMES
from .files import FileAuditSink, SignedAuditEntry
from .follower import Follower
from .reader import Proof, Reader
from .receipt import WAITS, Receipt
from .results import GovernanceVerifier, IntegrityReport, IntegrityVerifier
from .sink import AuditSink
from .unverified import UnverifiedEntry, UnverifiedReader
from .verifier import Checkpoint, Verified

__version__ = "0.1.0"
__all__ = [
    "ACTIONS",
    "AmbiguousError",
    "AnswerError",
    "AsyncAuditLog",
    "Attestation",
    "AuditEntry",
    "AuditLog",
    "AuditSink",
    "Checkpoint",
    "ClaimedCounts",
    "Client",
    "Control",
    "CountsError",
    "Details",
    "FileAuditSink",
    "Follower",
    "ForkError",
    "GovernanceVerifier",
    "IncompleteError",
    "IntegrityReport",
    "IntegrityVerifier",
    "LogError",
    "MerkleAuditChain",
    "NoKeyError",
    "NotFoundError",
    "OUTCOMES",
    "Proof",
    "ProofError",
    "Reader",
    "Receipt",
    "Rejected",
    "SignedAuditEntry",
    "Sink",
    "SpoolBusy",
    "SpoolFull",
    "UnverifiedEntry",
    "UnverifiedReader",
    "Verified",
    "WAITS",
    "WrongLogError",
    "__version__",
]

"""Redaction for the Python SDK: built-in set 2 of sealstream, with nothing but the standard library of Python >= 3.9.

The package sealstream redacts each event with it before the event is written to the spool, so that no secret reaches
the disk or the network. It needs nothing of that package. The patterns are those of the Go package pkg/redact, which
writes table.py. The functions do what the functions of the same names do there, on bytes.
conformance/vectors/redaction.json holds both to the same results.

    redact_event(event)        a CloudEvent as a dict, redacted, with an attribute that says what was taken out
    redact_json(raw, path)     JSON text, and a list of (kind, path)
    redact_text(text)          any other text, and a list of kinds
"""
from .events import redact_event
from .walker import redact_json, redact_text

__all__ = ["redact_event", "redact_json", "redact_text"]

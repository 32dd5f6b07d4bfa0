"""Checks sealstream_verify.py, and what docs/SPEC.md says besides, by the vectors of
conformance/vectors.

This is the verb `vectors` of sealstream_verify.py; nothing else needs this file. What a verifier
has no use for is left out: how times and events are parsed. Of events.json it checks that the
leaves are the log that SPEC 10 asks for.
"""
import collections
import json
import pathlib
import tempfile
import types
from functools import partial

import sealstream_tiles as st
import sealstream_verify as sv
from sealstream_vectors_sealed import archive, archive_damaged, batches
from sealstream_vectors_values import (
    HASHES, batch, checkpoint, consistency, event_log, inclusion, leaf, new_result, page, payload,
    receipts, to_bytes,
)


def export(case, directory):
    """The verdict on an export, and the index that is named."""
    keys = [sv.read_key(vkey) for vkey in case["vkeys"] or []]
    file = pathlib.Path(directory, case["file"])
    args = types.SimpleNamespace(file=file, keys=keys, checkpoint=[])
    result = new_result()
    try:
        sv.verify_export(args, result)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OSError):
        named = case.get("first_bad_index", result["first_bad_index"])
        right = not case["valid"] and result["first_bad_index"] == named
        sv.check(right, "index %s is named" % result["first_bad_index"])
        return {}
    sv.check(case["valid"], "it is accepted")
    return {}


def run(function, **arguments):
    """Runs a verb on its files; what it raises is its verdict."""
    with tempfile.TemporaryDirectory() as directory:
        for name, raw in arguments.pop("files").items():
            arguments[name] = pathlib.Path(directory, name)
            arguments[name].write_bytes(raw)
        result = new_result()
        function(types.SimpleNamespace(**arguments), result)
        return result


def json_proof(case, about):
    raw = json.dumps(case["proof"]).encode()
    run(sv.verify_proof, keys=[sv.read_key(about["vkey"])], files={"file": raw})
    return {"leaf": case["proof"]["leaf"]}


def proof_file(case, about):
    files = {"file": to_bytes(case["file"]), "leaf": to_bytes(case["leaf"])}
    run(sv.verify_proof_file, keys=[sv.read_key(about["vkey"])], files=files)
    return {}


def tile_directory(case, about):
    """The files of the directory, as the case changes them."""
    changed = {**about["files"], **case["changes"]}
    files = {path: to_bytes(raw) for path, raw in changed.items() if raw is not None}
    with tempfile.TemporaryDirectory() as directory:
        for path, raw in files.items():
            target = pathlib.Path(directory, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(raw)
        result = new_result()
        keys = [sv.read_key(key) for key in case["vkeys"]]
        arguments = types.SimpleNamespace(dir=pathlib.Path(directory), keys=keys, checkpoint=[])
        try:
            st.verify_tiles(arguments, result)
        except (ValueError, LookupError, TypeError):
            index = result["first_bad_index"]
            right = case["valid"] or index == case["first_bad_index"]
            sv.check(right, "first_bad_index %s" % index)
            sv.check(not case["valid"], "it is refused")
        else:
            sv.check(case["valid"], "it is accepted")
    return {}


# A case of the vectors: whether it must be accepted, what runs it, and the members that its result
# must have. What runs it raises its verdict.
Case = collections.namedtuple("Case", "name ok run expected")


def is_hash(kind, case):
    sv.check(HASHES[kind](case), "another value")
    return {}


def is_time(case):
    sv.check(sv.TIME(case["out"]), "no time")
    return {}


def policy(case):
    st.Policy(to_bytes(case["policy"]))
    return {}


def cosignatures(case):
    st.witnessed(to_bytes(case["note"]), to_bytes(case["policy"]))
    return {}


def members(case, names):
    """The members of a case that its result must have."""
    return {name: to_bytes(case[name]) if name == "data" else case[name] for name in names}


def simple_cases(load):
    """Of the files that are lists of values."""
    for kind, found in load("hashes.json").items():
        for case in found:
            name = "hashes.json %s: %s" % (kind, case["name"])
            yield Case(name, True, partial(is_hash, kind, case), {})
    for case in load("times.json")["cases"]:
        if case["ok"]:
            yield Case("times.json: " + case["name"], True, partial(is_time, case), {})
    for file, function, names in (
        ("leaves.json", leaf, ["entry_hash"]),
        ("payloads.json", payload, ["index", "salt", "data"]),
        ("checkpoints.json", checkpoint, ["origin", "size", "root"]),
    ):
        for case in load(file)["cases"]:
            expected = members(case, names) if case["ok"] else {}
            name = "%s: %s" % (file, case["name"])
            yield Case(name, case["ok"], partial(function, case), expected)
    about = load("events.json")
    for case in about["cases"]:
        yield Case("events.json: " + case["name"], True, partial(event_log, case, about), {})


def proof_cases(about):
    """Of proofs.json."""
    for kind, run in (
        ("inclusion", inclusion),
        ("consistency", consistency),
        ("json", partial(json_proof, about=about)),
        ("files", partial(proof_file, about=about)),
    ):
        for case in about[kind]:
            expected = members(case, ["leaf"]) if kind == "json" and case["ok"] else {}
            name = "proofs.json %s: %s" % (kind, case["name"])
            yield Case(name, case["ok"], partial(run, case), expected)


def page_cases(about):
    """Of pages.json."""
    for case in about["batch"]:
        yield Case("pages.json batch: " + case["name"], case["ok"], partial(batch, case), {})
    for case in about["pages"]:
        expected = {"indexes": case.get("indexes", [])} if case["ok"] else {}
        yield Case("pages.json: " + case["name"], case["ok"], partial(page, case, about), expected)
    for case in about["receipts"]:
        expected = {"indexes": case.get("indexes", [])} if case["ok"] else {}
        name = "pages.json receipts: " + case["name"]
        yield Case(name, case["ok"], partial(receipts, case, about), expected)


def log_cases(load, directory):
    """Of the files that hold what a log hands out."""
    about = load("cosignatures.json")
    for case in about["policies"]:
        name = "cosignatures.json policy: " + case["name"]
        yield Case(name, case["ok"], partial(policy, case), {})
    for case in about["cases"]:
        name = "cosignatures.json: " + case["name"]
        yield Case(name, case["ok"], partial(cosignatures, case), {})
    tiles = load("tiles.json")
    for case in tiles["cases"]:
        yield Case("tiles.json: " + case["name"], True, partial(tile_directory, case, tiles), {})
    sealed = load("batches.json")
    for case in sealed["cases"]:
        good = case["messages"][-1]["verdict"] == "good"
        names = [name for name in ("size", "root") if name in case and good]
        run = partial(batches, case, sealed)
        yield Case("batches.json: " + case["name"], True, run, members(case, names))
    archived = load("archive.json")
    expected = members(archived, ["size", "root"])
    yield Case("archive.json: all", True, partial(archive, archived), expected)
    for change in archived["damaged"]:
        run = partial(archive_damaged, archived, change)
        yield Case("archive.json: " + change["name"], False, run, {})
    for case in load("exports.json")["cases"]:
        yield Case("exports.json: " + case["name"], True, partial(export, case, directory), {})


def cases(directory):
    """Every case of the vectors."""

    def load(name):
        return json.loads(pathlib.Path(directory, name).read_bytes())

    yield from simple_cases(load)
    yield from proof_cases(load("proofs.json"))
    yield from page_cases(load("pages.json"))
    yield from log_cases(load, directory)


def differs(case):
    """What is wrong with the result of a case, or None."""
    try:
        got = case.run()
        same = case.ok and all(got[member] == value for member, value in case.expected.items())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as bad:
        return "%s (%s)" % (case.name, bad) if case.ok else None
    return None if same else case.name


def verify_vectors(args, result):
    """this program, by conformance/vectors"""
    wrong = []
    count = collections.Counter()
    for case in cases(args.dir):
        file, _, _ = case.name.partition(".json")
        count[file] += 1
        difference = differs(case)
        if difference is not None:
            wrong.append(difference)
    result["checked"].update(count)
    total = sum(count.values())
    sv.check(not wrong, "%d of %d cases differ: %s" % (len(wrong), total, "; ".join(wrong)))
    return "%d cases: %s" % (total, ", ".join("%d %s" % (n, name) for name, n in count.items()))


VERBS = {"vectors": sv.Verb(verify_vectors, "dir")}

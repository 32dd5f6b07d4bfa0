#!/usr/bin/env python3
"""Checks what a sealstream log hands out, with nothing but the standard library of Python >= 3.9.
Written from pkg/SPEC.md alone, so that it shares no mistake with the Go code; "SPEC 8" is its section 8. An auditor
reads this file, has the log's key from someone other than the log's operator, and runs it with --help.
Exit status: 0 valid, 1 a check failed, 2 wrong use or a file that cannot be read.
"""
import argparse, base64, calendar, collections, functools, hashlib, itertools, json, pathlib, re, sys, uuid

def check(condition, why):
    if not condition: raise ValueError(why)
def sha256(*parts): return hashlib.sha256(b"".join(parts)).digest()
def leaf_hash(raw): return sha256(b"\x00", raw)  # SPEC 1, as the next
def node(left, right): return sha256(b"\x01", left, right)

# ---- Ed25519, RFC 8032 section 5.1: verification without cofactor, strict in S, in encodings and in the key.
P, L, ZERO = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493, (0, 1, 1, 0)  # points are extended: X, Y, Z, T
D, ROOT = -121665 * pow(121666, -1, P) % P, pow(2, (P - 1) // 4, P)  # ROOT is a square root of -1
def add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    return (f - e) * (h - g) % P, (h + g) * (f + e) % P, (h - g) * (h + g) % P, (f - e) * (f + e) % P
def times(n, point):
    half = times(n // 2, point) if n > 1 else ZERO
    return add(add(half, half), point) if n % 2 else add(half, half)
def encode(point):
    z = pow(point[2], -1, P)
    return (point[1] * z % P | (point[0] * z % P & 1) << 255).to_bytes(32, "little")
def decode(raw):
    """The point of 32 bytes, or None if they are not the one canonical encoding of a point."""
    sign, y = divmod(int.from_bytes(raw, "little"), 2**255)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if (x * x - square) % P == 0 else x * ROOT % P
    if len(raw) != 32 or y >= P or (x * x - square) % P or (x == 0 and sign): return None
    x = x if x & 1 == sign else P - x
    return x, y, 1, x * y % P
def good_key(public):
    """Whether the bytes are a canonical point, and none whose order is 1, 2, 4 or 8."""
    point = decode(public)
    return point is not None and encode(times(8, point)) != encode(ZERO)
def signed(public, message, signature):
    """Whether S < L and the encoding of [S]B - [k]A is R."""
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= L or not good_key(public): return False
    (x, y, z, t), base = decode(public), decode(b"\x58" + b"\x66" * 31)
    k = int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L
    return encode(add(times(s, base), times(k, (P - x, y, z, P - t)))) == r

# ---- JSON: strict (SPEC 3.2), and canonical as in RFC 8785 (SPEC 2). base64: RFC 4648 section 4, one text for the bytes.
DECODER = json.JSONDecoder(  # fractions, exponents and long numbers become tuples, which no kind below accepts
    object_pairs_hook=lambda pairs: check(len(dict(pairs)) == len(pairs), "a member name stands twice") or dict(pairs),
    parse_constant=lambda text: check(False, text + " is no JSON"), parse_float=lambda text: ("number", text),
    parse_int=lambda text: int(text) if len(text) <= 16 else ("number", text))
ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
def parse(raw): return DECODER.decode(raw.decode())
def canonical(value): return ENCODER.encode(in_order(value)).encode()
def in_order(value):
    if isinstance(value, dict):
        return {name: in_order(value[name]) for name in sorted(value, key=lambda name: name.encode("utf-16-be"))}
    return [in_order(item) for item in value] if isinstance(value, list) else value
def unbase64(text):
    raw = base64.b64decode(text, validate=True)
    check(base64.b64encode(raw).decode() == text, "not canonical base64")
    return raw

# ---- Kinds: functions that tell whether a value is of the kind.
def a(kind): return lambda value: isinstance(value, kind)
def matching(pattern): return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None
def array(kind, least=0): return lambda value: isinstance(value, list) and len(value) >= least and all(map(kind, value))
def form(**kinds): return lambda value: OBJECT(value) and value.keys() == kinds.keys() and all(kinds[n](value[n]) for n in value)
STRING, BOOL, OBJECT, VALUE = a(str), a(bool), a(dict), lambda value: STRING(value) and value != ""
HASH, HEX32, LOG = matching("[0-9a-f]{64}"), matching("[0-9a-f]{32}"), matching("[a-z0-9-]{1,32}")
NAME, KEY_NAME, PUBLISHER = matching("[a-z0-9]{1,64}"), matching(r"[^\s+]+"), matching(r"[ !#-\[\]-~]{1,256}")
ACTION, OUTCOME = matching("allow|deny|audit|quarantine|warning"), matching("success|failure|denied|error")
DATE = matching("[0-9]{4}-(0[1-9]|1[0-2])-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?Z")
TIME = lambda value: DATE(value) and 1 <= int(value[8:10]) <= calendar.monthrange(int(value[:4]), int(value[5:7]))[1]
INT = lambda value: type(value) is int and 0 <= value < 2**53  # in Python a bool is an int too
ONE, TIME9 = (lambda value: INT(value) and value == 1), (lambda value: TIME(value) and len(value) == 30)
EXTENSIONS = lambda value: OBJECT(value) and value != {} and all(map(NAME, value)) and all(map(STRING, value.values()))
PATH = array(lambda step: isinstance(step, list) and len(step) == 2 and HASH(step[0]) and step[1] in ("left", "right"))
def need(what, value, required, optional={}):
    """The value, an object that has these members, each of its kind, and no other."""
    check(OBJECT(value), what + " is no object")
    for name in {**value, **required}:
        kind = required.get(name) or optional.get(name)
        wrong = "n unknown" if not kind else " missing" if name not in value else "" if kind(value[name]) else " bad"
        check(not wrong, "%s has a%s member %s" % (what, wrong, ascii(name)))
    return value

# ---- The leaf (SPEC 2), the log's own entries (SPEC 5) and the data beside them (SPEC 7).
NEEDED = dict(v=ONE, log=LOG, index=INT, previous_hash=HASH, entry_id=VALUE, timestamp=TIME, received_at=TIME9,
              event_type=VALUE, agent_did=VALUE, input_epoch=INT, input_seq=INT, position=INT)
ALLOWED = dict(cloudevent_type=VALUE, resource=VALUE, action=ACTION, outcome=OUTCOME, policy_decision=VALUE, matched_rule=VALUE,
               trace_id=VALUE, session_id=VALUE, target_did=VALUE, agent_seq=INT, agent_prev=HASH, signature=VALUE, detail=OBJECT,
               extensions=EXTENSIONS, data_hash=HASH, publisher=PUBLISHER, redactions=array(form(kind=STRING, path=STRING), 1))
LIMITS = dict(attribute_bytes=4096, data_bytes=262144, data_depth=32, leaf_bytes=65535, message_bytes=921600,
              message_events=256, window=1048576)
EPOCH = dict(epoch=INT, events_created=TIME9, reason=STRING, after=form(input_epoch=INT, input_seq=INT, size=INT, root=HASH))
REDACTION = (dict(set=INT), dict(hash=HASH, names=array(form(kind=VALUE, name=VALUE), 1), private_fields=array(VALUE, 1),
                                 patterns=array(lambda value: need("a pattern", value, dict(kind=VALUE, match=VALUE), dict(contains=VALUE)) is not None, 1)))
OWN = {  # of each type: the members that its detail has and may have, and what leaf and detail must say together
    "config": (dict(origin=VALUE, keys=array(STRING, 1), events_created=TIME9, events_open=BOOL, epoch=INT,
                    rules=lambda value: INT(value) and value in (1, 2), secret_fingerprint=HEX32, limits=lambda value: value == LIMITS),
               dict(previous=INT, redaction=lambda value: need("redaction", value, *REDACTION) is not None),
               lambda leaf, it: it["rules"] >= 1 + ("redaction" in it) and ("previous" in it if leaf["index"] else "previous" not in it and it["epoch"] == 1)),
    "rejected": (dict(reason=STRING, digest=HASH, size=INT, subject=STRING), dict(field=VALUE),
                 lambda leaf, it: "data_hash" in leaf and ("redactions" in leaf or it["size"] > 4096 or it["digest"] == leaf["data_hash"])),
    "duplicate": (dict(originals=array(form(index=INT, position=INT), 1)), {},
                  lambda leaf, it: "publisher" not in leaf and all(one["index"] < leaf["index"] for one in it["originals"])),
    "equivocation": (dict(entry_id=VALUE, event_type=VALUE, original=INT), {}, lambda leaf, it: it["original"] < leaf["index"]),
    "gap": ({"from": INT, "to": INT}, {}, lambda leaf, it: it["from"] <= it["to"] == leaf["input_seq"] and leaf["position"] == 0),
    "epoch": (EPOCH, {}, lambda leaf, it: (it["epoch"], 0, 0) == (leaf["input_epoch"], leaf["input_seq"], leaf["position"])),
    "control": (EPOCH, {}, lambda leaf, it: it["epoch"] == leaf["input_epoch"]),
    "erasure": (dict(indexes=array(INT), reason=STRING, authority=STRING), {},
                lambda leaf, it: it["indexes"] + [leaf["index"]] == sorted({*it["indexes"], leaf["index"]}))}
FIXED = "origin", "limits", "secret_fingerprint"  # in configs
NAMESPACE = uuid.UUID("6f8f8e0e-6f0c-5c0e-9d0a-7365616c7374")

def read_leaf(raw):
    """The members of a leaf, and which of the log's own entries it is, if any (SPEC 2, 10 item 1)."""
    check(len(raw) <= 65535, "the leaf is longer than 65,535 bytes")
    leaf = need("the leaf", parse(raw), NEEDED, ALLOWED)
    check(canonical(leaf) == raw, "the leaf is not in canonical form")
    own, _, kind = leaf["event_type"].partition(".")
    kind = kind if own == "sealstream" else None
    check(kind is None or kind in OWN, "the log has no entries of type " + ascii(leaf["event_type"]))
    check(("detail" in leaf) == (kind is not None), "detail is for the log's own entries, and for all of them")
    if kind: need("the detail", leaf["detail"], *OWN[kind][:2])
    return leaf, kind
def check_own(leaf, kind, origin):
    """What a leaf must say of its log (SPEC 8), and an entry of the log's own of itself (SPEC 5, 10 items 2 and 6)."""
    check([leaf["log"]] == origin.split("/")[-2:-1], "the leaf is of another log than the checkpoint")
    check(("cloudevent_type" in leaf) == (kind in (None, "equivocation")), "cloudevent_type is for the entries of events")
    if not kind: return
    check(OWN[kind][2](leaf, leaf["detail"]), "the detail of the %s entry does not fit the leaf" % kind)
    name = "/".join(str(leaf[part]) for part in ("log", "input_epoch", "input_seq", "position")) + "/" + kind
    check(leaf["entry_id"] == str(uuid.uuid5(NAMESPACE, name)), "entry_id is not the UUIDv5 of " + name)
    if kind != "equivocation":
        check((leaf["agent_did"], leaf["timestamp"]) == (origin, leaf["received_at"]), "agent_did or timestamp is not the log's")
    if kind == "config":
        it, own = leaf["detail"], [read_key(key) for key in leaf["detail"]["keys"]]
        tail = "/%s/%s" % (leaf["log"], hashlib.sha256(own[0][2]).hexdigest()[:8] if leaf["index"] == 0 else origin[-8:])
        check(it["origin"] == origin and origin.endswith(tail) and origin != tail, "the origin is not the log's")
        check(all(key[0] == origin for key in own), "a key has another name than the log")
def open_data(line, leaf):
    """Whether the members hold a record of data, which must then open data_hash (SPEC 1)."""
    record = {name: line[name] for name in ("data_raw", "data_base64", "salt") if name in line}
    if not record: return False
    need("the record", record, dict(salt=HASH), dict(data_raw=STRING, data_base64=STRING))
    check(len(record) == 2 and "data_hash" in leaf, "data, salt and data_hash do not go together")
    data = line["data_raw"].encode() if "data_raw" in line else unbase64(line["data_base64"])
    check(sha256(b"\x02", bytes.fromhex(line["salt"]), data).hex() == leaf["data_hash"], "the data does not open data_hash")
    plain = data.decode(errors="ignore").encode() == data and not re.search(b"[\x00-\x08\x0b\x0c\x0e-\x1f]", data)
    check(plain == ("data_raw" in line), "data_base64 is for the data that is no plain text, and for no other")
    redacted = "redactions" in leaf  # then what is kept is not what came
    whole = leaf["detail"]["size"] if leaf["event_type"] == "sealstream.rejected" and not redacted else len(data)
    check(len(data) == whole or len(data) == 4096 < whole, "a rejected entry keeps the first 4,096 bytes")
    check(leaf["event_type"] != "sealstream.rejected" or len(data) <= 4096, "a rejected entry keeps more than 4,096 bytes")
    return True

# ---- Trees (SPEC 1 and 8, RFC 6962 section 2.1).
def append(roots, size, root):
    """Adds leaf number size to the roots of the perfect subtrees of the leaves before it, largest first."""
    while size % 2:
        root, size = node(roots.pop(), root), size // 2
    roots.append(root)
def fold(roots): return functools.reduce(lambda right, left: node(left, right), reversed(roots)) if roots else sha256()
def sides(index, size):
    """Where RFC 6962 has the siblings of a leaf, from leaf to root."""
    if size <= 1: return []
    half = 1 << ((size - 1).bit_length() - 1)
    return sides(index - half, size - half) + ["left"] if index >= half else sides(index, half) + ["right"]
def climb(root, path):
    for sibling, side in path:
        root = node(bytes.fromhex(sibling), root) if side == "left" else node(root, bytes.fromhex(sibling))
    return root
def check_inclusion(raw, index, path, size, root):
    check(index < size and [side for _, side in path] == sides(index, size), "sides or number of the steps are not the index's")
    check(climb(leaf_hash(raw), path) == root, "the proof does not lead to the root")

# ---- Keys, notes and checkpoints (SPEC 8; c2sp.org/signed-note, c2sp.org/tlog-checkpoint).
def read_key(vkey):
    """The (name, id, public key) of a note verifier key for Ed25519."""
    name, ident, rest = (vkey.split("+", 2) + ["", ""])[:3]
    raw = unbase64(rest)
    check(KEY_NAME(name) and raw[:1] == b"\x01" and good_key(raw[1:]), "not a note verifier key for Ed25519")
    check(sha256(name.encode(), b"\n", raw)[:4].hex() == ident, "the id in a verifier key is not the key's")
    return name, bytes.fromhex(ident), raw[1:]
def open_note(note, keys):
    """The lines of a note, and the names of the keys that signed it. A signature by a key that is not known is passed over."""
    words, blank, lines = note.decode().rpartition("\n\n")
    check(blank and lines.endswith("\n") and not re.search(b"[\x00-\x09\x0b-\x1f]", note), "not a signed note")
    names = set()
    for line in lines[:-1].split("\n"):
        dash, name, signature = (line.split(" ", 2) + ["", ""])[:3]
        signature = unbase64(signature)
        check(dash == "\u2014" and KEY_NAME(name) and len(signature) > 4, "a signature line is malformed")
        for key in [key for key in keys if key[:2] == (name, signature[:4])]:
            check(signed(key[2], words.encode() + b"\n", signature[4:]), "the signature of %s is wrong" % name)
            names.add(name)
    return words.split("\n"), names
def read_checkpoint(note, keys, result):
    """The (origin, size, root) of a checkpoint that a key named by its origin has signed."""
    lines, names = open_note(note, keys)
    check(len(lines) == 3 and re.fullmatch("0|[1-9][0-9]{0,15}", lines[1]), "not a checkpoint of three lines")
    check(lines[0] in names, "not signed by the key")
    origin, size, root = lines[0], int(lines[1]), unbase64(lines[2])
    check(INT(size) and len(root) == 32, "the size is beyond 2^53-1, or the root is not of 32 bytes")
    result.update(tree_size=size, root=root.hex(), note=note, checked=result["checked"] + collections.Counter(checkpoints=1))
    return origin, size, root

# ---- Exports (SPEC 9).
LINE = dict(data_raw=STRING, data_base64=STRING, salt=HASH, merkle_proof=PATH)  # beside leaf
MANIFEST = dict(sealstream_export=ONE, log=LOG, origin=STRING, count=INT, size=INT, root=HASH, checkpoint=STRING, filters=OBJECT)
class Export:
    """The checks of SPEC 10, entry by entry. It keeps of the entries only the indexes of those whose data is missing."""
    def __init__(self, whole, head, keys, result):
        self.whole, self.head, self.keys, self.result, self.missing = whole, head, keys, result, set()
        self.found, self.last_hash, self.roots = [0, None, None], bytes(32), []  # found: count, first and last index
        self.config, self.fixed, self.epochs, self.named = None, None, [], []  # named: keys of the newest config
        self.begin(1)
    def take(self, line):
        (count, first, last), (origin, size, root) = self.found, self.head
        self.result["first_bad_index"] = count if self.whole else None  # should one of the next checks fail
        check(count < size, "there are more entries than the tree has")
        line = need("the line", parse(line), dict(leaf=STRING), LINE)
        raw = line["leaf"].encode()
        leaf, kind = read_leaf(raw)
        index = self.result["first_bad_index"] = count if self.whole else leaf["index"]
        check_own(leaf, kind, origin)
        check(index == leaf["index"] and (last is None or last < index), "index %d follows %s" % (leaf["index"], last))
        before = self.last_hash.hex() if index == (0 if last is None else last + 1) else leaf["previous_hash"]
        check(leaf["previous_hash"] == before, "previous_hash is not the hash of the entry before")
        check(("merkle_proof" in line) != self.whole, "merkle_proof is for exports with filters, and always there")
        opened = open_data(line, leaf)
        absent = {index} if "data_hash" in leaf and not opened else set()
        self.missing |= absent
        if self.whole:
            self.follow(index, leaf, kind, leaf.get("detail"))
            append(self.roots, index, leaf_hash(raw))
        else:
            check_inclusion(raw, index, line["merkle_proof"], size, root)
        self.found, self.last_hash = [count + 1, first if count else index, index], leaf_hash(raw)
        self.result["checked"].update(entries=1, own_entries=kind is not None, data_opened=opened, data_absent=len(absent))
    def follow(self, index, leaf, kind, it):
        """What only a whole export shows; of a config, that it changes only what SPEC 5.1 lets it."""
        check(index or kind == "config", "the entry at index 0 is no config")
        self.account(index, leaf, kind, it)
        if kind == "erasure":
            self.missing.difference_update(it["indexes"])
        elif kind == "epoch":
            self.epochs.append([it["epoch"], it["events_created"]])
        elif kind == "config":
            fixed, epoch = [it[name] for name in FIXED], [it["epoch"], it["events_created"]]
            check(it.get("previous") == self.config, "previous is not the newest config")
            check(not index or (fixed == self.fixed and it["rules"] >= self.rules and epoch in self.epochs), "the config changes what it may not")
            self.config, self.fixed, self.rules, self.epochs = index, fixed, it["rules"], [epoch]  # or that of an epoch entry after it
            handed_on = len({read_key(key)[1] for key in it["keys"]}) == len(it["keys"]) and set(it["keys"]) & set(self.named)
            check(not index or it["keys"] == self.named or handed_on, "the config changes keys without an overlap")
            self.named = it["keys"]
    def begin(self, epoch):
        """Of the message being read: the next position, those left out for its duplicate entry to name, whether it is closed."""
        self.epoch, self.seq, self.fresh, self.next, self.holes, self.closed = epoch, 0, True, 0, [], True
    def account(self, index, leaf, kind, it):
        """SPEC 10 item 3. The last message before an epoch, or before the end, may break off anywhere."""
        seq, position, next_epoch = leaf["input_seq"], leaf["position"], self.epoch + (kind == "epoch")
        check(leaf["input_epoch"] == next_epoch, "input_epoch is %d, not %d" % (leaf["input_epoch"], next_epoch))
        if kind == "epoch":
            after = dict(input_epoch=self.epoch, input_seq=self.seq, size=index, root=fold(self.roots).hex())
            check(it["after"] == after, "after is not the last position and tree before the epoch")
            return self.begin(next_epoch)
        if kind == "gap" or self.fresh or seq != self.seq:  # another message
            check(not self.holes, "a position of the message before is in no entry")
            first = it["from"] if kind == "gap" else seq
            check(self.fresh or first == self.seq + 1, "input_seq %d does not follow %d" % (first, self.seq))
            self.seq, self.next, self.fresh, self.closed = seq, 0, False, False
        check(not self.closed and self.next <= position <= 255 + (kind == "duplicate"), "position %d cannot follow" % position)
        self.holes += range(self.next, position)
        self.next, self.closed = position + 1, kind in ("gap", "duplicate")
        if kind == "duplicate":
            check([one["position"] for one in it["originals"]] == self.holes, "originals are not the positions left out")
            self.holes = []
    def finish(self, manifest):
        """The checks after the last entry; what to say then."""
        (origin, size, root), result, (count, _, last) = self.head, self.result, self.found
        result["first_bad_index"] = last
        check([manifest.get(name) for name in ("count", "first", "last")] == self.found, "cut? count, first or last is another")
        if not self.whole:
            return "%d of the %d entries of %s; that no other fits the filters is not proven" % (count, size, origin)
        result["first_bad_index"] = count
        check(count == size == manifest["size"], "cut: %d entries; manifest %d, checkpoint %d" % (count, manifest["size"], size))
        result["first_bad_index"] = count - 1  # the entries before it are chained to it
        check(fold(self.roots).hex() == manifest["root"], "the root of the leaves is not the manifest's")
        result["first_bad_index"] = 0
        check(fold(self.roots) == root, "the root of the leaves is not the checkpoint's")
        result["first_bad_index"] = min(self.missing, default=None)
        check(not self.missing, "the data is missing and no erasure names it")
        result["first_bad_index"] = 0
        named = [key for key in map(read_key, self.named) if key in self.keys]
        check(open_note(manifest["checkpoint"].encode(), named)[1], "not signed by a given key that the newest config names")
        result["first_bad_index"] = None
        return "all %d entries of %s" % (size, origin)

def keys_named(file):
    """The keys that the configs of an export name, for who has none: the checks of the export come afterwards."""
    with open(file, "rb") as lines:
        configs = [parse(parse(line)["leaf"].encode()) for line in itertools.islice(lines, 1, None) if b"sealstream.config" in line]
    return [read_key(key) for leaf in configs if leaf["event_type"] == "sealstream.config" for key in leaf["detail"]["keys"]]
def verify_export(args, result):
    """an export, whole or filtered (SPEC 9, 10)"""
    with open(args.file, "rb") as file:
        lines = (line.rstrip(b"\n") for line in iter(lambda: file.readline(1 << 23), b""))
        manifest, line = need("the manifest", parse(next(lines, b"")), MANIFEST, dict(first=INT, last=INT)), next(lines, None)
        whole = not manifest["filters"]
        if not whole and (not args.keys or args.checkpoint):
            raise OSError("an export with filters needs --key, and no --checkpoint can be compared with it")
        result["first_bad_index"] = 0  # whatever is wrong with a checkpoint or a key, no entry is vouched for
        keys = args.keys or keys_named(args.file)
        others = [(path, *read_checkpoint(path.read_bytes(), keys, result)) for path in args.checkpoint]
        origin, size, root = head = read_checkpoint(manifest["checkpoint"].encode(), keys, result)
        check([manifest["origin"], manifest["log"]] == [origin, *origin.split("/")[-2:-1]], "origin or log of the manifest")
        check(whole or [manifest["size"], manifest["root"]] == [size, root.hex()], "size or root of the manifest")
        export, roots = Export(whole, head, keys, result), {0: sha256()}
        for line in itertools.chain([] if line is None else [line], lines):
            export.take(line)
            roots.update({other[2]: fold(export.roots) for other in others if other[2] == export.found[0]})
    said = export.finish(manifest)
    for path, *other in others:
        check(other[1] <= size, "cut: %s has %d entries, the export %d" % (path, other[1], size))
        check((other[0], other[2]) == (origin, roots[other[1]]), "%s is of another log, or tells another history of it" % path)
    return said + ("" if args.keys else "; without --key this proves that it is one log, not whose")

# ---- Proofs (SPEC 8), and the command.
PROOF = dict(entry=OBJECT, leaf=STRING, leaf_index=INT, tree_size=INT, merkle_proof=PATH, merkle_root=HASH, checkpoint=STRING)

def check_entry(raw, index, path, head, keys, result):
    """The leaf that a path proves to stand at index under the checkpoint; what to say then."""
    result["first_bad_index"] = index
    leaf, kind = read_leaf(raw)
    check_own(leaf, kind, head[0])
    check(leaf["index"] == index, "the index of the leaf is not the proof's")
    check_inclusion(raw, index, path, *head[1:])
    return leaf, "the leaf is entry %d of the %d of %s" % (index, head[1], head[0])

def verify_proof(args, result):
    """a JSON proof (SPEC 8); its `verified` counts for nothing"""
    proof = need("the proof", parse(args.file.read_bytes()), PROOF, dict(verified=BOOL))
    raw, entry, head = proof["leaf"].encode(), proof["entry"], read_checkpoint(proof["checkpoint"].encode(), args.keys, result)
    check([proof["tree_size"], proof["merkle_root"]] == [head[1], head[2].hex()], "size or root is not the checkpoint's")
    leaf, said = check_entry(raw, proof["leaf_index"], proof["merkle_proof"], head, args.keys, result)
    of_leaf = {name: entry[name] for name in entry if name in NEEDED or name in ALLOWED}
    check(canonical(of_leaf) == raw, "entry does not say what the leaf says")
    check(entry.get("entry_hash", leaf_hash(raw).hex()) == leaf_hash(raw).hex(), "entry_hash is not that of the leaf")
    check(entry.get("leaf", proof["leaf"]) == proof["leaf"], "leaf in entry is another")
    rest = sorted(entry.keys() - of_leaf.keys() - {"leaf", "entry_hash", "data_raw", "data_base64", "salt"})
    result["checked"].update(data_opened=open_data(entry, leaf), unproven_members=len(rest))
    return said + ("; no proof covers %s in entry" % ascii(rest) if rest else "")

def verify_proof_file(args, result):
    """a c2sp.org/tlog-proof@v1 and the leaf that it is of"""
    top, _, note = args.file.read_bytes().partition(b"\n\n")
    found = re.fullmatch("c2sp.org/tlog-proof@v1\n(?:extra ([^\n]*)\n)?index (0|[1-9][0-9]{0,15})((?:\n[^\n]+)*)", top.decode())
    check(found, "not a c2sp.org/tlog-proof@v1")
    head, index, raw = read_checkpoint(note, args.keys, result), int(found[2]), args.leaf.read_bytes()
    _, *hashes = [unbase64(line).hex() for line in [found[1] or "", *found[3].split("\n")[1:]]]
    where = sides(index, head[1])
    check(len(hashes) == len(where) and all(map(HASH, hashes)), "number or length of the hashes is wrong")
    return check_entry(raw, index, list(zip(hashes, where)), head, args.keys, result)[1]

def verify_checkpoint(args, result):
    """a signed checkpoint"""
    return "%s has signed %d entries" % read_checkpoint(args.file.read_bytes(), args.keys, result)[:2]

def verify_path(args, result):
    """whether [[hash, side], ...] leads from ENTRY_HASH to ROOT, and no more"""
    path = parse(args.file.read_bytes())
    check(HASH(args.entry_hash) and PATH(path), "not an entry hash and an array of [hash, side]")
    check(climb(bytes.fromhex(args.entry_hash), path) == bytes.fromhex(args.root), "the proof does not lead to the root")
    return "the entry is under this root, which you must know from elsewhere"

def verify_tiles(args, result):
    """a directory of tiles (c2sp.org/tlog-tiles)"""
    return __import__("sealstream_tiles").verify_tiles(args, result)

def verify_vectors(args, result):
    """this program, by pkg/testdata/vectors"""
    return __import__("sealstream_vectors").verify(args.dir, result)

def read_keys(vkeys): return [read_key(vkey) for vkey in vkeys.rstrip("\n").split("\n")]
VERBS = {"export": (verify_export, "file", "--checkpoint"), "proof": (verify_proof, "file"),
         "proof-file": (verify_proof_file, "file", "--leaf"), "checkpoint": (verify_checkpoint, "file"),
         "tiles": (verify_tiles, "dir", "--checkpoint"),
         "path": (verify_path, "entry_hash", "file", "root"), "vectors": (verify_vectors, "dir")}
OPTIONS = {"--json": dict(action="store_true"), "file": dict(type=pathlib.Path), "--leaf": dict(type=pathlib.Path, required=True),
           "--checkpoint": dict(type=pathlib.Path, action="append", default=[], help="an older or newer one"),
           "--policy": dict(type=pathlib.Path, help="the witnesses that must have cosigned (c2sp.org/tlog-policy)"),
           "--key": dict(dest="keys", type=read_keys, help="the log's note verifier key"),
           "--key-file": dict(dest="keys", type=lambda path: read_keys(argparse.FileType()(path).read()), help="its file; the log may have several, one a line")}

def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, (run, *words) in VERBS.items():
        verb = verbs.add_parser(name, help=run.__doc__)
        group = verb.add_mutually_exclusive_group(required=name not in ("export", "tiles", "path", "vectors"))
        for word in [*words, "--json", "--policy", "--key", "--key-file"]:
            (group if "key" in word else verb).add_argument(word, **OPTIONS.get(word, {}))
    args = parser.parse_args(argv)
    result = dict(valid=False, error=None, first_bad_index=None, tree_size=None, root=None, checked=collections.Counter())
    try:
        said, status = "valid: " + VERBS[args.verb][0](args, result), 0
        if args.policy:
            said += __import__("sealstream_tiles").witnessed(result.get("note", b""), args.policy.read_bytes())
        result.update(valid=True, first_bad_index=None)
    except OSError as wrong:
        result["error"], said, status = str(wrong), "cannot check: %s" % wrong, 2
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as bad:  # what makes no sense is not valid
        at = "" if result["first_bad_index"] is None else " at index %d" % result["first_bad_index"]
        result["error"], said, status = str(bad), "NOT VALID%s: %s" % (at, bad), 1
    result.pop("note", None)  # the checkpoint read last, for --policy
    print(json.dumps(result) if args.json else said)
    return status

if __name__ == "__main__":
    sys.exit(main())

"""What outsiders have of a log beside exports and proofs: directories of tiles
(c2sp.org/tlog-tiles), and cosignatures of witnesses (c2sp.org/tlog-cosignature), counted by a
policy (c2sp.org/tlog-policy). The verb `tiles` and the option --policy of sealstream_verify.py.

Like that, it is written from the specifications alone, for Python >= 3.9 with nothing installed.
"""
import pathlib
import re

import sealstream_verify as sv

# ---- Cosignatures: signature type 4, a POSIX time of eight bytes and an Ed25519 signature.


def read_cosigner(vkey):
    """The (name, id, public key) of a note verifier key for Ed25519 cosignatures."""
    name, ident, rest = sv.three(vkey, "+")
    raw = sv.unbase64(rest)
    good = sv.KEY_NAME(name) and raw[:1] == b"\x04" and sv.good_key(raw[1:])
    sv.check(good, "not a cosigner's verifier key for Ed25519")
    own = sv.sha256(name.encode(), b"\n", raw)[:4].hex()
    sv.check(own == ident, "the id in a verifier key is not the key's")
    return name, bytes.fromhex(ident), raw[1:]


def cosigned(note, keys):
    """When each of the keys has cosigned the note, by key. A wrong signature of one of them is an
    error. Those of others are passed over."""
    text, blank, lines = note.decode().rpartition("\n\n")
    sv.check(blank and lines.endswith("\n"), "not a signed note")
    times = {}
    for line in lines[:-1].split("\n"):
        name, encoded, raw = sv.read_signature(line)
        for key in keys:
            if key[:2] == (name, raw[:4]) and key not in times:
                at = int.from_bytes(raw[4:12], "big")
                message = ("cosignature/v1\ntime %d\n%s\n" % (at, text)).encode()
                formed = len(raw) == 76 and at < 2**63 and sv.unbase64(encoded)
                good = formed and sv.signed(key[2], message, raw[12:])
                sv.check(good, "the cosignature of %s is wrong" % name)
                times[key] = at
    return times


# ---- Policies (c2sp.org/tlog-policy).


class Policy:
    """The logs' keys, the witnesses' keys by name, the groups by name as (needed, members), and the
    name of the quorum."""

    def __init__(self, raw):
        self.logs = []
        self.witnesses = {}
        self.groups = {}
        self.quorum = None
        self.public_keys = set()
        self.in_groups = set()
        controls = re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", raw)
        sv.check(not controls, "a control character in the policy")
        for line in raw.decode("utf-8", "surrogateescape").split("\n"):
            words = re.findall("[^ \t]+", line)
            if words and words[0][0] != "#":
                self.take(line, words[0], words[1:])
        sv.check(self.quorum is not None, "the policy has no quorum")

    def take(self, line, verb, args):
        """Takes a line in."""
        if verb == "log" and len(args) in (1, 2):
            self.logs.append(self.fresh(sv.read_key(args[0])))
        elif verb == "witness" and len(args) in (2, 3):
            self.check_name(args[0])
            self.witnesses[args[0]] = self.fresh(read_cosigner(args[1]))
        elif verb == "group" and len(args) >= 3:
            self.take_group(args[0], args[1], args[2:])
        elif verb == "quorum" and len(args) == 1:
            first = self.quorum is None and (args[0] == "none" or self.defines(args[0]))
            sv.check(first, "the quorum is not defined before, or twice")
            self.quorum = args[0]
        else:
            sv.check(False, "a line of the policy is malformed: " + ascii(line))

    def take_group(self, name, needed, members):
        """Takes a group in. Each of its members is defined before, and in no other group."""
        self.check_name(name)
        defined = all(self.defines(member) for member in members)
        sv.check(defined, "a member of a group is not defined before")
        alone = len(set(members)) == len(members) and not self.in_groups & set(members)
        sv.check(alone, "a member is in a group already")
        self.in_groups.update(members)
        needed = {"all": str(len(members)), "any": "1"}.get(needed, needed)
        possible = re.fullmatch("[1-9][0-9]*", needed) and int(needed) <= len(members)
        sv.check(possible, "a group needs none, or more than it has")
        self.groups[name] = (int(needed), members)

    def fresh(self, key):
        """The key, whose public key the policy must not have yet."""
        _, _, public = key
        sv.check(public not in self.public_keys, "the policy has a public key twice")
        self.public_keys.add(public)
        return key

    def defines(self, name):
        """Whether a witness or a group has the name."""
        return name in self.witnesses or name in self.groups

    def check_name(self, name):
        """Checks that a name is free."""
        sv.check(name != "none" and not self.defines(name), "a name of the policy is taken")

    def met(self, name, times):
        """Whether a witness has cosigned, or enough of a group have."""
        if name in self.groups:
            needed, members = self.groups[name]
            return sum(self.met(member, times) for member in members) >= needed
        return name == "none" or self.witnesses[name] in times


def witnessed(note, policy):
    """What to say of a checkpoint whose log signature was checked, once enough witnesses have
    cosigned it."""
    policy = Policy(policy)
    times = cosigned(note, policy.witnesses.values())
    cosigners = sorted(name for name, key in policy.witnesses.items() if key in times)
    names = ", ".join(cosigners) or "nobody"
    why = "cosigned by %s, which is not enough for the quorum %s" % (names, policy.quorum)
    sv.check(policy.met(policy.quorum, times), why, "not-cosigned")
    return "; cosigned by " + names


# ---- Tiles (c2sp.org/tlog-tiles).

FULL = 256  # hashes, or entries, in a full tile; the last of a row is partial


def tile_path(level, number, width):
    """The path of a tile: tile/0/x001/234, or tile/0/x001/234.p/56 of a partial one."""
    digits = str(number)
    count = max(1, (len(digits) + 2) // 3)
    padded = digits.zfill(3 * count)
    groups = [padded[i : i + 3] for i in range(0, len(padded), 3)]
    parts = ["tile", str(level), *("x" + group for group in groups[:-1]), groups[-1]]
    path = "/".join(parts)
    return path if width == FULL else "%s.p/%d" % (path, width)


class Tiles:
    """The files of a directory. Partial ones that are smaller than need be are compared too."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.read = 0  # files

    def get(self, level, number, width):
        """The content of a tile."""
        path = self.directory / tile_path(level, number, width)
        sv.check(path.is_file(), "%s is missing" % path, "missing")
        self.read += 1
        return path.read_bytes()

    def smaller(self, level, number, width, whole, cut):
        """Compares the smaller partial tiles beside a tile with its beginning."""
        full = self.directory / tile_path(level, number, FULL)
        folder = full.with_name("%03d.p" % (number % 1000))
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            sv.check(re.fullmatch("[1-9][0-9]{0,2}", path.name), "%s is no partial tile" % path)
            if int(path.name) < width:
                self.read += 1
                same = path.read_bytes() == cut(whole, int(path.name))
                sv.check(same, "%s is not the begin of the tile" % path)


def cut_hashes(raw, width):
    """The first hashes of a tile."""
    return raw[: 32 * width]


def cut_bundle(raw, width):
    """The first entries of a bundle, and where they end. Each has its size before it, in two
    bytes."""
    entries = []
    at = 0
    for _ in range(width):
        size = int.from_bytes(raw[at : at + 2], "big")
        sv.check(len(raw) >= at + 2 + size, "a bundle of entries is too short")
        entries.append(raw[at + 2 : at + 2 + size])
        at += 2 + size
    return entries, at


def cut_entries(raw, width):
    """The bytes of the first entries of a bundle."""
    _, end = cut_bundle(raw, width)
    return raw[:end]


class Rows:
    """The rows of hashes that the entries make, level by level, each compared with its tiles."""

    def __init__(self, files, result):
        self.files = files
        self.result = result
        self.rows = []  # of each level, the hashes of the tile that is being filled
        self.done = []  # of each level, how many tiles are full

    def push(self, level, digest):
        """Appends a hash to a row."""
        if len(self.rows) == level:
            self.rows.append([])
            self.done.append(0)
        self.rows[level].append(digest)

    def compare(self, level):
        """Compares a row with its tile. A full one is a hash of the level above."""
        row = self.rows[level]
        number = self.done[level]
        raw = self.files.get(level, number, len(row))
        differs = (i for i, digest in enumerate(row) if raw[32 * i : 32 * i + 32] != digest)
        at = next(differs, len(row) - 1)
        self.result["first_bad_index"] = (number * FULL + at) * FULL**level
        same = raw == b"".join(row)
        sv.check(same, "a tile of level %d is not made of the entries" % level)
        self.result["first_bad_index"] = number * FULL ** (level + 1)
        self.files.smaller(level, number, len(row), raw, cut_hashes)
        if len(row) == FULL:
            self.rows[level] = []
            self.done[level] = number + 1
            roots = []
            for i, digest in enumerate(row):
                sv.append(roots, i, digest)
            self.push(level + 1, sv.fold(roots))
            if len(self.rows[level + 1]) == FULL:
                self.compare(level + 1)

    def finish(self):
        """Compares the partial tiles above the entries."""
        for level in range(1, len(self.rows)):
            if self.rows[level]:
                self.compare(level)


def walk(files, export, known, result):
    """Checks every bundle of entries, the tiles above it, and each entry."""
    _, size, root = export.head
    rows = Rows(files, result)
    for first in range(0, size, FULL):
        number = first // FULL
        width = min(FULL, size - first)
        result["first_bad_index"] = first
        raw = files.get("entries", number, width)
        entries, end = cut_bundle(raw, width)
        sv.check(end == len(raw), "a bundle of entries is too long")
        for entry in entries:
            rows.push(0, sv.leaf_hash(entry))
        rows.compare(0)  # before the chain: it names the entry that was altered
        result["first_bad_index"] = first
        files.smaller("entries", number, width, raw, cut_entries)
        for entry in entries:
            result["first_bad_index"] = export.found[0]
            export.take(sv.ENCODER.encode({"leaf": entry.decode()}).encode())
            known.at(export.found[0], export.roots)
    rows.finish()
    result["first_bad_index"] = max(size - 1, 0)
    sv.check(size, "a log has at least its config", "cut")
    same = sv.fold(export.roots) == root
    sv.check(same, "the root of the entries is not the checkpoint's")


def verify_tiles(args, result):
    """a directory of tiles (c2sp.org/tlog-tiles)"""
    files = Tiles(args.dir)
    keys = args.keys or None
    note = (files.directory / "checkpoint").read_bytes()
    result.update(first_bad_index=0, kind="altered")
    head = sv.read_checkpoint(note, keys, result)
    origin, size, root = head
    known = sv.Known(args.checkpoint, keys, result)
    export = sv.Export(True, head, keys, result)
    known.at(0, [])
    try:
        walk(files, export, known, result)
        result["first_bad_index"] = 0
        export.in_force(note)
    except ValueError:
        known.broken(origin)
        raise
    known.settle(origin, size, export.ever)
    result["checked"].update(tiles=files.read)
    result.update(tree_size=size, root=root.hex(), note=note)
    said = "all %d entries of %s; the data is not in tiles" % (size, origin)
    return said if keys else said + sv.WHOSE


VERBS = {"tiles": sv.Verb(verify_tiles, "dir", "--checkpoint")}

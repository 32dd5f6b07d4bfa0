"""What outsiders have of a log beside exports and proofs: directories of tiles (c2sp.org/tlog-tiles), and cosignatures of witnesses
(c2sp.org/tlog-cosignature), counted by a policy (c2sp.org/tlog-policy). The verb `tiles` and the option --policy of sealstream_verify.py.

Like that, it is written from the specifications alone, for Python >= 3.9 with nothing installed.
"""
import pathlib
import re

import sealstream_verify as sv

# ---- Cosignatures: signature type 4, a POSIX time of eight bytes and an Ed25519 signature.
def read_cosigner(vkey):
    """The (name, id, public key) of a note verifier key for Ed25519 cosignatures."""
    name, ident, rest = (vkey.split("+", 2) + ["", ""])[:3]
    raw = sv.unbase64(rest)
    sv.check(sv.KEY_NAME(name) and raw[:1] == b"\x04" and sv.good_key(raw[1:]), "not a cosigner's verifier key for Ed25519")
    sv.check(sv.sha256(name.encode(), b"\n", raw)[:4].hex() == ident, "the id in a verifier key is not the key's")
    return name, bytes.fromhex(ident), raw[1:]

def cosigned(note, keys):
    """When each of the keys has cosigned the note, by key. A wrong signature of one of them is an error, others' are passed over."""
    text, blank, lines = note.decode().rpartition("\n\n")
    sv.check(blank and lines.endswith("\n"), "not a signed note")
    times = {}
    for line in lines[:-1].split("\n"):
        dash, name, signature = (line.split(" ", 2) + ["", ""])[:3]
        sv.check(dash == "\u2014" and sv.KEY_NAME(name), "a signature line is malformed")
        raw = sv.unbase64(signature)
        for key in [key for key in keys if key[:2] == (name, raw[:4]) and key not in times]:
            at = int.from_bytes(raw[4:12], "big")
            message = ("cosignature/v1\ntime %d\n%s\n" % (at, text)).encode()
            sv.check(len(raw) == 76 and at < 2**63 and sv.signed(key[2], message, raw[12:]), "the cosignature of %s is wrong" % name)
            times[key] = at
    return times

# ---- Policies.
def read_policy(raw):
    """The logs' keys, the witnesses' keys by name, the groups by name as (needed, members), and the quorum's name."""
    sv.check(not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", raw), "a control character in the policy")
    logs, witnesses, groups, used, public, quorum = [], {}, {}, set(), set(), None

    def fresh(key):
        sv.check(key[2] not in public, "the policy has a public key twice")
        public.add(key[2])
        return key
    for line in raw.decode("utf-8", "surrogateescape").split("\n"):
        words = re.findall("[^ \t]+", line)
        if not words or words[0][0] == "#": continue
        verb, args = words[0], words[1:]
        if verb == "log" and len(args) in (1, 2):
            logs.append(fresh(sv.read_key(args[0])))
        elif verb == "witness" and len(args) in (2, 3):
            sv.check(args[0] not in {"none", *witnesses, *groups}, "a name of the policy is taken")
            witnesses[args[0]] = fresh(read_cosigner(args[1]))
        elif verb == "group" and len(args) >= 3:
            name, need, members = args[0], args[1], args[2:]
            sv.check(name not in {"none", *witnesses, *groups}, "a name of the policy is taken")
            sv.check(all(m in witnesses or m in groups for m in members), "a member of a group is not defined before")
            sv.check(len({*members}) == len(members) and not used & {*members}, "a member is in a group already")
            used.update(members)
            need = {"all": str(len(members)), "any": "1"}.get(need, need)
            sv.check(re.fullmatch("[1-9][0-9]*", need) and int(need) <= len(members), "a group needs none, or more than it has")
            groups[name] = int(need), members
        elif verb == "quorum" and len(args) == 1:
            sv.check(quorum is None and (args[0] == "none" or args[0] in witnesses or args[0] in groups), "the quorum is not defined before, or twice")
            quorum = args[0]
        else:
            sv.check(False, "a line of the policy is malformed: " + ascii(line))
    sv.check(quorum is not None, "the policy has no quorum")
    return logs, witnesses, groups, quorum

def met(name, witnesses, groups, times):
    if name in groups:
        need, members = groups[name]
        return sum(met(member, witnesses, groups, times) for member in members) >= need
    return name == "none" or witnesses[name] in times

def witnessed(note, policy):
    """What to say of a checkpoint whose log signature was checked, once enough witnesses have cosigned it."""
    _, witnesses, groups, quorum = read_policy(policy)
    times = cosigned(note, witnesses.values())
    names = ", ".join(sorted(name for name in witnesses if witnesses[name] in times)) or "nobody"
    sv.check(met(quorum, witnesses, groups, times), "cosigned by %s, which is not enough for the quorum %s" % (names, quorum))
    return "; cosigned by " + names

# ---- Tiles: 256 hashes, or entries, in a full one; the last of a row is partial.
def tile_path(level, number, width):
    groups = ["%03d" % (number // 1000**i % 1000) for i in range(max(1, (len(str(number)) + 2) // 3))]
    path = "/".join(["tile", str(level), *("x" + group for group in groups[:0:-1]), groups[0]])
    return path if width == 256 else "%s.p/%d" % (path, width)

class Tiles:
    """The files of a directory; partial ones that are smaller than need be are compared too."""
    def __init__(self, directory): self.directory, self.read = pathlib.Path(directory), 0
    def get(self, level, number, width):
        path = self.directory / tile_path(level, number, width)
        sv.check(path.is_file(), "%s is missing" % path)
        self.read += 1
        return path.read_bytes()
    def smaller(self, level, number, width, whole, cut):
        """Holds the smaller partial tiles beside a tile to its beginning."""
        folder = (self.directory / tile_path(level, number, 256)).with_name("%03d.p" % (number % 1000))
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            sv.check(re.fullmatch("[1-9][0-9]{0,2}", path.name), "%s is no partial tile" % path)
            if int(path.name) < width:
                self.read += 1
                sv.check(path.read_bytes() == cut(whole, int(path.name)), "%s is not the begin of the tile" % path)

def cut_bundle(raw, width):
    """The first entries of a bundle, and where they end."""
    entries, at = [], 0
    for _ in range(width):
        size = int.from_bytes(raw[at:at + 2], "big")
        sv.check(len(raw) >= at + 2 + size, "a bundle of entries is too short")
        entries.append(raw[at + 2:at + 2 + size])
        at += 2 + size
    return entries, at

def verify_tiles(args, result):
    """a directory of tiles (c2sp.org/tlog-tiles)"""
    files, keys = Tiles(args.dir), args.keys
    note = (files.directory / "checkpoint").read_bytes()
    result["first_bad_index"] = 0
    if not keys:
        size = int(note.decode().split("\n")[1])
        first = cut_bundle(files.get("entries", 0, min(size, 256)), 1)[0][0]
        keys = [sv.read_key(key) for key in sv.parse(first)["detail"]["keys"]]
    others = [(path, *sv.read_checkpoint(path.read_bytes(), keys, result)) for path in args.checkpoint]
    origin, size, root = head = sv.read_checkpoint(note, keys, result)
    export, rows, done, roots = sv.Export(True, head, keys, result), [], [], {0: sv.sha256()}

    def compare(level):
        """Holds a row to its tile. A full one is a hash of the level above."""
        row, number = rows[level], done[level]
        raw = files.get(level, number, len(row))
        at = next((i for i, digest in enumerate(row) if raw[32 * i:32 * i + 32] != digest), len(row) - 1)
        result["first_bad_index"] = (number * 256 + at) * 256**level
        sv.check(raw == b"".join(row), "a tile of level %d is not made of the entries" % level)
        result["first_bad_index"] = number * 256**(level + 1)
        files.smaller(level, number, len(row), raw, lambda whole, width: whole[:32 * width])
        if len(row) == 256:
            rows[level], done[level], top = [], number + 1, []
            for i, digest in enumerate(row): sv.append(top, i, digest)
            push(level + 1, sv.fold(top))
            if len(rows[level + 1]) == 256: compare(level + 1)

    def push(level, digest):
        if len(rows) == level:
            rows.append([])
            done.append(0)
        rows[level].append(digest)

    for first in range(0, size, 256):
        width = min(256, size - first)
        result["first_bad_index"] = first
        raw = files.get("entries", first // 256, width)
        entries, end = cut_bundle(raw, width)
        sv.check(end == len(raw), "a bundle of entries is too long")
        for entry in entries: push(0, sv.leaf_hash(entry))
        compare(0)  # before the chain: it names the entry that was altered
        result["first_bad_index"] = first
        files.smaller("entries", first // 256, width, raw, lambda whole, few: whole[:cut_bundle(whole, few)[1]])
        for entry in entries:
            result["first_bad_index"] = export.found[0]
            export.take(sv.ENCODER.encode({"leaf": entry.decode()}).encode())
            roots.update({other[2]: sv.fold(export.roots) for other in others if other[2] == export.found[0]})
    for level in range(1, len(rows)):
        if rows[level]: compare(level)
    result["first_bad_index"] = max(size - 1, 0)
    sv.check(size and sv.fold(export.roots) == root, "the root of the entries is not the checkpoint's")
    in_force = [key for key in map(sv.read_key, export.named) if key in keys]
    result["first_bad_index"] = 0
    sv.check(in_force and sv.open_note(note, in_force)[1], "not signed by a given key that the newest config names")
    for path, *other in others:
        result["first_bad_index"] = min(size, other[1])
        sv.check(other[1] <= size, "cut: %s has %d entries, the tiles %d" % (path, other[1], size))
        sv.check((other[0], other[2]) == (origin, roots[other[1]]), "%s is of another log, or tells another history of it" % path)
    result["checked"].update(tiles=files.read)
    result.update(tree_size=size, root=root.hex(), note=note)
    return "all %d entries of %s; the data is not in tiles" % (size, origin) + \
        ("" if args.keys else "; without --key this proves that it is one log, not whose")

"""SEALED messages of a log of rules 4 (SPEC 6, SPEC-rules4 1.3, 4.3 and 6), for make.py. Each EVENTS message is a batch."""
import base64
import json

import ed25519
import logs
import rules
import seal

SEED = bytes([7] * 32)


def node(left, right):
    return rules.sha256(b"\1" + left + right)


def frontier(hashes):
    """The roots of the perfect subtrees of a tree, largest first."""
    roots = []
    for size, root in enumerate(hashes):
        while size % 2:
            root, size = node(roots.pop(), root), size // 2
        roots.append(root)
    return roots


def root_of(roots):
    root = roots[-1]
    for left in reversed(roots[:-1]):
        root = node(left, root)
    return root


def checkpoint(log, size, root):
    text = "%s\n%d\n%s\n" % (log.origin, size, base64.b64encode(root).decode())
    ident = bytes.fromhex(log.vkey.split("+")[1])
    signature = base64.b64encode(ident + ed25519.sign(SEED, text.encode())).decode()
    return "%s\n\u2014 %s %s\n" % (text, log.origin, signature)


def digest(message):
    """SPEC 4. The messages of the vectors have no headers."""
    return rules.sha256(rules.lp(message["subject"]) + rules.lp(message["body"]))


def batches(log):
    """The SEALED messages of a log, as (headers, body)."""
    leaves, out, payloads, config = list(map(json.loads, log.leaves)), [], 0, {"index": 0, "detail": {}}
    for message in log.messages:
        mine = [leaf for leaf in leaves if leaf["input_seq"] == message["seq"]]
        size = mine[-1]["index"] + 1
        roots = frontier([rules.sha256(b"\0" + text.encode()) for text in log.leaves[:size]])
        payloads += any(leaf["index"] in log.records for leaf in mine)
        config = next((leaf for leaf in reversed(mine) if leaf["event_type"] == "sealstream.config"), config)
        keyed = config["detail"]["rules"] >= 4
        headers = {
            "Version": "1", "First": mine[0]["index"], "Count": len(mine), "Input": "1 %d end" % message["seq"],
            "Input-Digest": rules.input_digest(log.secret, digest(message)) if keyed else digest(message).hex(),
            "Input-Time": message["time"], "Size": size, "Root": root_of(roots).hex(),
            "Frontier": ",".join(root.hex() for root in roots),
            "Checkpoint": base64.b64encode(checkpoint(log, size, root_of(roots)).encode()).decode(), "Payloads": payloads,
            "Config": config["index"], "Key": 0}
        body = "".join(log.leaves[leaf["index"]] + "\n" for leaf in mine)
        out.append(({"Sealstream-" + name: str(value) for name, value in headers.items()}, body))
    return out


def log():
    log = seal.Log()
    log.configure(3)
    log.send(logs.event("k-1", data={"a": 1}))
    log.configure(4)
    log.send(logs.event("k-2"))
    log.send(logs.event("k-3", dssematerial="e30="))
    log.serve("query", "access", {"role": "query", "process": "query-1"}, "rules: 1\n")
    log.serve("query", "read", logs.read(log), publisher="ann")
    return log


def cases():
    sealed = log()
    good = batches(sealed)
    out = []

    def case(name, at, **headers):
        """The messages up to one, which has other headers."""
        messages = [{"headers": sorted(map(list, head.items())), "body": body, "verdict": "good"} for head, body in good[:at + 1]]
        if headers:
            first = int(good[at][0]["Sealstream-First"])
            head = {**good[at][0], **{"Sealstream-" + name.replace("_", "-"): value for name, value in headers.items()}}
            messages[at].update(headers=sorted(map(list, head.items())), verdict="bad", first_bad_index=first)
        out.append({"name": name, "messages": messages})

    case("good", len(good) - 1)
    out[0]["events"] = sealed.messages
    case("a key entry, though there are no verdicts", 3, Key="1")
    case("a record without data, and no payloads of the batch", 4, Payloads="1")
    case("no record, and payloads of the batch", 3, Payloads="2")
    case("the config before the newest", 3, Config="0")
    return {"vkeys": [sealed.vkey], "cases": out}

"""Ed25519 as RFC 8032 section 5.1 defines it, with the rule of acceptance of SPEC-rules4 6.

For test vectors only: it is slow, and its running time depends on the secret key.
"""
import functools
import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)  # of -1
NEUTRAL = (0, 1, 1, 0)  # x, y, z, x*y


def add(a, b):
    """The sum of two points, in extended coordinates."""
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    return ((f - e) * (h - g) % P, (h + g) * (f + e) % P, (h - g) * (h + g) % P, (f - e) * (f + e) % P)


def times(n, point):
    total = NEUTRAL
    while n:
        if n & 1:
            total = add(total, point)
        point = add(point, point)
        n >>= 1
    return total


def negate(point):
    return (-point[0] % P, point[1], point[2], -point[3] % P)


def encode(point):
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(raw):
    """The point of an encoding, or None. Only the canonical encoding of a point is one."""
    number = int.from_bytes(raw, "little")
    y, sign = number % 2**255, number >> 255
    if len(raw) != 32 or y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT % P
    if x * x % P != square or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def torsion():
    """The eight points whose order divides 8."""
    for y in range(2, 100):
        point = decode(y.to_bytes(32, "little"))
        if point:
            point = times(L, point)
            if encode(times(4, point)) != encode(NEUTRAL):
                return [times(n, point) for n in range(8)]
    raise ArithmeticError("no point of order 8 found")


SMALL = [encode(point) for point in torsion()]


@functools.lru_cache(None)
def acceptable(key):
    """Whether 32 bytes are a key that may sign (6.1)."""
    return decode(key) is not None and key not in SMALL


def expand(seed):
    h = hashlib.sha512(seed).digest()
    return int.from_bytes(h[:32], "little") & (2**254 - 8) | 2**254, h[32:]


@functools.lru_cache(None)
def public_key(seed):
    return encode(times(expand(seed)[0], BASE))


def challenge(r, key, message):
    return int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L


@functools.lru_cache(None)
def sign(seed, message):
    secret, prefix = expand(seed)
    key = public_key(seed)
    nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % L
    r = encode(times(nonce, BASE))
    return r + ((nonce + challenge(r, key, message) * secret) % L).to_bytes(32, "little")


@functools.lru_cache(None)
def verify(key, message, signature):
    """Whether the signature is valid by 6.2: no cofactor, S < L, no small order."""
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or not acceptable(key) or s >= L or r in SMALL:
        return False
    back = times(challenge(r, key, message), negate(decode(key)))
    return encode(add(times(s, BASE), back)) == r


# RFC 8032 section 7.1, tests 1 to 3: seed, public key, message, signature.
RFC8032 = [
    ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
     "d25bf5f0595bbe24655141438e7a100b"),
    ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
     "387b2eaeb4302aeeb00d291612bb0c00"),
    ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
     "4a7c15e9716ed28dc027beceea1ec40a"),
]


def check():
    """Raises an error unless this module agrees with RFC 8032."""
    for seed, key, message, signature in RFC8032:
        seed, key, message, signature = map(bytes.fromhex, (seed, key, message, signature))
        if public_key(seed) != key or sign(seed, message) != signature or not verify(key, message, signature):
            raise ArithmeticError("RFC 8032 gives something else")
    if len(set(SMALL)) != 8:
        raise ArithmeticError("not 8 points of small order")

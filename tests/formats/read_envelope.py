"""A second reader of envelope format 1, written from docs/formats/envelope.md alone.

Usage: python tests/formats/read_envelope.py docs/formats/vectors/envelope-1.json

It shares nothing with the server: AES, CMAC, HMAC and GCM come from the package `cryptography`, the rest is here.
It opens every good vector and seals it again to the same bytes, refuses every bad one for the stated reason, checks
its own XAES-256-GCM against the published vectors, prints `N passed, M failed` and exits with 1 if M is not 0.
"""

import hashlib
import hmac
import json
import re
import struct
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION, SUITE = 1, 1
MAX_HINT, MAX_PLAINTEXT, MAX_KEYSPACE, MAX_ROW_KEY, MAX_SCOPE = 64, 1024 * 1024, 64, 256, 256
GEOGRAPHY = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")


class Refused(Exception):
    """The reason is one of the words of the document."""


def xaes_key(key, nonce):
    """C2SP XAES-256-GCM: a key per nonce, by CMAC in counter mode (NIST SP 800-108r1)."""
    derived = b""
    for counter in (1, 2):
        mac = CMAC(algorithms.AES(key))
        mac.update(bytes([0, counter]) + b"X\0" + nonce[:12])
        derived += mac.finalize()
    return derived


def xaes_seal(key, nonce, plaintext, aad):
    return AESGCM(xaes_key(key, nonce)).encrypt(nonce[12:], plaintext, aad)


def xaes_open(key, nonce, ciphertext_and_tag, aad):
    return AESGCM(xaes_key(key, nonce)).decrypt(nonce[12:], ciphertext_and_tag, aad)


def derive(key, info):
    return HKDF(hashes.SHA256(), 32, b"chancery envelope 1", info).derive(key)


def associated_data(head, place):
    if len(place["keyspace"]) > MAX_KEYSPACE or len(place["row_key"]) > MAX_ROW_KEY or len(place["scope"]) > MAX_SCOPE:
        raise Refused("refused")
    parts = [head, place["geography"], place["resource"], place["keyspace"], place["row_key"], place["scope"]]
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def split(sealed):
    """Cuts an envelope into (generation, head, hint, nonce, commitment, ciphertext and tag)."""
    if len(sealed) < 1:
        raise Refused("malformed")
    if sealed[0] != VERSION:
        raise Refused("version")
    if len(sealed) < 2:
        raise Refused("malformed")
    if sealed[1] != SUITE:
        raise Refused("suite")
    if len(sealed) < 7 or sealed[6] > MAX_HINT:
        raise Refused("malformed")
    end = 7 + sealed[6]
    if len(sealed) < end + 24 + 32 + 16 or len(sealed) > end + 24 + 32 + 16 + MAX_PLAINTEXT:
        raise Refused("malformed")
    (generation,) = struct.unpack(">I", sealed[2:6])
    head, nonce = sealed[:end], sealed[end : end + 24]
    return generation, head, sealed[7:end], nonce, sealed[end + 24 : end + 56], sealed[end + 56 :]


def open_envelope(key, generation, place, sealed):
    written, head, hint, nonce, commitment, rest = split(sealed)
    if written != generation:
        raise Refused("generation")
    if not hmac.compare_digest(commitment, derive(key, b"commitment")):
        raise Refused("key")
    try:
        return hint, xaes_open(derive(key, b"xaes-256-gcm"), nonce, rest, associated_data(head, place))
    except InvalidTag:
        raise Refused("refused") from None


def seal_envelope(key, generation, place, hint, nonce, plaintext):
    head = bytes([VERSION, SUITE]) + struct.pack(">I", generation) + bytes([len(hint)]) + hint
    rest = xaes_seal(derive(key, b"xaes-256-gcm"), nonce, plaintext, associated_data(head, place))
    return head + nonce + derive(key, b"commitment") + rest


def unwrap(plaintext):
    if len(plaintext) != 37 or plaintext[0] != 1:
        raise Refused("malformed")
    return struct.unpack(">I", plaintext[1:5])[0], plaintext[5:]


def of(vector):
    place = {name: bytes.fromhex(vector[name]) for name in ("resource", "row_key", "scope")}
    assert GEOGRAPHY.fullmatch(vector["geography"])
    place |= {name: vector[name].encode() for name in ("geography", "keyspace")}
    return bytes.fromhex(vector["key"]), vector["generation"], place, bytes.fromhex(vector["sealed"])


def good(vector):
    key, generation, place, sealed = of(vector)
    hint, plaintext = open_envelope(key, generation, place, sealed)
    assert hint.hex() == vector["hint"], "another hint"
    assert plaintext.hex() == vector["plaintext"], "another plaintext"
    assert seal_envelope(key, generation, place, hint, split(sealed)[3], plaintext) == sealed, "seals otherwise"
    if vector.get("unwrap"):
        inner_generation, inner = unwrap(plaintext)
        assert inner.hex() == vector["wrapped"]["key"], "another wrapped key"
        assert inner_generation == vector["wrapped"]["generation"], "another wrapped generation"


def bad(vector):
    key, generation, place, sealed = of(vector)
    try:
        _, plaintext = open_envelope(key, generation, place, sealed)
        if vector.get("unwrap"):
            unwrap(plaintext)
    except Refused as refused:
        assert str(refused) == vector["reason"], f"refused as {refused}, not {vector['reason']}"
    else:
        raise AssertionError("opened")


def too_long(_):
    """Past the limit by one byte; too big for the file."""
    sealed = bytes([1, 1, 0, 0, 0, 1, 0]) + bytes(24 + 32 + 16 + MAX_PLAINTEXT + 1)
    try:
        split(sealed)
    except Refused as refused:
        assert str(refused) == "malformed"
    else:
        raise AssertionError("accepted")
    assert split(sealed[:-1])[0] == 1, "refused at the limit"


def xaes_examples(_):
    nonce = b"ABCDEFGHIJKLMNOPQRSTUVWX"
    for key, aad, expected in (
        (1, b"", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
        (3, b"c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
    ):
        assert xaes_seal(bytes([key]) * 32, nonce, b"XAES-256-GCM", aad).hex() == expected


def xaes_accumulated(_):
    stream, at, outputs = hashlib.shake_128().digest(10_000 * (32 + 24 + 1 + 255 + 1 + 255)), 0, hashlib.shake_128()

    def take(count):
        nonlocal at
        at += count
        return stream[at - count : at]

    for _ in range(10_000):
        key, nonce = take(32), take(24)
        plaintext = take(take(1)[0])
        aad = take(take(1)[0])
        outputs.update(xaes_seal(key, nonce, plaintext, aad))
    assert outputs.hexdigest(32) == "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"


def main(path):
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    cases = [(good, vector["name"], vector) for vector in vectors["good"]]
    cases += [(bad, vector["name"], vector) for vector in vectors["bad"]]
    cases += [(test, test.__name__, None) for test in (too_long, xaes_examples, xaes_accumulated)]
    failed = 0
    if len(vectors["good"]) < 12 or len(vectors["bad"]) < 25:
        print("FAILED: the file holds too few vectors")
        failed += 1
    for test, name, vector in cases:
        try:
            test(vector)
        except (AssertionError, Refused, ValueError) as error:
            failed += 1
            print(f"FAILED {test.__name__}: {name}: {error!r}")
    print(f"{len(cases) - min(failed, len(cases))} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))

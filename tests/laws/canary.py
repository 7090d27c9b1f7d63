#!/usr/bin/env python3
"""Laws 1 and 2 against the real binary: plants canaries everywhere, then searches every byte at rest.

Law 1: content never touches disk unsealed. Law 2: a byte at rest stays in its geography.
usage: canary.py --server BINARY [--postgres]     (with --postgres inside scripts/with-postgres)
"""

import argparse
import base64
import contextlib
import io
import os
import pathlib
import re
import secrets
import sqlite3
import string
import sys
import tempfile

import scan
import servers
from acs import Resource
from outward import Outward
from peers import Peers
from traffic import Canaries, Traffic

HOME, ABROAD = "europe", "unitedstates"
# Lengths of messages that are sent in one geography only, so that their sealed values are known by length alone.
LENGTHS = {HOME: (5_003, 7_019, 9_041), ABROAD: (6_007, 8_053, 10_061)}
# The shortest sealed record (docs/formats/envelope.md).
ENVELOPE = 79
failures = []


def check(condition, text):
    """Notes a breach and goes on, so that one run shows all of them."""
    if not condition:
        failures.append(text)
        print(f"  BREACH: {text}")


def new_mark() -> str:
    """Sixteen letters and digits that occur nowhere by chance."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(16))


def self_check():
    """The scanner finds what is there: every form, at every alignment, also across the border of two chunks."""
    mark = new_mark()
    forms = scan.forms(mark.encode())
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "file")
        path.write_bytes(os.urandom(100_000))
        assert scan.search(folder, forms) == [], "found what is not there"
        for name, form in forms.items():
            for padding in (0, 1, scan.CHUNK - 5) if name in ("plain", "utf-16le", "base64 at 1") else (0, 1):
                path.write_bytes(b"\0" * padding + form + b"\0")
                hits = {hit for _, hit in scan.search(folder, forms)}
                assert name in hits or form in {forms[hit] for hit in hits}, f"{name} was not found"
        for text in (f"ab{mark}cd", f"b{mark}", f"{mark}yz"):
            path.write_bytes(b"{" + base64.b64encode(text.encode()) + b"}")
            assert scan.search(folder, forms), f"base64 of {text} was not found"
        path.unlink()
        pathlib.Path(folder, mark).touch()
        assert scan.search(folder, forms), "a file name was not searched"
        sixteen = os.urandom(16)
        for form in scan.id_forms(sixteen).values():
            path.write_bytes(b"\0" + form)
            assert scan.search(folder, scan.id_forms(sixteen)), "an identifier was not found"


def sixteen_bytes(text: str) -> list:
    """The identifiers inside an ACS identifier: `8:acs:<resource>_<user>` or `19:<hex>@thread.v2`."""
    found = re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}", text)
    return [bytes.fromhex(part.replace("-", "")) for part in found]


def law_1_no_content_at_rest(server, canary, secrets_of, when):
    """No canary, in any form, anywhere at rest; no number of a person; no access key and no token either."""
    forms = scan.forms(canary.mark.encode())
    for at, number in enumerate(canary.numbers):
        digits = number.lstrip("+").encode()
        forms |= {f"number {at}, {name}": form for name, form in scan.forms(digits).items()}
    for place, folder in server.places():
        for path, form in scan.search(folder, forms):
            check(False, f"{when}: content, {form}, in {place}: {path}")
        for kind, secret, allowed in secrets_of:
            if place in allowed:
                continue
            for path, form in scan.search(folder, {"plain": secret}):
                check(False, f"{when}: {kind}, {form}, in {place}: {path}")
    scanned = sum(scan.total(folder) for _, folder in server.places())
    # A database may compress what it stores; its rows as it gives them back are searched as well.
    rows = [row for geography in (HOME, ABROAD) for row in server.rows(geography)]
    for form in scan.search_bytes(b"\0".join(part for row in rows for part in row), forms):
        check(False, f"{when}: content, {form}, in a row")
    for _, value in rows:
        check(len(value) >= ENVELOPE and value[:2] == b"\1\1", f"{when}: a value that is no envelope of format 1")
    print(
        f"  law 1, {when}: {len(canary.planted)} canaries, {scanned:,} bytes and {len(rows)} rows searched "
        f"in {len(forms)} forms, {len(canary.numbers)} of numbers of people"
    )


def law_2_bytes_stay_in_their_geography(server, traffic):
    """Nothing of one geography, sealed or not, by identifier, value, length or key, in the files of another."""
    for here, there in ((HOME, ABROAD), (ABROAD, HOME)):
        ids = {i for text in traffic[here].named() for i in sixteen_bytes(text)}
        check(len(ids) >= 10, f"only {len(ids)} identifiers are known of {here}")
        patterns = {f"{i.hex()}, {name}": form for i in ids for name, form in scan.id_forms(i).items()}
        for folder in server.cell(there):
            for path, form in scan.search(folder, patterns):
                check(False, f"an identifier of {here} ({form}) in {there}: {path}")
        inner = {i for text in traffic[here].users for i in sixteen_bytes(text)[1:]}
        inner |= {i for text in traffic[here].threads + traffic[here].ids for i in sixteen_bytes(text)}
        patterns = {f"{i.hex()}, {name}": form for i in inner for name, form in scan.id_forms(i).items()}
        for path in server.outside_cells():
            with open(path, "rb") as file:
                for form in scan.search_bytes(file.read(), patterns):
                    check(False, f"an identifier of {here} ({form}) outside the cells: {path}")
        rows, others = server.rows(here), server.rows(there)
        check(len(rows) > 30 and len(others) > 30, f"only {len(rows)} and {len(others)} rows were found to compare")
        known = {bytes(part) for key, value in others for part in (key, value)}
        foreign = b"".join(pathlib.Path(p).read_bytes() for folder in server.cell(there) for p in scan.files(folder))
        long = {len(value) for _, value in rows if len(value) > min(LENGTHS[HOME])}
        check(len(long) >= len(LENGTHS[here]), f"the long messages of {here} are not among its rows")
        check(not long & {len(value) for _, value in others}, f"values of {there} have lengths only {here} has")
        for key, value in rows:
            check(value not in known and value[-40:] not in foreign, f"a sealed value of {here} is in {there}")
            # A key of zeroes names the cell itself, whichever it is.
            check(len(key.strip(b"\0")) < 16 or key not in known, f"a key of {here} is in {there}")
        print(f"  law 2: {len(rows)} rows and {len(ids)} identifiers of {here} compared with {there}")


def a_breach_would_be_found(server, canary, traffic):
    """Breaks both laws on purpose, in files of its own among the searched ones, and wants to hear of it."""

    def law_1():
        law_1_no_content_at_rest(server, canary, [], "leaking")

    def law_2():
        law_2_bytes_stay_in_their_geography(server, traffic)

    user = sixteen_bytes(traffic[HOME].users[0])[1]
    leaks = [
        (server.cell(HOME)[0], f"x{canary.mark}x".encode("utf-16le"), law_1),
        (server.cell(ABROAD)[0], user, law_2),
        (str(server.data), user.hex().encode(), law_2),
    ]
    real = list(failures)
    for folder, leak, law in leaks:
        failures.clear()
        path = pathlib.Path(folder, "leak")
        path.write_bytes(leak)
        with contextlib.redirect_stdout(io.StringIO()):
            law()
        found = any(str(path) in each for each in failures)
        path.unlink()
        failures[:] = real
        check(found, f"a leak in {folder} was not found")
    print(f"  {len(leaks)} leaks made on purpose were found")


def run(server_class, arguments):
    """The whole scenario on one kind of server."""
    canary = Canaries(new_mark())
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="canary-"))
        peers = stack.enter_context(Peers())
        server = stack.enter_context(server_class(arguments, folder, [("home", HOME), ("abroad", ABROAD)], peers))
        traffic = {}
        for geography, connection_string in server.connection_strings.items():
            resource = Resource(connection_string, server.ca_file, geography)
            resource.operator_token = server.operator_token
            outward = Outward(resource, canary, server, peers)
            traffic[geography] = Traffic(resource, canary, outward, LENGTHS[geography])
            traffic[geography].run()
        for each in traffic.values():
            each.outward.waiting()
            canary.numbers += each.outward.numbers
        watched = []
        for each in traffic.values():
            key = each.resource.access_key
            watched.append(("an access key", key.encode(), ("standard output",)))
            watched.append(("an access key, raw", base64.b64decode(key), ()))
            watched += [("a user token", token.rsplit(".", 1)[1].encode(), ()) for token in each.tokens]
        law_1_no_content_at_rest(server, canary, watched, "running")
        check(server.forbids_core_dumps(), "a crash would leave a core dump, keys and content in it")
        server.checkpoint()
        law_1_no_content_at_rest(server, canary, watched, "after a checkpoint")
        server.stop()
        law_1_no_content_at_rest(server, canary, watched, "stopped")
        law_2_bytes_stay_in_their_geography(server, traffic)
        a_breach_would_be_found(server, canary, traffic)


def main():
    """Runs both laws; exits with 1 where one is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True, help="the chancery binary")
    parser.add_argument("--postgres", action="store_true", help="store in the PostgreSQL of CHANCERY_TEST_POSTGRES")
    arguments = parser.parse_args()
    arguments.server = os.path.abspath(arguments.server)
    self_check()
    print("  the scanner finds every form of a mark")
    assert sqlite3.sqlite_version_info >= (3, 9)
    run(servers.Postgres if arguments.postgres else servers.Sqlite, arguments)
    print(f"{len(failures)} breaches")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

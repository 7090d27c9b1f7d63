#!/usr/bin/env python3
"""Law 5 against the real binary: what was deleted cannot be opened with any key that is left, not even from a backup of the
content taken before; and its sealed bytes leave the files.

Reads the files as an auditor would: with the root key, the database, and a reader of envelopes that shares nothing with the
server (tests/formats/read_envelope.py).
usage: shred.py --server BINARY [--engine sqlite|postgres]; for postgres within scripts/with-postgres
"""

import argparse
import contextlib
import os
import pathlib
import secrets
import sqlite3
import string
import struct
import subprocess
import sys
import tempfile
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "formats"))

import read_envelope as envelope
import scan
import servers
from acs import IDENTITY, SMS, Resource, escaped
from peers import Peers

GEOGRAPHY = "europe"
# Rows of these hold keys; a backup of content has none of them (docs/formats/store.md).
KEYS = ("resource_key", "scope_key")
# Within this time the bytes of what was deleted have left the files (docs/security.md).
BOUND_SECONDS = 60
failures = []


def check(condition, text):
    """Notes a breach and goes on, so that one run shows all of them."""
    if not condition:
        failures.append(text)
        print(f"  BREACH: {text}")


class Auditor:
    """Who has the files of a cell and its root key."""

    def __init__(self, server):
        self.folder = pathlib.Path(server.cell(GEOGRAPHY)[0])
        (self.database,) = server.databases(GEOGRAPHY)

    def root(self):
        """The root key."""
        return (self.folder / "root.key").read_bytes()

    def rows(self):
        """(keyspace, resource, key, sealed value) of every row."""
        database = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        tables = database.execute("select name from sqlite_master where type = 'table' and name like 'ks_%'").fetchall()
        found = []
        for (table,) in tables:
            query = f'select uuid, key, value from "{table}" join resource on resource.id = "{table}".resource'
            found += [(table.removeprefix("ks_"), *map(bytes, row)) for row in database.execute(query)]
        database.close()
        return found

    def content(self):
        """The rows that a backup of content holds."""
        return [row for row in self.rows() if row[0] not in KEYS]

    def keys(self):
        """Every key that can be had from the files: {(resource, commitment): (generation, key, scope)}."""
        root = self.root()
        rows, resources, found = self.rows(), {}, {}
        for keyspace, resource, key, sealed in rows:
            if keyspace == "resource_key":
                place = self.place(resource, "kms-local", key, b"root")
                generation, own = envelope.unwrap(envelope.open_envelope(root, 1, place, sealed)[1])
                resources[resource, generation] = own
                found[resource, envelope.derive(own, b"commitment")] = (generation, own, b"")
        for keyspace, resource, key, sealed in rows:
            if keyspace == "scope_key":
                (generation,) = struct.unpack(">I", sealed[2:6])
                place = self.place(resource, "scope_key", key, b"")
                opened = envelope.open_envelope(resources[resource, generation], generation, place, sealed)[1]
                generation, own = envelope.unwrap(opened)
                found[resource, envelope.derive(own, b"commitment")] = (generation, own, key)
        return found

    @staticmethod
    def place(resource, keyspace, key, scope):
        return {
            "geography": GEOGRAPHY.encode(),
            "resource": resource,
            "keyspace": keyspace.encode(),
            "row_key": key,
            "scope": scope,
        }

    def open(self, rows, keys):
        """(row, plaintext) of each row that opens with one of the keys."""
        opened = []
        for keyspace, resource, key, sealed in rows:
            known = keys.get((resource, envelope.split(sealed)[4]))
            if known is None:
                continue
            generation, own, scope = known
            place = self.place(resource, keyspace, key, scope)
            opened.append(((keyspace, resource, key, sealed), envelope.open_envelope(own, generation, place, sealed)[1]))
        return opened


class PostgresAuditor(Auditor):
    """The same over PostgreSQL."""

    def __init__(self, server):
        self.server = server

    def root(self):
        return (self.server.data / "cells" / GEOGRAPHY / "root.key").read_bytes()

    def rows(self):
        database = self.server.database(GEOGRAPHY)
        names = self.server.psql("select tablename from pg_tables where tablename like 'ks\\_%'", database).split()
        found = []
        for table in names:
            query = f"select resource::text, encode(key, 'hex'), encode(value, 'hex') from {table}"
            for line in self.server.psql(query, database).splitlines():
                resource, key, value = line.split("|")
                row = (uuid.UUID(resource).bytes, bytes.fromhex(key), bytes.fromhex(value))
                found.append((table.removeprefix("ks_"), *row))
        return found


class Marks:
    """Words to be found again, each in one place only."""

    def __init__(self):
        self.of = {}

    def __call__(self, place: str) -> str:
        letters = string.ascii_lowercase + string.digits
        self.of[place] = "".join(secrets.choice(letters) for _ in range(20))
        return self.of[place]

    def seen(self, opened) -> set:
        """The places whose word stands in what was opened."""
        text = b"\0".join(plain for _, plain in opened)
        return {place for place, mark in self.of.items() if mark.encode() in text}


class Scenario:
    """Content that is to go, beside content that is to stay."""

    def __init__(self, resource: Resource, marks: Marks):
        self.resource, self.marks = resource, marks
        self.name = resource.authority.split(".")[0]

    def plant(self):
        """Two threads, two users."""
        ada, self.gone = self.resource.create_user(), self.resource.create_user()
        self.ada = ada
        self.doomed = self.thread("topic of the deleted thread")
        self.kept = self.thread("topic of the kept thread")
        self.say(ada, self.doomed, "message of the deleted thread")
        self.say(ada, self.kept, "message of the kept thread")
        self.say(self.gone, self.kept, "message of the deleted identity")

    def plant_outward(self):
        """A mail and a text."""
        mail = {
            "senderAddress": f"donotreply@{self.name}.chancery.test",
            "content": {"subject": self.marks("subject of the mail"), "plainText": self.marks("text of the mail")},
            "recipients": {"to": [{"address": "somebody@example.com"}]},
        }
        self.resource.signed("POST", "/emails:send?api-version=2025-09-01", mail, expect=202)
        text = {"from": "CANARY", "smsRecipients": [{"to": "+14255550100"}], "message": self.marks("words of the text")}
        self.resource.signed("POST", f"/sms?api-version={SMS}", text, expect=202)
        self.captured(2)

    def thread(self, place):
        body = {"topic": self.marks(place), "participants": [self.ada.participant(), self.gone.participant()]}
        return self.ada.call("POST", "/chat/threads", body, expect=201)[2]["chatThread"]["id"]

    def say(self, user, thread, place):
        path = f"/chat/threads/{escaped(thread)}/messages"
        user.call("POST", path, {"content": self.marks(place)}, expect=201)

    def captured(self, count):
        deadline = time.monotonic() + 30
        while len(self.resource.operator("GET", f"/operator/resources/{self.name}/outbox", expect=200)["value"]) < count:
            assert time.monotonic() < deadline, "nothing was captured"
            time.sleep(0.05)

    def delete(self):
        """What the law speaks of: the calls return, and it is gone."""
        self.ada.call("DELETE", f"/chat/threads/{escaped(self.doomed)}", expect=204)
        path = f"/identities/{escaped(self.gone.id)}?api-version={IDENTITY}"
        self.resource.signed("DELETE", path, expect=204)

    def delete_outward(self):
        """The mail and the text, where they were captured."""
        self.resource.operator("DELETE", f"/operator/resources/{self.name}/outbox", expect=(200, 204))


def law_5(server, marks):
    """The whole of it."""
    is_sqlite = isinstance(server, servers.Sqlite)
    auditor = Auditor(server) if is_sqlite else PostgresAuditor(server)
    resource = Resource(server.connection_strings[GEOGRAPHY], server.ca_file, GEOGRAPHY)
    resource.operator_token = server.operator_token
    scenario = Scenario(resource, marks)
    scenario.plant()
    if is_sqlite:
        scenario.plant_outward()
    backup, keys = auditor.content(), auditor.keys()
    wrapped = {row[3] for row in auditor.rows() if row[0] == "scope_key"}
    opened = auditor.open(backup, keys)
    check(marks.seen(opened) == set(marks.of), f"the auditor does not find {set(marks.of) - marks.seen(opened)}")
    check(len(opened) == len(backup), "some rows open with no key while nothing was deleted")

    scenario.delete()
    if is_sqlite:
        scenario.delete_outward()
    stays = {place for place in marks.of if "kept" in place}
    left = auditor.keys()
    after = auditor.open(backup, left)
    check(marks.seen(after) == stays, f"opens from the backup after its deletion: {marks.seen(after) - stays}")
    check(marks.seen(auditor.open(auditor.content(), left)) == stays, "opens from the database after its deletion")
    print(f"  {len(backup)} rows of the backup: {len(opened)} opened before, {len(after)} with the {len(left)} keys left")

    told = {place: mark.encode() for place, mark in marks.of.items() if place not in stays}
    doomed = [row[3] for row, plain in opened if any(mark in plain for mark in told.values())]
    check(len(doomed) >= len(told), f"only {len(doomed)} sealed values are known of what was deleted")
    ended = wrapped - {row[3] for row in auditor.rows() if row[0] == "scope_key"}
    check(len(ended) >= 2, f"only {len(ended)} keys of scopes ended")
    doomed += ended
    patterns = {f"sealed value {at}": sealed[-40:] for at, sealed in enumerate(doomed)}
    leave_files(str(server.data), patterns) if is_sqlite else purged(server, auditor, doomed, patterns)


def leave_files(folder, patterns):
    """By themselves, within the bound."""
    began = time.monotonic()
    while hits := scan.search(folder, patterns):
        if time.monotonic() - began > BOUND_SECONDS:
            break
        time.sleep(1)
    check(not hits, f"sealed bytes rest {BOUND_SECONDS} s after their deletion: {hits}")
    print(f"  {len(patterns)} sealed values had left all files after {time.monotonic() - began:.0f} s")


def purged(server, auditor, doomed, patterns):
    """PostgreSQL keeps bytes until it needs their room, or until it is told to write its tables anew."""
    deadline = time.monotonic() + BOUND_SECONDS
    while {row[3] for row in auditor.rows()} & set(doomed):
        assert time.monotonic() < deadline, f"rows are still there {BOUND_SECONDS} s after their deletion"
        time.sleep(1)
    before = scan.search(server.postgres_data, patterns)
    line = [server.arguments.server, "store", "purge", "--config", str(server.folder / "chancery.toml")]
    said = subprocess.run(line, env={**os.environ, **server.urls}, capture_output=True, text=True, check=False)
    check(said.returncode == 0, f"the purge: {said.stdout}{said.stderr}")
    hits = scan.search(server.postgres_data, patterns)
    check(not hits, f"sealed bytes rest after a purge: {hits}")
    print(f"  {len(patterns)} sealed values: {len(before)} found before the purge, {len(hits)} after; {said.stdout.strip()}")


def main():
    """Exits with 1 where the law is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True, help="the chancery binary")
    parser.add_argument("--engine", choices=("sqlite", "postgres"), default="sqlite")
    arguments = parser.parse_args()
    arguments.server = os.path.abspath(arguments.server)
    with tempfile.TemporaryDirectory(prefix="shred-") as folder:
        kind = {"sqlite": servers.Sqlite, "postgres": servers.Postgres}[arguments.engine]
        peers = contextlib.nullcontext() if arguments.engine == "sqlite" else Peers()
        with peers as outside, kind(arguments, folder, [("home", GEOGRAPHY)], outside) as server:
            law_5(server, Marks())
    print(f"{len(failures)} breaches")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

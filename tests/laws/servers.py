"""Starts and stops the real binary on one kind of storage, and knows where its bytes rest."""

import base64
import glob
import json
import os
import pathlib
import re
import resource
import secrets
import signal
import socket
import sqlite3
import ssl
import subprocess
import time
from urllib.parse import quote

START_SECONDS, STOP_SECONDS = 60, 30


def allow_core_dumps():
    """As far as the hard limit goes, so that a server that forbids them itself shows it."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def free_port() -> int:
    """A port of the loopback address that was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def port_of(address: str) -> int:
    """The port of HOST:PORT."""
    return int(address.rsplit(":", 1)[1])


class Server:
    """A running server. Subclasses say how it is started and where each geography's rows are."""

    # Whether what would leave is kept in the development outbox.
    captures = False

    def __init__(self, arguments, folder, resources, peers):
        self.arguments, self.resources, self.peers = arguments, resources, peers
        self.folder = pathlib.Path(folder)
        self.data, self.temporary, self.outputs = (self.folder / name for name in ("data", "tmp", "output"))
        for each in (self.data, self.temporary, self.outputs):
            each.mkdir()
        self.process = None
        self.connection_strings, self.ca_file = {}, None
        self.operator_token, self.doors = None, {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def launch(self, *line, **environment):
        """The binary, with its output and its temporary files where they can be searched."""
        env = {**os.environ, "TMPDIR": str(self.temporary), "RUST_LOG": "trace", "RUST_BACKTRACE": "1", **environment}
        with (self.outputs / "stdout").open("ab") as out, (self.outputs / "stderr").open("ab") as err:
            self.process = subprocess.Popen(
                [self.arguments.server, *line],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=env,
                cwd=self.temporary,
                preexec_fn=allow_core_dumps,
            )

    def forbids_core_dumps(self):
        """Whether the server, started where core dumps are allowed, has switched them off for itself."""
        limits = pathlib.Path(f"/proc/{self.process.pid}/limits").read_text()
        return re.search(r"Max core file size +0 ", limits) is not None

    def wait(self, ready):
        """Waits until `ready()` is true; a server that ends before is an error."""
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = (self.outputs / "stderr").read_text(errors="replace")
                raise RuntimeError(f"the server did not start (exit code {self.process.poll()}):\n{said[-3000:]}")
            time.sleep(0.05)

    def stop(self):
        """SIGTERM; the server must end by itself, with 0."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_SECONDS)
        if code != 0:
            said = (self.outputs / "stderr").read_text(errors="replace")
            raise RuntimeError(f"exit code {code} after SIGTERM:\n{said[-3000:]}")

    def places(self):
        """(name, folder) of everything the server may have written to."""
        return [
            ("the data folder", str(self.data)),
            ("temporary files", str(self.temporary)),
            ("standard output", str(self.outputs)),
        ]

    def outside_cells(self):
        """The files that belong to no geography: the directory, certificates, and what was printed."""
        cells = str(self.data / "cells") + os.sep
        found = []
        for place in (self.data, self.temporary, self.outputs):
            found += [
                p for p in glob.glob(f"{place}/**", recursive=True) if os.path.isfile(p) and not p.startswith(cells)
            ]
        return found


class Sqlite(Server):
    """`chancery dev`: each geography a folder of its own."""

    captures = True

    def start(self):
        """Starts `chancery dev` and reads its ready file."""
        ready = self.folder / "ready.json"
        flags = [flag for name, geography in self.resources for flag in ("--resource", f"{name}:{geography}")]
        self.launch(
            *("dev", "--log", "debug", "--data", str(self.data), "--port", "0", "--ready-file", str(ready)),
            *("--smtp-port", "0", "--bounce-port", "0", *flags),
        )
        self.wait(ready.exists)
        said = json.loads(ready.read_text())
        self.ca_file = said["caFile"]
        self.connection_strings = {each["geography"]: each["connectionString"] for each in said["resources"]}
        self.operator_token = said["adminToken"]
        self.doors = {"submission": port_of(said["smtpSubmission"]), "reports": port_of(said["smtpReports"])}

    def checkpoint(self):
        """Moves what is in the write-ahead logs into the databases, as a second connection may."""
        for path in self.databases():
            with sqlite3.connect(path, timeout=30) as database:
                database.execute("pragma wal_checkpoint(passive)")
            database.close()

    def databases(self, geography="*"):
        """The database files of a geography, or of all."""
        found = glob.glob(str(self.data / "cells" / geography / "*.sqlite"))
        if not found:
            raise RuntimeError(f"there is no database under {self.data}/cells/{geography}")
        return found

    def cell(self, geography):
        """The folders that only this geography may write to."""
        return [str(self.data / "cells" / geography)]

    def rows(self, geography):
        """(key, sealed value) of every row of a geography."""
        found = []
        for path in self.databases(geography):
            database = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)
            tables = database.execute("select name from sqlite_master where type = 'table'").fetchall()
            for (table,) in tables:
                names = [column[1] for column in database.execute(f'pragma table_info("{table}")')]
                if "key" in names and "value" in names:
                    found += database.execute(f'select key, value from "{table}"').fetchall()
            database.close()
        return found


class Postgres(Server):
    """`chancery serve`: each geography a database of its own in the server of scripts/with-postgres."""

    def start(self):
        """Makes a database for each geography, writes a configuration, and starts `chancery serve`."""
        environment = os.environ
        self.connect = dict(part.split("=", 1) for part in environment["CHANCERY_TEST_POSTGRES"].split())
        self.postgres_data = environment["CHANCERY_TEST_POSTGRES_DATA"]
        self.psql_program = os.path.join(environment["CHANCERY_TEST_POSTGRES_BIN"], "psql")
        port = free_port()
        self.doors = {"submission": free_port(), "reports": free_port()}
        self.operator_token = secrets.token_hex(32)
        text = [
            f'[listener]\naddress = "127.0.0.1:{port}"\nself_signed = true\ndata = "{self.data}"\npublic_hosts = ["localhost"]',
            f'[operator]\ntoken = "file:{self.kept("operator", self.operator_token)}"',
            '[events]\nallow = ["127.0.0.0/8"]\nallow_http = true',
            f'[smtp]\nhostname = "localhost"\nreports = "127.0.0.1:{self.doors["reports"]}"\n'
            f'submission = "127.0.0.1:{self.doors["submission"]}"',
        ]
        self.urls = urls = {}
        for name, geography in self.resources:
            self.psql(f"create database {self.database(geography)}")
            urls[f"{geography.upper()}_DB"] = (
                f"postgres://{self.connect['user']}:{self.connect['password']}@127.0.0.1:{self.connect['port']}"
                f"/{self.database(geography)}"
            )
            key = base64.b64encode(secrets.token_bytes(64)).decode()
            key_file = self.kept(f"{name}.key", key)
            (self.data / "cells" / geography).mkdir(parents=True)
            text.append(
                f'[[cell]]\ngeography = "{geography}"\nengine = {{ kind = "postgres", url = "env:{geography.upper()}_DB" }}\n'
                f'kms = {{ kind = "local", path = "{self.data}/cells/{geography}/root.key" }}\n'
                f'[cell.mail]\nhostname = "localhost"\nsmart_host = "127.0.0.1:{self.peers.mail.port}"\ntls = "off"\n'
                f'dns = ["127.0.0.1:{self.peers.names.port}"]'
            )
            text.append(
                f'[[resource]]\nname = "{name}"\ngeography = "{geography}"\naccess_keys = ["file:{key_file}"]\n'
                f'text_senders = ["*", "US:55555"]'
            )
            self.connection_strings[geography] = f"endpoint=https://{name}.localhost:{port}/;accesskey={key}"
        config = self.folder / "chancery.toml"
        config.write_text("\n\n".join(text) + "\n")
        self.launch("serve", "--log", "debug", "--config", str(config), **urls)
        self.ca_file = str(self.data / "ca" / "ca.pem")
        self.wait(lambda: self.is_ready(port))

    def kept(self, name, secret):
        """A file that holds a secret, for its owner alone."""
        path = self.folder / name
        path.write_text(secret)
        path.chmod(0o600)
        return path

    def is_ready(self, port):
        """Whether /health/ready answers 200."""
        if not os.path.exists(self.ca_file):
            return False
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            with context.wrap_socket(
                socket.create_connection(("127.0.0.1", port), 5), server_hostname="localhost"
            ) as tls:
                tls.sendall(
                    f"GET /health/ready HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode()
                )
                return tls.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    @staticmethod
    def database(geography):
        """The name of a geography's database."""
        return f"canary_{geography}"

    def psql(self, command, database="postgres"):
        """The unadorned output of one command."""
        connect = self.connect
        line = [self.psql_program, "-h", connect["host"], "-p", connect["port"], "-U", connect["user"], "-d", database]
        run = subprocess.run(
            [*line, "-qAt", "-v", "ON_ERROR_STOP=1", "-c", command],
            env={**os.environ, "PGPASSWORD": connect["password"]},
            check=True,
            capture_output=True,
            text=True,
        )
        return run.stdout.rstrip("\n")

    def checkpoint(self):
        """Everything in memory into the data files; the write-ahead log stays and is searched too."""
        self.psql("checkpoint")

    def places(self):
        """Besides our own folders, the whole of PostgreSQL's: tables, write-ahead log, its own log."""
        return [*super().places(), ("the PostgreSQL data folder", os.path.dirname(self.postgres_data))]

    def stop(self):
        """The server first, then a checkpoint, so that all it wrote is in the files."""
        super().stop()
        self.checkpoint()

    def cell(self, geography):
        """The folder of the geography's database, and of its root key. The write-ahead log is one for all databases."""
        oid = self.psql(f"select oid from pg_database where datname = '{self.database(geography)}'")
        return [os.path.join(self.postgres_data, "base", oid), str(self.data / "cells" / geography)]

    def rows(self, geography):
        """(key, sealed value) of every row of a geography."""
        database = self.database(geography)
        found = []
        tables = self.psql(
            "select quote_ident(a.table_schema) || '.' || quote_ident(a.table_name) from information_schema.columns a "
            "join information_schema.columns b using (table_schema, table_name) "
            "where a.column_name = 'key' and b.column_name = 'value' and a.data_type = 'bytea' "
            "and a.table_schema not in ('pg_catalog', 'information_schema')",
            database,
        )
        for table in tables.split():
            text = self.psql(f"select encode(key, 'hex') || ' ' || encode(value, 'hex') from {table}", database)
            for line in text.splitlines():
                key, value = re.fullmatch(r"([0-9a-f]*) ([0-9a-f]*)", line).groups()
                found.append((bytes.fromhex(key), bytes.fromhex(value)))
        return found

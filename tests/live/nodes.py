"""Two nodes over one PostgreSQL, each a process of its own that can be killed."""

import argparse
import base64
import os
import pathlib
import secrets

from acs import Resource
from servers import Postgres, Server, free_port

NAME, GEOGRAPHY = "clinic", "europe"


class Node(Server):
    """One of them."""

    def __init__(self, folder, pair):
        super().__init__(argparse.Namespace(server=os.environ["CHANCERY_BIN"]), folder, [], None)
        self.pair, self.port = pair, free_port()
        self.ca_file = str(self.data / "ca" / "ca.pem")
        self.config = self.folder / "chancery.toml"
        self.config.write_text(
            f"""
[listener]
address = "127.0.0.1:{self.port}"
self_signed = true
data = "{self.data}"
public_hosts = ["localhost"]
[[cell]]
geography = "{GEOGRAPHY}"
engine = {{ kind = "postgres", url = "file:{pair.folder}/database" }}
kms = {{ kind = "local", path = "{pair.folder}/root.key" }}
[[resource]]
name = "{NAME}"
geography = "{GEOGRAPHY}"
access_keys = ["file:{pair.folder}/access.key"]
"""
        )

    @property
    def host(self):
        """The resource's name and this node's port."""
        return f"{NAME}.localhost:{self.port}"

    def start(self):
        """Starts it, and waits until it says that it is ready."""
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        line = ("serve", "--log", "info", "--config", str(self.config), "--ready-file", str(ready))
        self.launch(*line, RUST_LOG="info")
        self.wait(ready.exists)

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def resource(self):
        """The resource, asked at this node."""
        return Resource(f"endpoint=https://{self.host}/;accesskey={self.pair.key}", self.ca_file, GEOGRAPHY)


class Pair:
    """Both, on a database of their own."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.key = base64.b64encode(secrets.token_bytes(64)).decode()
        maker = Postgres.__new__(Postgres)
        maker.connect = dict(part.split("=", 1) for part in os.environ["CHANCERY_TEST_POSTGRES"].split())
        maker.psql_program = os.path.join(os.environ["CHANCERY_TEST_POSTGRES_BIN"], "psql")
        database = f"live_{secrets.token_hex(4)}"
        maker.psql(f"create database {database}")
        url = "postgres://{user}:{password}@{host}:{port}/".format(**maker.connect) + database
        for name, text in {"database": url, "access.key": self.key}.items():
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o600)
        self.nodes = []
        for name in ("one", "two"):
            (self.folder / name).mkdir()
            self.nodes.append(Node(self.folder / name, self))

    def __enter__(self):
        for node in self.nodes:
            node.start()
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            if node.process and node.process.poll() is None:
                node.kill()

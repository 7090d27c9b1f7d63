"""A server whose root key, or whose resource's key, is kept by a key service that is not ours."""

import argparse
import base64
import json
import os
import pathlib
import secrets
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "laws"))

from acs import Resource
from outward import Outward
from servers import Server, free_port
from traffic import Canaries, Traffic

GEOGRAPHY = "europe"


def arguments():
    """What servers are started with."""
    return argparse.Namespace(server=os.path.abspath(os.environ["CHANCERY_BIN"]))


class Kept(Server):
    """`chancery serve` over SQLite, whose root key is where `kms` says."""

    kms = ""
    # More of the cell, and of its resource.
    cell = resource_lines = ""
    read = write = ()
    secrets = {}

    def prepare(self):
        """Writes the configuration."""
        self.port = free_port()
        self.doors = {"submission": free_port(), "reports": free_port()}
        self.operator_token = secrets.token_hex(32)
        key = base64.b64encode(secrets.token_bytes(64)).decode()
        for name, text in {"operator": self.operator_token, "key": key, **self.secrets}.items():
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o600)
        self.config = self.folder / "chancery.toml"
        self.config.write_text(
            f"""
[listener]
address = "127.0.0.1:{self.port}"
self_signed = true
data = "{self.data}"
public_hosts = ["localhost"]
[operator]
token = "file:{self.folder}/operator"
[events]
allow = ["127.0.0.0/8"]
allow_http = true
[smtp]
hostname = "localhost"
reports = "127.0.0.1:{self.doors["reports"]}"
submission = "127.0.0.1:{self.doors["submission"]}"
[sandbox]
mode = "required"
read = {json.dumps([str(path) for path in self.read])}
write = {json.dumps([str(path) for path in self.write])}
[[cell]]
geography = "{GEOGRAPHY}"
engine = {{ kind = "sqlite", path = "{self.data}/cells/{GEOGRAPHY}/store.sqlite" }}
kms = {{ {self.kms.format(folder=self.folder)} }}
{self.cell.format(folder=self.folder)}
[cell.mail]
hostname = "localhost"
smart_host = "127.0.0.1:{self.peers.mail.port}"
tls = "off"
dns = ["127.0.0.1:{self.peers.names.port}"]
[[resource]]
name = "home"
geography = "{GEOGRAPHY}"
access_keys = ["file:{self.folder}/key"]
text_senders = ["*", "US:55555"]
{self.resource_lines}
"""
        )
        self.ca_file = str(self.data / "ca" / "ca.pem")
        self.connection_strings = {GEOGRAPHY: f"endpoint=https://home.localhost:{self.port}/;accesskey={key}"}

    def start(self):
        """Starts it, and waits until it says that it is ready."""
        if not hasattr(self, "config"):
            self.prepare()
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        self.launch("serve", "--config", str(self.config), "--ready-file", str(ready))
        self.wait(ready.exists)

    def resource(self):
        """Its resource, with the access key and the operator's token."""
        resource = Resource(self.connection_strings[GEOGRAPHY], self.ca_file, GEOGRAPHY)
        resource.operator_token = self.operator_token
        return resource

    def everything(self):
        """Chat, mail, texts and events, sent and read back."""
        resource, canary = self.resource(), Canaries(secrets.token_hex(8))
        Traffic(resource, canary, Outward(resource, canary, self, self.peers)).run()

    def says(self, *verb):
        """What a verb of the program says, with its exit code; it must end by itself."""
        line = [self.arguments.server, *verb, "--config", str(self.config)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

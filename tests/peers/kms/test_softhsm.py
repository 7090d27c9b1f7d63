"""A server whose root key is in SoftHSM2: chat, mail, texts and events; a restart; a token that is gone."""

import argparse
import base64
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "laws"))

from acs import CHAT, Resource, escaped
from outward import Outward
from peers import Peers
from servers import Server, free_port
from traffic import Canaries, Traffic

GEOGRAPHY = "europe"
MODULE = "/usr/lib/softhsm/libsofthsm2.so"


class Hsm(Server):
    """`chancery serve` over SQLite, with the root key `server` of the token that tests/peers/kms/run made."""

    def prepare(self):
        """Writes the configuration."""
        self.port = free_port()
        self.doors = {"submission": free_port(), "reports": free_port()}
        self.operator_token = secrets.token_hex(32)
        key = base64.b64encode(secrets.token_bytes(64)).decode()
        tokens = pathlib.Path(os.environ["SOFTHSM2_CONF"]).parent
        for name, text in (("operator", self.operator_token), ("key", key), ("pin", "4321")):
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
read = ["{tokens}"]
write = ["{tokens}/tokens"]
[[cell]]
geography = "{GEOGRAPHY}"
engine = {{ kind = "sqlite", path = "{self.data}/cells/{GEOGRAPHY}/store.sqlite" }}
kms = {{ kind = "pkcs11", module = "{MODULE}", token = "chancery-test", key = "server", pin = "file:{self.folder}/pin" }}
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


class SoftHsm(unittest.TestCase):
    """In one order: each step rests on the one before."""

    def test_a_whole_run_with_the_root_key_in_a_token(self):
        arguments = argparse.Namespace(server=os.path.abspath(os.environ["CHANCERY_BIN"]))
        with tempfile.TemporaryDirectory(prefix="kms-") as folder, Peers() as peers:
            with Hsm(arguments, folder, [("home", GEOGRAPHY)], peers) as server:
                resource = Resource(server.connection_strings[GEOGRAPHY], server.ca_file, GEOGRAPHY)
                resource.operator_token = server.operator_token
                canary = Canaries(secrets.token_hex(8))
                traffic = Traffic(resource, canary, Outward(resource, canary, server, peers))
                traffic.run()
                ada = resource.create_user()
                made = ada.call("POST", "/chat/threads", {"topic": "kept"}, expect=201)[2]["chatThread"]["id"]
                self.assertEqual(list(pathlib.Path(server.data).rglob("root.key")), [], "no root key in a file")

                server.stop()
                server.start()
                path = f"/chat/threads/{escaped(made)}"
                self.assertEqual(ada.call("GET", path, expect=200)[2]["topic"], "kept")
                doctor = self.doctor(server)
                self.assertIn("cell europe: key service: pkcs11 wraps keys and opens them", doctor.stdout)

                server.stop()
                (server.folder / "pin").write_text("9999")
                self.assertIn("the token does not take the PIN", self.refused(server))
                (server.folder / "pin").write_text("4321")
                tokens = pathlib.Path(os.environ["SOFTHSM2_CONF"]).parent / "tokens"
                shutil.move(tokens, tokens.with_name("elsewhere"))
                tokens.mkdir()
                self.assertIn("the module has no token with the label", self.refused(server))
                tokens.rmdir()
                shutil.move(tokens.with_name("elsewhere"), tokens)
                server.start()
                self.assertEqual(ada.call("GET", path, expect=200)[2]["topic"], "kept", CHAT)
                server.stop()

    def refused(self, server):
        """What a start says that does not succeed; it must end by itself, and name no PIN."""
        line = [server.arguments.server, "serve", "--config", str(server.config)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertNotIn("9999", done.stderr)
        return done.stderr

    @staticmethod
    def doctor(server):
        line = [server.arguments.server, "doctor", "--config", str(server.config)]
        return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


if __name__ == "__main__":
    unittest.main()

"""A server whose root key is in SoftHSM2: chat, mail, texts and events; a restart; a token that is gone."""

import os
import pathlib
import shutil
import tempfile
import unittest

from kept import GEOGRAPHY, Kept, arguments

from acs import escaped
from peers import Peers

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
HOME = pathlib.Path(os.environ.get("SOFTHSM2_CONF", "/nonexistent/softhsm2.conf")).parent


class Hsm(Kept):
    """With the key `server` of the token that tests/peers/kms/run made."""

    kms = f'kind = "pkcs11", module = "{MODULE}", token = "chancery-test", key = "server", pin = "file:{{folder}}/pin"'
    secrets = {"pin": "4321"}
    read = (HOME,)
    write = (HOME / "tokens",)


class SoftHsm(unittest.TestCase):
    """In one order: each step rests on the one before."""

    def test_a_whole_run_with_the_root_key_in_a_token(self):
        with tempfile.TemporaryDirectory(prefix="kms-") as folder, Peers() as peers:
            with Hsm(arguments(), folder, [("home", GEOGRAPHY)], peers) as server:
                server.everything()
                ada = server.resource().create_user()
                made = ada.call("POST", "/chat/threads", {"topic": "kept"}, expect=201)[2]["chatThread"]["id"]
                path = f"/chat/threads/{escaped(made)}"
                self.assertEqual(list(pathlib.Path(server.data).rglob("root.key")), [], "no root key in a file")

                server.stop()
                server.start()
                self.assertEqual(ada.call("GET", path, expect=200)[2]["topic"], "kept")
                _, said = server.says("doctor")
                self.assertIn("cell europe: key service: pkcs11 wraps keys and opens them", said)

                server.stop()
                (server.folder / "pin").write_text("9999")
                self.refused(server, "the token does not take the PIN")
                (server.folder / "pin").write_text("4321")
                shutil.move(HOME / "tokens", HOME / "elsewhere")
                (HOME / "tokens").mkdir()
                self.refused(server, "the module has no token with the label")
                (HOME / "tokens").rmdir()
                shutil.move(HOME / "elsewhere", HOME / "tokens")
                server.start()
                self.assertEqual(ada.call("GET", path, expect=200)[2]["topic"], "kept")
                server.stop()

    def refused(self, server, why):
        """A start that does not succeed says why, and names no PIN."""
        code, said = server.says("serve")
        self.assertEqual(code, 1, said)
        self.assertIn(why, said)
        self.assertNotIn("9999", said)


if __name__ == "__main__":
    unittest.main()

"""Azure Key Vault, for which a stand-in of ours answers: the vendor's own client judges the stand-in; then a server runs with its
root key there, through a new version of it, a key that is disabled, one that waits for its end and one that is gone."""

import hashlib
import secrets
import tempfile
import time
import unittest

from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.keyvault.keys import KeyClient
from azure.keyvault.keys.crypto import KeyWrapAlgorithm, SignatureAlgorithm
from kept import GEOGRAPHY, Kept, arguments
from key_vault import CLIENT, SECRET, TENANT, Key, Vault, decoded, encoded

from acs import escaped
from peers import Peers


class Held:
    """A token that was given before."""

    def __init__(self, vault):
        self.token = secrets.token_urlsafe(16)
        vault.tokens.add(self.token)

    def get_token(self, *_scopes, **_options):
        """The token."""
        return AccessToken(self.token, int(time.time()) + 3600)


class Azure(unittest.TestCase):
    """In one order: each step rests on the one before."""

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="kms-"))
        self.vault = Vault(self.folder)
        self.addCleanup(self.vault.stop)

    def test_the_stand_in_is_one_by_the_vendors_own_client(self):
        more = {"verify_challenge_resource": False, "connection_verify": str(self.vault.ca)}
        with KeyClient(self.vault.address, Held(self.vault), **more) as client:
            digest, plain = hashlib.sha256(b"text").digest(), secrets.token_bytes(36)
            older = client.get_key("europe").properties.version
            crypto = client.get_cryptography_client("europe", key_version=older)
            wrapped = crypto.wrap_key(KeyWrapAlgorithm.rsa_oaep_256, plain).encrypted_key
            signed = crypto.sign(SignatureAlgorithm.ps256, digest).signature
            self.vault.keys["europe"].renew()
            self.assertNotEqual(client.get_key("europe").properties.version, older)
            self.assertEqual(crypto.unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, wrapped).key, plain)
            self.assertTrue(crypto.verify(SignatureAlgorithm.ps256, digest, signed).is_valid)

            # The client wraps and verifies by itself when it has the public key: the stand-in agrees with it.
            ask = lambda action, value, **more: self.vault.vault(
                ["keys", "europe", older, action], {"value": encoded(value), **more}
            )
            again = ask("wrapkey", plain, alg="RSA-OAEP-256")["value"]
            unwrapped = crypto.unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, decoded(again)).key
            self.assertEqual(unwrapped, plain)
            self.assertTrue(ask("verify", signed, alg="PS256", digest=encoded(digest))["value"])
            self.assertFalse(ask("verify", signed, alg="PS256", digest=encoded(hashlib.sha256(b"").digest()))["value"])

            self.vault.keys["europe"].is_enabled = False
            with self.assertRaises(HttpResponseError) as refused:
                crypto.unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, wrapped)
            self.assertEqual(refused.exception.status_code, 403)

    def test_a_whole_run_and_a_key_that_is_taken_away(self):
        class AtAzure(Kept):
            """With the key of the stand-in."""

            kms = (
                f'kind = "azure-key-vault", address = "{self.vault.address}", authority = "{self.vault.address}", '
                f'key = "europe", tenant = "{TENANT}", client_id = "{CLIENT}", ca = "{self.vault.ca}", '
                'client_secret = "file:{folder}/secret"'
            )
            secrets = {"secret": SECRET}

        with Peers() as peers, AtAzure(arguments(), self.folder, [("home", GEOGRAPHY)], peers) as server:
            server.everything()
            ada = server.resource().create_user()
            made = ada.call("POST", "/chat/threads", {"topic": "kept"}, expect=201)[2]["chatThread"]["id"]
            path = f"/chat/threads/{escaped(made)}"
            _, said = server.says("doctor")
            self.assertIn("cell europe: key service: azure-key-vault wraps keys and opens them", said)
            self.assertNotIn(SECRET, said)
            wraps = sum(path.endswith("/wrapkey") for path in self.vault.asked)

            self.vault.keys["europe"].renew()
            server.stop()
            server.start()
            self.assertEqual(ada.call("GET", path, expect=200)[2]["topic"], "kept", "an older version opens what it wrapped")
            code, said = server.says("keys", "rotate", "home")
            self.assertEqual(code, 0, said)
            self.assertGreater(sum(path.endswith("/wrapkey") for path in self.vault.asked), wraps)
            self.assertEqual(ada.call("GET", path, expect=200)[2]["topic"], "kept")
            server.stop()

            key = self.vault.keys["europe"]
            for change, expected in [
                ({"is_enabled": False}, "the root key is disabled"),
                ({"is_enabled": True, "is_deleted": True}, "the root key is disabled"),
            ]:
                vars(key).update(change)
                code, said = server.says("serve")
                self.assertEqual(code, 1, said)
                self.assertIn(expected, said)
            key.is_deleted = False
            server.start()
            self.assertEqual(ada.call("GET", path, expect=200)[2]["topic"], "kept", "recovered")
            server.stop()
            del self.vault.keys["europe"]
            code, said = server.says("serve")
            self.assertEqual(code, 1, said)
            self.assertIn("there is no such root key", said)
            self.vault.keys["europe"] = Key()
            code, said = server.says("serve")
            self.assertEqual(code, 1, said)
            self.assertIn("does not open here", said, "another key of the same name is not the key")


if __name__ == "__main__":
    unittest.main()

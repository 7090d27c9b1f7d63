"""AWS KMS, for which moto stands: a server with its root key there, disabled and enabled again; one with its resource's key
there, a customer's, which is deleted at the end."""

import os
import pathlib
import tempfile
import time
import unittest

import boto3
from kept import GEOGRAPHY, Kept, arguments

from acs import IDENTITY, escaped
from peers import Peers

PORT, *KEYS = os.environ["CHANCERY_TEST_MOTO"].split()
KEY, BROUGHT = KEYS[2], KEYS[5]
ENDPOINT = f"http://127.0.0.1:{PORT}/"
# How long keys are used from memory (docs/security.md), and a little for the test itself.
BITES_WITHIN = 60 + 5
SEEN_WITHIN = 5


def aws(key):
    """Where a key is."""
    return (
        f'kind = "aws-kms", region = "eu-central-1", key = "{key}", endpoint = "{ENDPOINT}", '
        'access_key_id = "file:{folder}/id", secret_access_key = "file:{folder}/secret"'
    )


class Aws(Kept):
    """With the last key that tests/peers/kms/run made."""

    kms = aws(KEY)
    secrets = {"id": "AKIDEXAMPLE", "secret": "surely-a-secret"}


class Brought(Kept):
    """With a root key of its own, and a customer's key for its resource."""

    kms = 'kind = "local", path = "{folder}/keys/root.key"'
    cell = f'[[cell.key_service]]\nname = "contoso-key"\nkms = {{{{ {aws(BROUGHT)} }}}}'
    resource_lines = 'key_service = "contoso-key"'
    secrets = Aws.secrets


class Moto(unittest.TestCase):
    """In one order: each step rests on the one before."""

    def test_a_whole_run_and_a_key_that_is_taken_away(self):
        names = {"endpoint_url": ENDPOINT, "region_name": "eu-central-1"}
        kms = boto3.client("kms", aws_access_key_id="a", aws_secret_access_key="b", **names)
        with tempfile.TemporaryDirectory(prefix="kms-") as folder, Peers() as peers:
            with Aws(arguments(), folder, [("home", GEOGRAPHY)], peers) as server:
                server.everything()
                resource = server.resource()
                ada = resource.create_user()
                made = ada.call("POST", "/chat/threads", {"topic": "kept"}, expect=201)[2]["chatThread"]["id"]
                path = f"/chat/threads/{escaped(made)}"
                self.assertEqual(list(pathlib.Path(server.data).rglob("root.key")), [], "no root key in a file")
                _, said = server.says("doctor")
                self.assertIn("cell europe: key service: aws-kms wraps keys and opens them", said)
                self.assertNotIn("surely-a-secret", said)

                kms.disable_key(KeyId=KEY)
                self.until(BITES_WITHIN, lambda: ada.call("GET", path)[0] == 403)
                calls = [
                    ("GET", path, b""),
                    ("GET", f"{path}/messages", b""),
                    ("PATCH", path, {"topic": "not now"}),
                    ("POST", f"{path}/messages", {"content": "not now"}),
                ]
                for method, target, body in calls:
                    status, headers, answer = ada.call(method, target, body)
                    self.assertEqual((status, answer["error"]["code"]), (403, "CustomerKeyUnavailable"), target)
                    self.assertNotIn("retry-after", {name.lower() for name in headers})

                kms.enable_key(KeyId=KEY)
                self.until(SEEN_WITHIN, lambda: ada.call("GET", path)[0] == 200)
                self.assertEqual(ada.call("GET", path, expect=200)[2]["topic"], "kept", "nothing was written meanwhile")
                server.stop()

                kms.disable_key(KeyId=KEY)
                code, said = server.says("serve")
                self.assertEqual(code, 1, said)
                self.assertIn("the root key is disabled", said)
                kms.enable_key(KeyId=KEY)

    def test_a_whole_run_with_a_customers_key_that_is_deleted(self):
        names = {"endpoint_url": ENDPOINT, "region_name": "eu-central-1"}
        kms = boto3.client("kms", aws_access_key_id="a", aws_secret_access_key="b", **names)
        with tempfile.TemporaryDirectory(prefix="kms-") as folder, Peers() as peers:
            with Brought(arguments(), folder, [("home", GEOGRAPHY)], peers) as server:
                server.everything()
                _, said = server.says("keys", "list")
                self.assertRegex(said, r"home +contoso-key +1 +available")
                _, said = server.says("doctor")
                self.assertIn("key service contoso-key: key service: aws-kms wraps keys and opens them", said)
                _, said = server.says("keys", "hand-over", "home", "--to", "root")
                self.assertIn("root holds them", said)
                server.everything()
                _, said = server.says("keys", "hand-over", "home", "--to", "contoso-key")
                self.assertIn("ends what they open, for good", said, "it is said before")

                ask = lambda: server.resource().signed("POST", f"/identities?api-version={IDENTITY}", {})
                kms.schedule_key_deletion(KeyId=BROUGHT, PendingWindowInDays=7)
                self.until(BITES_WITHIN, lambda: ask()[0] == 403)
                self.assertIn("Enable it", ask()[2]["error"]["message"])
                kms.cancel_key_deletion(KeyId=BROUGHT)
                kms.enable_key(KeyId=BROUGHT)
                self.until(SEEN_WITHIN, lambda: ask()[0] == 201)
                kms.schedule_key_deletion(KeyId=BROUGHT, PendingWindowInDays=30)
                self.until(BITES_WITHIN, lambda: ask()[0] == 403)
                said = ask()[2]["error"]
                self.assertEqual(said["code"], "CustomerKeyUnavailable")
                self.assertIn("cannot be read any more", said["message"], "and after")
                server.stop()
                server.start()
                self.assertEqual(ask()[0], 403, "a start does not bring it back")
                _, said = server.says("keys", "list")
                self.assertRegex(said, r"home +contoso-key +1 +deleted")
                code, said = server.says("keys", "hand-over", "home", "--to", "root")
                self.assertEqual(code, 1)
                self.assertIn("Nothing was changed", said)

    def until(self, seconds, holds):
        """Waits until something holds, for so long and no longer."""
        end = time.monotonic() + seconds
        while not holds():
            self.assertLess(time.monotonic(), end, f"not within {seconds} s")
            time.sleep(0.2)


if __name__ == "__main__":
    unittest.main()

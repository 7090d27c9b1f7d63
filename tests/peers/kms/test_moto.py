"""A server whose root key is in AWS KMS, for which moto stands: a whole run; a key that is disabled and enabled again."""

import os
import pathlib
import tempfile
import time
import unittest

import boto3
from kept import GEOGRAPHY, Kept, arguments

from acs import escaped
from peers import Peers

PORT, _, _, KEY, *_ = os.environ["CHANCERY_TEST_MOTO"].split()
ENDPOINT = f"http://127.0.0.1:{PORT}/"
# How long keys are used from memory (docs/security.md), and a little for the test itself.
BITES_WITHIN = 60 + 5
SEEN_WITHIN = 5


class Aws(Kept):
    """With the last key that tests/peers/kms/run made."""

    kms = (
        f'kind = "aws-kms", region = "eu-central-1", key = "{KEY}", endpoint = "{ENDPOINT}", '
        'access_key_id = "file:{folder}/id", secret_access_key = "file:{folder}/secret"'
    )
    secrets = {"id": "AKIDEXAMPLE", "secret": "surely-a-secret"}


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

    def until(self, seconds, holds):
        """Waits until something holds, for so long and no longer."""
        end = time.monotonic() + seconds
        while not holds():
            self.assertLess(time.monotonic(), end, f"not within {seconds} s")
            time.sleep(0.2)


if __name__ == "__main__":
    unittest.main()

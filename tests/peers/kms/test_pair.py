"""Two nodes under load over PostgreSQL: a customer's key that is taken away and given back; every key replaced while nodes
are killed. Times are printed, not judged, but for the bound within which a disabled key bites."""

import contextlib
import os
import pathlib
import tempfile
import time
import unittest

import boto3
from kept import GEOGRAPHY
from pair import HOME, NEXT, Load, Pair

from peers import Hooks

PORT, *KEYS = os.environ["CHANCERY_TEST_MOTO"].split()
ENDPOINT = f"http://127.0.0.1:{PORT}/"
# How long keys are used from memory (docs/security.md), and a little for requests under way.
BITES_WITHIN = 60 + 2
# A new signing key is known for so long before it signs.
LEAD = 60
QUIET = 20


@contextlib.contextmanager
def pair(key):
    """Both nodes with a webhook beside them."""
    hooks = Hooks()
    try:
        with tempfile.TemporaryDirectory(prefix="pair-") as folder, Pair(pathlib.Path(folder), hooks, ENDPOINT, key) as both:
            yield both
    finally:
        hooks.stop()


class Steps(unittest.TestCase):
    """What both tests do."""

    def until(self, seconds, holds):
        """Waits until something holds, for so long and no longer."""
        end = time.monotonic() + seconds
        while not holds():
            self.assertLess(time.monotonic(), end, f"not within {seconds} s")
            time.sleep(0.1)

    def unharmed(self, answers):
        """Every request was answered well."""
        self.assertTrue(answers)
        bad = [one for one in answers if one.status >= 400]
        self.assertEqual(bad[:5], [], f"{len(bad)} of {len(answers)} failed")

    def everything_is_there(self, load, node):
        """All that was acknowledged can be read, as it was sent."""
        for (name, thread), sent in {key: list(sent) for key, sent in load.sent.items()}.items():
            resource = node.resource(name)
            reader = next(each for each in load.readers if each[0] == name)[1]
            found, path = {}, f"/chat/threads/{thread}/messages?api-version=2025-03-15&maxPageSize=200"
            while path:
                headers = {"Authorization": f"Bearer {reader}"}
                _, _, page = resource.request("GET", path, headers=headers, expect=200)
                found.update({one["id"]: one["content"].get("message") for one in page["value"]})
                path = page.get("nextLink", "").partition(f":{resource.port}")[2]
            self.assertEqual([one for one in sent if found.get(one[0]) != one[1]], [], f"of {len(sent)} in {name}")


class Customer(Steps):
    """A customer takes a key away under load."""

    def test_it_bites_on_both_nodes_and_nobody_else_notices(self):
        names = {"endpoint_url": ENDPOINT, "region_name": "eu-central-1"}
        kms = boto3.client("kms", aws_access_key_id="a", aws_secret_access_key="b", **names)
        with pair(KEYS[3]) as both, Load(both) as load:
            began = time.monotonic()
            time.sleep(QUIET)
            taken = time.monotonic()
            self.unharmed(load.between(began, taken))
            kms.disable_key(KeyId=KEYS[3])
            time.sleep(BITES_WITHIN)
            bitten = time.monotonic()
            time.sleep(QUIET / 2)
            for node in (0, 1):
                for kind in ("send", "read", "make"):
                    answers = load.between(bitten, time.monotonic(), resource=HOME, node=node, kind=kind)
                    self.assertEqual({(one.status, one.code) for one in answers}, {(403, "CustomerKeyUnavailable")})
            told = both.hooks.wait("good", 1, kind="POST")[0].events()[0]
            self.assertEqual((told["type"], told["subject"]), ("Chancery.CustomerKeyUnavailable", HOME))

            # A node that begins now serves the others, and says of this one what the others say.
            both.nodes[1].stop()
            both.nodes[1].start()
            begun = time.monotonic()
            state = {line.get("resource"): line["state"] for line in both.nodes[1].says("keys", "list")["value"]}
            self.assertEqual((state[HOME], state[NEXT]), ("disabled", "available"))
            self.until(30, lambda: load.between(begun, time.monotonic(), resource=HOME, node=1))
            answers = load.between(begun, time.monotonic(), resource=HOME, node=1)
            self.assertEqual({one.status for one in answers}, {403})

            given_back = time.monotonic()
            kms.enable_key(KeyId=KEYS[3])
            back = lambda node: any(
                one.status < 300 for one in load.between(given_back, time.monotonic(), resource=HOME, node=node)
            )
            self.until(10, lambda: back(0) and back(1))
            returned = time.monotonic()
            time.sleep(QUIET / 2)
            self.unharmed(load.between(returned, time.monotonic(), resource=HOME))
            self.unharmed(load.between(began, time.monotonic(), resource=NEXT))
            both.hooks.wait("good", 2, kind="POST")
            self.everything_is_there(load, both.nodes[0])
            before, few = load.slowest(began, taken, NEXT)
            during, many = load.slowest(taken, given_back, NEXT)
            print(
                f"\nneighbours' p99: {before:.1f} ms of {few} before, {during:.1f} ms of {many} while the key was away: "
                f"{during / before:.2f} times; back after {returned - given_back:.1f} s",
                flush=True,
            )


class Rotation(Steps):
    """Every key is replaced under load, with kill -9 in between."""

    def test_nothing_fails_and_nothing_is_lost(self):
        with pair(KEYS[4]) as both, Load(both) as load:
            began, (one, two) = time.monotonic(), both.nodes
            cell = ("--cell", GEOGRAPHY)
            time.sleep(5)
            self.assertEqual(one.says("keys", "hand-over", *cell, "--to", "root-2")["handed"], 2)
            one.says("keys", "rotate-signing", *cell)
            signing = time.monotonic()
            for whose in ((HOME,), (NEXT,), cell):
                one.says("keys", "rotate", *whose, "--detach", "--rows-per-second", "500")
            time.sleep(2)
            # Whichever node was at it, the other goes on.
            for node in (one, two, one):
                node.kill()
                time.sleep(1)
                node.start()
                time.sleep(4)
            self.until(180, lambda: self.renewed(one))
            for whose in ((HOME,), (NEXT,), cell):
                counted = two.says("keys", "count", *whose)["generations"]
                self.assertEqual([each["generation"] for each in counted], [2], "nothing rests under former keys")
            time.sleep(max(0, signing + LEAD + 10 - time.monotonic()))
            fresh = [node.resource(NEXT).create_user() for node in both.nodes]
            for node in both.nodes:
                for user in fresh:
                    headers = {"Authorization": f"Bearer {user.token}"}
                    node.resource(NEXT).request("GET", "/chat/threads?api-version=2025-03-15", headers=headers, expect=200)
            self.unharmed(load.between(began, time.monotonic()))
            time.sleep(0.5)
            self.everything_is_there(load, two)
            holders = {line.get("resource"): line["keyService"] for line in one.says("keys", "list")["value"]}
            self.assertEqual(holders, {None: "root-2", HOME: "contoso-key", NEXT: "root-2"})
            print(f"\n{len(load.answers)} requests answered, {len(load.broken)} connections broken by kill -9", flush=True)

    def renewed(self, node):
        """Whether everything rests under the newest keys."""
        states = [line["renewal"]["state"] for line in node.says("keys", "list")["value"]]
        self.assertNotIn("damaged", states)
        return states == ["done"] * 3


if __name__ == "__main__":
    unittest.main()

"""A certificate from an authority that issues it by itself: Pebble, the test server of Let's Encrypt, which looks names up and asks
for its challenges as that does."""

import json
import os
import pathlib
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from world import Authority

CONFIG = """
[listener]
address = "127.0.0.1:{port}"
public_hosts = ["chat.example.org"]

[listener.acme]
agree_to_terms = true
directory = "https://localhost:{pebble}/dir"
contact = ["ops@example.org"]
http = "127.0.0.1:{http}"
ca = "{folder}/ca.pem"

[sandbox]
mode = "required"

[[cell]]
geography = "europe"
engine = {{ kind = "sqlite", path = "{folder}/data/store.sqlite" }}
kms = {{ kind = "local", path = "{folder}/data/root.key" }}

[[resource]]
name = "open"
geography = "europe"
"""
MORE = """
[[resource]]
name = "clinic"
geography = "europe"
"""
# An order takes a few seconds of looking. The next is made after a minute, and the one after that after two.
ISSUED_WITHIN, FAILED_WITHIN, AGAIN_WITHIN = 40, 60 + 40, 120 + 40


def free_port():
    """A port of this machine that nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Acme(unittest.TestCase):
    """In one order: each step rests on the one before."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="chancery-acme-")))
        self.authority = Authority(self.folder)
        self.authority.issue()
        names = ("port", "http", "pebble", "manage", "dns", "challenges")
        self.at = {name: free_port() for name in names}
        (self.folder / "pebble.json").write_text(
            json.dumps(
                {
                    "pebble": {
                        "listenAddress": f"127.0.0.1:{self.at['pebble']}",
                        "managementListenAddress": f"127.0.0.1:{self.at['manage']}",
                        "certificate": str(self.folder / "chain.pem"),
                        "privateKey": str(self.folder / "key.pem"),
                        "httpPort": self.at["http"],
                        "tlsPort": self.at["port"],
                        "ocspResponderURL": "",
                        "externalAccountBindingRequired": False,
                    }
                }
            )
        )
        self.config = self.folder / "chancery.toml"
        self.config.write_text(CONFIG.format(folder=self.folder, **self.at))
        self.run_beside(
            *("pebble-challtestsrv", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""),
            *("-dns01", f"127.0.0.1:{self.at['dns']}", "-http01", "", "-https01", "", "-tlsalpn01", ""),
            *("-management", f"127.0.0.1:{self.at['challenges']}"),
        )
        self.trusted = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))

    def run_beside(self, *line, log="peers.log", **more):
        """A program that ends with the test."""
        with (self.folder / log).open("ab") as out:
            process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **more)

        def end():
            if process.poll() is None:
                process.terminate()
            process.wait(30)

        self.addCleanup(end)
        return process

    def start_pebble(self):
        """The authority; it remembers nothing of a former one."""
        line = ("pebble", "-config", str(self.folder / "pebble.json"), "-dnsserver", f"127.0.0.1:{self.at['dns']}")
        process = self.run_beside(*line, env={**os.environ, "PEBBLE_VA_NOSLEEP": "1"})
        self.until(20, lambda: self.root())
        return process

    def root(self):
        """What clients of its certificates trust."""
        try:
            url = f"https://localhost:{self.at['manage']}/roots/0"
            with urllib.request.urlopen(url, context=self.trusted, timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            return None

    def start(self):
        """The server."""
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        line = (os.environ["CHANCERY_BIN"], "serve", "--config", str(self.config), "--ready-file", str(ready))
        process = self.run_beside(*line, log="log")
        self.until(60, lambda: ready.exists() or process.poll() is not None)
        self.assertIsNone(process.poll(), self.said())
        return process

    def said(self):
        """The server's log."""
        return (self.folder / "log").read_text(errors="replace")

    def shown(self, root, name="chat.example.org"):
        """The certificate that a client gets who trusts that root; none when it does not do."""
        context = ssl.create_default_context(cadata=root)
        try:
            with socket.create_connection(("127.0.0.1", self.at["port"]), 10) as plain:
                with context.wrap_socket(plain, server_hostname=name) as tls:
                    return tls.getpeercert()
        except OSError:
            return None

    def until(self, seconds, holds):
        """Waits until something holds, for so long and no longer; what it is then."""
        end = time.monotonic() + seconds
        while not (found := holds()):
            self.assertLess(time.monotonic(), end, f"not within {seconds} s:\n{self.said() if (self.folder / 'log').exists() else ''}")
            time.sleep(0.2)
        return found

    def test_a_certificate_is_issued_kept_and_replaced(self):
        pebble = self.start_pebble()
        root = self.root()
        server = self.start()
        first = self.until(ISSUED_WITHIN, lambda: self.shown(root))
        names = {name for _, name in first["subjectAltName"]}
        self.assertEqual(names, {"chat.example.org", "open.chat.example.org"})
        self.assertIsNotNone(self.shown(root, "open.chat.example.org"))

        request = urllib.request.Request(f"http://127.0.0.1:{self.at['http']}/chat/threads", headers={"Host": "chat.example.org"})
        opener = urllib.request.build_opener(NoRedirect)
        with self.assertRaises(urllib.error.HTTPError) as moved:
            opener.open(request, timeout=10)
        self.assertEqual(moved.exception.code, 308)
        self.assertEqual(moved.exception.headers["location"], f"https://chat.example.org:{self.at['port']}/chat/threads")

        # It is kept: a restart shows it at once, and asks for nothing.
        pebble.terminate()
        pebble.wait(30)
        server.terminate()
        self.assertEqual(server.wait(30), 0)
        for path in (self.folder / "data").rglob("*"):
            if path.is_file():
                self.assertNotIn(b"PRIVATE KEY", path.read_bytes(), path)
        server = self.start()
        again = self.shown(root)
        self.assertIsNotNone(again, "from the first connection on")
        self.assertEqual(again["serialNumber"], first["serialNumber"])
        server.terminate()
        server.wait(30)

        # Another name is asked for; the authority is away, so the former one is shown until it comes back.
        with self.config.open("a") as config:
            config.write(MORE)
        self.start()
        self.until(FAILED_WITHIN, lambda: "no certificate was issued" in self.said())
        self.assertEqual(self.shown(root)["serialNumber"], first["serialNumber"])
        self.start_pebble()
        second = self.until(AGAIN_WITHIN, lambda: self.shown(self.root()))
        self.assertIn("clinic.chat.example.org", {name for _, name in second["subjectAltName"]})


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows nothing."""

    def redirect_request(self, *_):
        """None."""
        return None


if __name__ == "__main__":
    unittest.main()

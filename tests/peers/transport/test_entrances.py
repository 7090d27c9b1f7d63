"""Other ways in: the operator's own listener with certificates of clients, a socket of this machine, a balancer in front; and a
resource that takes the newest TLS alone."""

import json
import os
import pathlib
import secrets
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

from world import run

CONFIG = """
[listener]
address = "127.0.0.1:{port}"
self_signed = true
data = "{folder}/data"
also = ["unix:{folder}/run/http.sock", "127.0.0.2:{port}"]
proxy_protocol_from = ["127.0.0.2/32"]

[operator]
token = "file:{folder}/token"
listen = "127.0.0.1:{operator}"
client_ca = "{folder}/pki/ca.pem"
client_crl = "{folder}/pki/list.pem"
client_certificate = "{folder}/pki/ada.pem"
client_key = "{folder}/pki/ada.key"

[sandbox]
mode = "required"

[[cell]]
geography = "europe"
engine = {{ kind = "sqlite", path = "{folder}/data/store.sqlite" }}
kms = {{ kind = "local", path = "{folder}/data/root.key" }}

[[resource]]
name = "open"
geography = "europe"

[[resource]]
name = "strict"
geography = "europe"
minimum_tls = "1.3"

[[resource]]
name = "clinic"
geography = "europe"
network = {{ allow = ["203.0.113.0/24"] }}
"""
# How often the server looks whether its files changed, and a little.
SEEN_WITHIN = 5 + 5


def free_port():
    """A port that nobody has, at every address of this machine."""
    with socket.socket() as found:
        found.bind(("0.0.0.0", 0))
        return found.getsockname()[1]


class Operators:
    """An authority of operators, with a list of revoked certificates, by openssl."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "index").write_text("")
        (folder / "crlnumber").write_text("01\n")
        (folder / "ca.conf").write_text(
            f"[ca]\ndefault_ca = own\n[own]\ndatabase = {folder}/index\ncrlnumber = {folder}/crlnumber\n"
            f"default_md = sha256\ndefault_crl_days = 30\ncertificate = {folder}/ca.pem\nprivate_key = {folder}/ca.key\n"
            "crl_extensions = crl\n[crl]\nauthorityKeyIdentifier = keyid\n"
        )
        run(
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"),
            *("-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.pem", "-subj", "/CN=Operators"),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )
        self.publish()

    def issue(self, name):
        """A certificate for somebody."""
        folder = self.folder
        (folder / "extensions").write_text("extendedKeyUsage=clientAuth\nbasicConstraints=critical,CA:FALSE\n")
        run(
            *("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.csr", "-subj", f"/CN={name}"),
        )
        run(
            *("openssl", "x509", "-req", "-in", f"{folder}/{name}.csr", "-CA", f"{folder}/ca.pem", "-days", "30"),
            *("-CAkey", f"{folder}/ca.key", "-set_serial", f"0x{secrets.token_hex(8)}", "-out", f"{folder}/{name}.pem"),
            *("-extfile", f"{folder}/extensions"),
        )

    def revoke(self, name):
        """Ends a certificate, and says so."""
        run("openssl", "ca", "-config", f"{self.folder}/ca.conf", "-revoke", f"{self.folder}/{name}.pem")
        self.publish()

    def publish(self):
        """The list, put there whole."""
        run("openssl", "ca", "-config", f"{self.folder}/ca.conf", "-gencrl", "-out", f"{self.folder}/list.new")
        (self.folder / "list.new").rename(self.folder / "list.pem")


class Entrances(unittest.TestCase):
    """A running server."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="chancery-ways-")))
        for name in ("pki", "run"):
            (cls.folder / name).mkdir()
        cls.operators = Operators(cls.folder / "pki")
        cls.operators.issue("ada")
        cls.operators.issue("eve")
        cls.token = secrets.token_hex(32)
        (cls.folder / "token").write_text(cls.token)
        (cls.folder / "token").chmod(0o600)
        cls.port, cls.operator = free_port(), free_port()
        cls.config = cls.folder / "chancery.toml"
        cls.config.write_text(CONFIG.format(folder=cls.folder, port=cls.port, operator=cls.operator))
        cls.log = cls.enterClassContext((cls.folder / "log").open("wb"))
        ready = cls.folder / "ready.json"
        line = [os.environ["CHANCERY_BIN"], "serve", "--config", str(cls.config), "--ready-file", str(ready)]
        cls.process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=cls.log, stderr=cls.log)
        cls.addClassCleanup(cls.stop)
        deadline = time.monotonic() + 60
        while not ready.exists():
            assert cls.process.poll() is None and time.monotonic() < deadline, (cls.folder / "log").read_text()
            time.sleep(0.05)
        cls.ca = json.loads(ready.read_text())["caFile"]

    @classmethod
    def stop(cls):
        """Ends it as an operator would."""
        cls.process.terminate()
        cls.process.wait(30)

    def curl(self, url, *more):
        """The status and the code of the error, or 0 when nothing came of it."""
        line = ["curl", "--silent", "--max-time", "20", "--cacert", self.ca, "--write-out", "\n%{http_code}", *more, url]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        body, status = done.stdout.rsplit("\n", 1)
        return int(status), json.loads(body).get("error", {}).get("code") if body else None

    def asked(self, port, *more):
        """The operator's route at a port."""
        token = ("--header", f"Authorization: Bearer {self.token}")
        return self.curl(f"https://localhost:{port}/operator/resources", *token, *more)

    def test_the_operators_listener_wants_a_certificate_that_holds(self):
        shown = lambda name: ("--cert", f"{self.folder}/pki/{name}.pem", "--key", f"{self.folder}/pki/{name}.key")
        self.assertEqual(self.asked(self.port), (404, "NotFound"), "it is not found elsewhere")
        self.assertEqual(self.asked(self.port, *shown("ada")), (404, "NotFound"))
        self.assertEqual(self.asked(self.operator)[0], 0, "no certificate, no connection")
        for name in ("ada", "eve"):
            self.assertEqual(self.asked(self.operator, *shown(name))[0], 200, name)
        said = run(os.environ["CHANCERY_BIN"], "keys", "list", "--config", str(self.config))
        self.assertIn("strict", said, "the verbs of the program show theirs")

        # A connection of before the revocation: it finds nothing from the next request on.
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(f"{self.folder}/pki/eve.pem", f"{self.folder}/pki/eve.key")
        with socket.create_connection(("127.0.0.1", self.operator), 20) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as tls:
                request = (
                    f"GET /operator/resources HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.token}\r\n\r\n"
                ).encode()

                def again():
                    tls.sendall(request)
                    return int(tls.recv(65536).split(b" ", 2)[1])

                self.assertEqual(again(), 200)
                self.operators.revoke("eve")
                deadline = time.monotonic() + SEEN_WITHIN
                while (status := again()) == 200 and time.monotonic() < deadline:
                    time.sleep(0.2)
                self.assertEqual(status, 404)
        self.assertEqual(self.asked(self.operator, *shown("eve"))[0], 0)
        self.assertEqual(self.asked(self.operator, *shown("ada"))[0], 200)

    def test_a_socket_of_this_machine(self):
        at_socket = ("--unix-socket", f"{self.folder}/run/http.sock")
        self.assertEqual(self.curl("http://open.localhost/health/ready", *at_socket)[0], 200)
        for resource, expected in [("open", (401, "Unauthorized")), ("strict", (401, "Unauthorized"))]:
            url = f"http://{resource}.localhost/chat/threads?api-version=2025-03-15"
            self.assertEqual(self.curl(url, *at_socket), expected, resource)

    def test_the_newest_tls_alone(self):
        ask = lambda host, *more: self.curl(
            f"https://{host}.localhost:{self.port}/chat/threads?api-version=2025-03-15", *more
        )
        self.assertEqual(ask("strict"), (401, "Unauthorized"))
        self.assertEqual(ask("strict", "--tls-max", "1.2"), (400, "TlsVersionNotPermitted"))
        self.assertEqual(ask("open", "--tls-max", "1.2"), (401, "Unauthorized"))

    def test_a_balancer_tells_whose_connection_it_is(self):
        def ask(host, client, tells=True):
            """A request by way of the balancer at 127.0.0.2, for a client elsewhere."""
            with socket.socket() as plain:
                plain.settimeout(20)
                plain.bind(("127.0.0.2", 0))
                plain.connect(("127.0.0.2", self.port))
                if tells:
                    addresses = socket.inet_aton(client) + socket.inet_aton("127.0.0.2") + b"\x12\x67\x01\xbb"
                    plain.sendall(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + addresses)
                context = ssl.create_default_context(cafile=self.ca)
                context.check_hostname = False
                with context.wrap_socket(plain, server_hostname="localhost") as tls:
                    path = "/chat/threads?api-version=2025-03-15"
                    tls.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                    return int(tls.recv(65536).split(b" ", 2)[1])

        self.assertEqual(ask("clinic.localhost", "203.0.113.7"), 401)
        self.assertEqual(ask("clinic.localhost", "198.51.100.7"), 404)
        self.assertEqual(ask("open.localhost", "198.51.100.7"), 401)
        with self.assertRaises(OSError):
            ask("open.localhost", "198.51.100.7", tells=False)
        self.assertEqual(self.curl(f"https://clinic.localhost:{self.port}/chat/threads?api-version=2025-03-15")[0], 404)


if __name__ == "__main__":
    unittest.main()

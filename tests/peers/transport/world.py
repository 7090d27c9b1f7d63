"""An authority, a server under one of its certificates, and other hosts."""

import os
import pathlib
import re
import secrets
import subprocess
import tempfile
import time

GEOGRAPHY = "europe"
CONFIG = """
[listener]
address = "0.0.0.0:0"
certificate = "{folder}/chain.pem"
key = "{folder}/key.pem"

[[cell]]
geography = "europe"
engine = {{ kind = "sqlite", path = "{folder}/data/store.sqlite" }}
kms = {{ kind = "local", path = "{folder}/data/root.key" }}

[[resource]]
name = "open"
geography = "europe"

[[resource]]
name = "clinic"
geography = "europe"
network = {{ public_access = false, allow = ["10.77.1.0/24"] }}
"""


def run(*line, **more):
    """A command that must work; what it said."""
    done = subprocess.run(line, capture_output=True, text=True, **more)
    assert done.returncode == 0, f"{line}: {done.stdout}\n{done.stderr}"
    return done.stdout


class Authority:
    """A certificate authority such as an operator has, with a place for its list of revoked certificates."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        run(
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "120"),
            *("-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.pem", "-subj", "/CN=Test authority"),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )

    def issue(self):
        """A new certificate and key where the server looks for them, each put there whole. Its serial number."""
        folder = self.folder
        (folder / "extensions").write_text(
            "subjectAltName=DNS:localhost,DNS:open.localhost,DNS:clinic.localhost,IP:127.0.0.1\n"
            "crlDistributionPoints=URI:http://crl.example.org/ca.crl\nextendedKeyUsage=serverAuth\n"
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
        )
        run(
            *("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", f"{folder}/key.new", "-out", f"{folder}/request", "-subj", "/CN=localhost"),
        )
        serial = secrets.token_hex(8)
        run(
            *("openssl", "x509", "-req", "-in", f"{folder}/request", "-CA", f"{folder}/ca.pem", "-days", "90"),
            *("-CAkey", f"{folder}/ca.key", "-set_serial", f"0x{serial}", "-out", f"{folder}/leaf.new"),
            *("-extfile", f"{folder}/extensions"),
        )
        (folder / "chain.new").write_text((folder / "leaf.new").read_text() + (folder / "ca.pem").read_text())
        (folder / "key.new").chmod(0o600)
        for name in ("key", "chain"):
            (folder / f"{name}.new").rename(folder / f"{name}.pem")
        return int(serial, 16)


class World:
    """A running server."""

    def __init__(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="chancery-transport-")
        self.folder = pathlib.Path(self.temporary.name)
        self.authority = Authority(self.folder)
        self.authority.issue()
        (self.folder / "chancery.toml").write_text(CONFIG.format(folder=self.folder))
        self.log = (self.folder / "log").open("wb")
        line = [os.environ["CHANCERY_BIN"], "serve", "--config", str(self.folder / "chancery.toml")]
        line += ["--ready-file", str(self.folder / "ready.json")]
        self.process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 60
        while not (self.folder / "ready.json").exists():
            assert self.process.poll() is None and time.monotonic() < deadline, self.said()
            time.sleep(0.05)
        found = re.search(r"address=\S*?:(\d+)", self.said()) or re.search(r"0\.0\.0\.0:(\d+)", self.said())
        self.port = int(found.group(1))

    def said(self) -> str:
        """The server's log."""
        return (self.folder / "log").read_text(errors="replace")

    def stop(self):
        """Ends it as an operator would."""
        self.process.terminate()
        assert self.process.wait(30) == 0, self.said()
        self.log.close()
        self.temporary.cleanup()

    def ask(self, host, address="127.0.0.1", path="/chat/threads?api-version=2025-03-15", within=()):
        """The status and the body of one request to `host`, which is found at `address`; from another host with `within`."""
        line = [*within, "curl", "--silent", "--max-time", "20", "--cacert", str(self.folder / "ca.pem")]
        line += ["--resolve", f"{host}:{self.port}:{address}", "--write-out", "\n%{http_code}"]
        body, status = run(*line, f"https://{host}:{self.port}{path}").rsplit("\n", 1)
        return int(status), body


class Hosts:
    """Two hosts beside this one: {name: (its way in, this host's address on the way there)}."""

    def __init__(self):
        self.names = [f"chancery-{secrets.token_hex(2)}-{n}" for n in (1, 2)]
        self.of = {}
        for n, name in enumerate(self.names, 1):
            link = f"cv{name.split('-')[1]}{n}"
            run("ip", "netns", "add", name)
            run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
            run("ip", "address", "add", f"10.77.{n}.1/24", "dev", link)
            run("ip", "link", "set", link, "up")
            inside = ("ip", "netns", "exec", name)
            run(*inside, "ip", "address", "add", f"10.77.{n}.2/24", "dev", "eth0")
            run(*inside, "ip", "link", "set", "eth0", "up")
            self.of[n] = (inside, f"10.77.{n}.1")

    def remove(self):
        """Takes them away, and their links with them."""
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)

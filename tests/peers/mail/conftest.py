"""One Postfix, one name server, and a Chancery whose mail goes there, for the whole run."""

import base64
import dataclasses
import datetime
import ipaddress
import json
import os
import pathlib
import secrets
import socket
import ssl
import subprocess
import time
import urllib.request

import pytest
from azure.communication.email import EmailClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from names import Names
from postfix import Postfix
from support import names as localhost
from support import server as servers

localhost.install()

DOMAIN = "contoso.example"  # sends
THEIRS = "recipients.example"  # receives
MX = "mx.recipients.example"
USERS = ("ada", "bob", "eve", "late", "many", "hidden", "smart")

CONFIG = """
[listener]
address = "127.0.0.1:0"
self_signed = true
data = "{folder}/data"

[operator]
token = "file:{folder}/token"

[[cell]]
geography = "europe"
engine = {{ kind = "sqlite", path = "{folder}/data/europe/store.sqlite" }}
kms = {{ kind = "local", path = "{folder}/data/europe/root.key" }}

[cell.mail]
hostname = "out.contoso.example"
{mail}

[[resource]]
name = "contoso"
geography = "europe"
access_keys = ["file:{folder}/key"]
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def certificate(*names: str) -> tuple[bytes, bytes]:
    """A certificate of its own for these names and 127.0.0.1, and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.datetime.now(datetime.timezone.utc)
    known = [x509.DNSName(one) for one in names] + [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(known), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), private


@dataclasses.dataclass
class World:
    folder: pathlib.Path
    postfix: Postfix
    dns: Names
    server: servers.Server
    client: EmailClient

    def operator(self, method: str, path: str, body=None):
        """What the operator's plane answers."""
        context = ssl.create_default_context(cafile=self.server.ca_file)
        data = None if body is None else json.dumps(body).encode()
        url = self.server.endpoint.rstrip("/") + "/operator/resources/contoso/email" + path
        request = urllib.request.Request(url, data=data, method=method)
        request.add_header("authorization", "Bearer " + (self.folder / "token").read_text())
        if data is not None:
            request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def fates(self, mail: str, seconds: float = 60.0) -> dict[str, str]:
        """What became of each recipient, once it is known of all."""
        deadline = time.monotonic() + seconds
        while True:
            told = self.operator("GET", f"/messages/{mail}")
            found = {one["address"]: one["status"] for one in told["recipients"]}
            if told.get("openDestinations", 0) == 0 and found:
                return found
            assert time.monotonic() < deadline, (told, self.postfix.log(), self.server.output()[-4000:])
            time.sleep(0.05)

    def send(self, message: dict) -> str:
        """Sends by the SDK, to the end of its own waiting; the operation's id."""
        done = self.client.begin_send(message, polling_interval=0.1).result()
        assert done["status"] == "Succeeded", done
        return done["id"]


def launch(folder: pathlib.Path, mail: str) -> servers.Server:
    """`chancery serve` whose `[cell.mail]` says `mail`."""
    (folder / "data" / "europe").mkdir(parents=True, exist_ok=True)
    (folder / "chancery.toml").write_text(CONFIG.format(folder=folder, mail=mail))
    for name, value in (("token", secrets.token_hex(32)), ("key", base64.b64encode(secrets.token_bytes(64)).decode())):
        if not (folder / name).exists():
            (folder / name).write_text(value)
            (folder / name).chmod(0o600)
    ready, log = folder / "ready.json", folder / "server.log"
    ready.unlink(missing_ok=True)
    line = [servers.binary(), "serve", "--config", str(folder / "chancery.toml"), "--ready-file", str(ready)]
    with log.open("ab") as sink:
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + servers.START_SECONDS
    while not ready.exists():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")[-4000:]
        time.sleep(0.02)
    return servers.Server(process, folder / "data", log, json.loads(ready.read_text()))


def verify_domain(world: World) -> None:
    """Registers the sender's domain, says in the DNS what is asked for, and has it looked at."""
    made = world.operator("PUT", f"/domains/{DOMAIN}", {})
    assert made["verified"] is False
    for record in made["records"]:
        if record["type"] == "TXT":
            world.dns.zone.setdefault((record["name"].rstrip(".").lower(), "TXT"), []).append(record["value"])
    looked = world.operator("POST", f"/domains/{DOMAIN}:verify", {})
    assert looked["verified"] is True, looked


@pytest.fixture(scope="session")
def peers(tmp_path_factory):
    """Postfix and the name server."""
    folder = tmp_path_factory.mktemp("postfix")
    chain, key = certificate(MX)
    dns = Names()
    dns.zone[(THEIRS, "MX")] = [(10, MX)]
    dns.zone[(MX, "A")] = ["127.0.0.1"]
    dns.zone[("null.example", "MX")] = [(0, ".")]
    postfix = Postfix(folder / "postfix", free_port(), MX, THEIRS, USERS, chain, key)
    (folder / "ca.pem").write_bytes(chain)
    postfix.start()
    yield folder, postfix, dns
    postfix.stop()
    dns.stop()


def opened(folder: pathlib.Path, peers, mail: str) -> World:
    _, postfix, dns = peers
    server = launch(folder, mail)
    os.environ["REQUESTS_CA_BUNDLE"] = server.ca_file
    client = EmailClient.from_connection_string(server.resource("contoso").connection_string)
    world = World(folder, postfix, dns, server, client)
    verify_domain(world)
    return world


@pytest.fixture(scope="session")
def direct(tmp_path_factory, peers):
    """A server that asks the DNS where mail goes."""
    _, postfix, dns = peers
    mail = f'dns = ["127.0.0.1:{dns.port}"]\nport = {postfix.port}\nallow = ["127.0.0.0/8"]'
    world = opened(tmp_path_factory.mktemp("direct"), peers, mail)
    yield world
    world.client.close()
    world.server.stop()


@pytest.fixture(scope="session")
def smart(tmp_path_factory, peers):
    """A server that gives all mail to one other, whose certificate must be good."""
    folder, postfix, dns = peers
    mail = f'smart_host = "127.0.0.1:{postfix.port}"\nca = "{folder}/ca.pem"\ndns = ["127.0.0.1:{dns.port}"]'
    # Its keys are others, so its records take the place of those that were there.
    kept = dict(dns.zone)
    dns.zone = {known: value for known, value in dns.zone.items() if known[1] != "TXT"}
    world = opened(tmp_path_factory.mktemp("smart"), peers, mail)
    yield world
    dns.zone = kept
    world.client.close()
    world.server.stop()

"""An Azure Key Vault on a port of this machine, and the place that gives out tokens for it: as much of the REST API (7.4) as a
key service needs, as Microsoft documents it, with real RSA keys. The vendor's own client is its judge (test_azure.py)."""

import base64
import datetime
import http.server
import ipaddress
import json
import pathlib
import secrets
import ssl
import threading
import urllib.parse

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.x509.oid import NameOID

OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
DIGEST = utils.Prehashed(hashes.SHA256())
SECRET = "surely-a-secret"
TENANT, CLIENT = "contoso.example", "11111111-2222-3333-4444-555555555555"


def encoded(data):
    """Base64 for URLs without padding, as the API writes bytes."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text):
    """The bytes of such a text."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Fault(Exception):
    """An answer that is an error."""

    def __init__(self, status, code, inner=None):
        super().__init__(code)
        self.status = status
        self.body = {"error": {"code": code, "message": code, **({"innererror": {"code": inner}} if inner else {})}}


class Key:
    """Its versions, newest last, and what its owner did with it."""

    def __init__(self):
        self.versions = {}
        self.is_enabled = True
        self.is_deleted = False
        self.renew()

    def renew(self):
        """A new version, which wraps from now on."""
        self.versions[secrets.token_hex(16)] = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Vault:
    """Serves until `stop`. `keys` may be changed meanwhile."""

    def __init__(self, folder):
        self.keys = {"europe": Key()}
        self.tokens = set()
        self.asked = []
        vault = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """One connection."""

            protocol_version = "HTTP/1.1"

            def do_POST(self):
                """Answers with JSON."""
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                try:
                    status, answer, headers = 200, vault.answer(self, body), {}
                except Fault as fault:
                    status, answer, headers = fault.status, fault.body, {}
                    if status == 401:
                        headers = {
                            "WWW-Authenticate": f'Bearer authorization="https://login.example/{TENANT}", '
                            'resource="https://vault.azure.net"'
                        }
                data = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Type": "application/json", "Content-Length": len(data)}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST

            def log_message(self, *_):
                """Nothing is printed."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca = certificate(pathlib.Path(folder), context)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.address = f"https://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request, body):
        """What one request gets."""
        path, _, query = request.path.partition("?")
        if path == f"/{TENANT}/oauth2/v2.0/token":
            asked = dict(urllib.parse.parse_qsl(body.decode()))
            wanted = {
                "grant_type": "client_credentials",
                "client_id": CLIENT,
                "client_secret": SECRET,
                "scope": "https://vault.azure.net/.default",
            }
            if asked != wanted:
                raise Fault(401, "invalid_client")
            token = secrets.token_urlsafe(32)
            self.tokens.add(token)
            return {"token_type": "Bearer", "expires_in": 3599, "access_token": token}
        if (request.headers.get("authorization") or "").removeprefix("Bearer ") not in self.tokens:
            raise Fault(401, "Unauthorized")
        if not query.startswith("api-version="):
            raise Fault(400, "BadParameter")
        self.asked.append(path)
        return self.vault(path.strip("/").split("/"), json.loads(body) if body else {})

    def vault(self, parts, asked):
        """The part of the API below `/keys`."""
        kind, name, *rest = parts
        key = self.keys.get(name)
        if kind == "deletedkeys":
            if not key or not key.is_deleted:
                raise Fault(404, "KeyNotFound")
            return {"recoveryId": f"{self.address}/deletedkeys/{name}"}
        if not key or key.is_deleted:
            raise Fault(404, "KeyNotFound")
        newest = list(key.versions)[-1]
        if rest and rest[0] in key.versions:
            version, rest = rest[0], rest[1:]
        elif len(rest) < 2:
            version = newest
        else:
            raise Fault(404, "KeyNotFound")
        kid = f"{self.address}/keys/{name}/{version}"
        private = key.versions[version]
        if not rest:
            numbers = private.public_key().public_numbers()
            size = lambda number: encoded(number.to_bytes((number.bit_length() + 7) // 8, "big"))
            operations = ["wrapKey", "unwrapKey", "sign", "verify"]
            public = {"kid": kid, "kty": "RSA", "key_ops": operations, "n": size(numbers.n), "e": size(numbers.e)}
            return {"key": public, "attributes": {"enabled": key.is_enabled}}
        if not key.is_enabled:
            raise Fault(403, "Forbidden", "KeyDisabled")
        value = decoded(asked["value"])
        return self.operate(rest[0], asked["alg"], private, kid, value, asked)

    @staticmethod
    def operate(action, algorithm, private, kid, value, asked):
        """One operation with one version of a key."""
        if action in ("wrapkey", "unwrapkey") and algorithm == "RSA-OAEP-256":
            if action == "wrapkey":
                return {"kid": kid, "value": encoded(private.public_key().encrypt(value, OAEP))}
            try:
                return {"kid": kid, "value": encoded(private.decrypt(value, OAEP))}
            except ValueError as fault:
                raise Fault(400, "BadParameter") from fault
        if action == "sign" and algorithm == "PS256":
            return {"kid": kid, "value": encoded(private.sign(value, PSS, DIGEST))}
        if action == "verify" and algorithm == "PS256":
            try:
                private.public_key().verify(value, decoded(asked["digest"]), PSS, DIGEST)
                return {"value": True}
            except InvalidSignature:
                return {"value": False}
        raise Fault(400, "BadParameter")


def certificate(folder, context):
    """A certificate for this machine's address, given to `context`; the file of the authority that made it."""
    now = datetime.datetime.now(datetime.timezone.utc)
    named = lambda text: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
    authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def made(name, key, is_authority, extension):
        builder = x509.CertificateBuilder().subject_name(named(name)).issuer_name(named("a test authority"))
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), True)
        signed = builder.add_extension(extension, False).sign(authority, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)

    known = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    (folder / "vault-ca.pem").write_bytes(made("a test authority", authority, True, known))
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    private = own.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "vault.pem").write_bytes(made("a vault", own, False, here) + private)
    context.load_cert_chain(folder / "vault.pem")
    return folder / "vault-ca.pem"

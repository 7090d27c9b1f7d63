"""What the listener speaks: TLS 1.3, TLS 1.2 with AEAD suites, HTTP/1.1; nothing older, nothing plain."""

import socket
import ssl

import pytest
from support import raw


def handshake(server, name="localhost", **changes):
    context = raw.tls(server, **{k: v for k, v in changes.items() if k != "ciphers"})
    if "ciphers" in changes:
        context.set_ciphers(changes["ciphers"])
    context.set_alpn_protocols(["h2", "http/1.1"])
    with raw.connect(server, name, context=context) as sock:
        return sock.version(), sock.cipher()[0], sock.selected_alpn_protocol()


def test_tls_1_3_by_default(server):
    version, _, protocol = handshake(server)
    assert (version, protocol) == ("TLSv1.3", "http/1.1")


@pytest.mark.parametrize(
    "suite",
    ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"],
)
def test_tls_1_2_with_each_aead_suite(server, suite):
    two = ssl.TLSVersion.TLSv1_2
    version, cipher, _ = handshake(server, maximum_version=two, ciphers=suite)
    assert (version, cipher) == ("TLSv1.2", suite)


def refused(server, ciphers, highest) -> str:
    """The reason the server gave for refusing; the client itself must have been able to offer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(server.ca_file)
    context.set_ciphers(ciphers)
    context.minimum_version = min(highest, ssl.TLSVersion.TLSv1_2)
    context.maximum_version = highest
    with pytest.raises(ssl.SSLError) as info:
        raw.connect(server, context=context)
    return info.value.reason


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["1.0", "1.1"])
def test_older_versions_are_refused_by_the_server(server, version):
    # An alert of the server: had our own library refused to offer it, the reason would be another.
    assert refused(server, "ALL:@SECLEVEL=0", version) == "TLSV1_ALERT_PROTOCOL_VERSION"


@pytest.mark.parametrize(
    "suite", ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "AES128-GCM-SHA256"]
)
def test_suites_without_aead_or_forward_secrecy_are_refused(server, suite):
    reason = refused(server, f"{suite}:@SECLEVEL=0", ssl.TLSVersion.TLSv1_2)
    assert "HANDSHAKE_FAILURE" in reason, reason


@pytest.mark.parametrize("name", ["localhost", "alpha.localhost", "beta.localhost"])
def test_the_certificate_is_good_for_every_name(server, name):
    """Each name in full: OpenSSL and Node match no wildcard directly below a top-level name, so `*.localhost` helps
    neither of them."""
    assert handshake(server, name)[0] == "TLSv1.3"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_certificate_names_the_addresses(server, address):
    with raw.connect(server) as sock:
        names = sock.getpeercert()["subjectAltName"]
    written = {"127.0.0.1": "127.0.0.1", "::1": "0:0:0:0:0:0:0:1"}[address]
    assert ("IP Address", written) in names
    assert ("DNS", "localhost") in names and ("DNS", "*.localhost") in names


def test_without_the_ca_nobody_trusts_it(server):
    with pytest.raises(ssl.SSLCertVerificationError):
        raw.connect(server, context=ssl.create_default_context())


def test_plain_http_is_not_served(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=raw.DEADLINE) as sock:
        sock.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answered = b""
        try:
            while part := sock.recv(4096):
                answered += part
        except ConnectionResetError:
            pass
    assert b" 200 " not in answered


def test_rubbish_and_silence_do_not_stop_others(server):
    with socket.create_connection(("127.0.0.1", server.port)) as rubbish, socket.create_connection(
        ("127.0.0.1", server.port)
    ) as silent:
        rubbish.sendall(bytes(range(256)) * 64)
        assert raw.request(server, "GET", "/health/live").status == 200
        assert silent.fileno() >= 0


def test_a_session_can_be_resumed(server):
    context = raw.tls(server)
    with raw.connect(server, context=context) as first:
        first.sendall(raw.compose("GET", "/health/live", [("Host", f"localhost:{server.port}")]))
        assert raw.read(first).status == 200
        session = first.session
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=raw.DEADLINE)
    with context.wrap_socket(plain, server_hostname="localhost", session=session) as second:
        second.sendall(raw.compose("GET", "/health/live", [("Host", f"localhost:{server.port}")]))
        assert raw.read(second).status == 200
        assert second.session_reused

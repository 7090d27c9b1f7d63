"""What the SDKs never send: paths, methods, sizes, media types, and broken bodies. Every answer is a clear error, quickly."""

import json
import time

import pytest
from support import raw, shows
from support.expected import LIMITS

IDENTITIES = f"/identities?{raw.IDENTITY}"


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/nothing",
        "/identity",
        "/identities/a/b",
        "/chat",
        "/chat/threadz",
        "/chat/threads/x/y/z/w",
        "/IDENTITIES/x/y",
        "/chat/threads/x/messages/1/more",
        "/..",
        "/chat/../identities/x/y",
        "/%2e%2e/x",
    ],
)
def test_unknown_paths_are_404(server, alpha, target):
    answer = raw.signed(server, alpha, "GET", f"{target}?{raw.IDENTITY}")
    shows.raw_error(answer, 404)


def test_404_needs_no_credential_and_tells_nothing(server):
    shows.raw_error(raw.request(server, "GET", "/nothing", source=raw.fresh_address()), 404)


@pytest.mark.parametrize(
    "method, path, allowed",
    [
        ("GET", "/identities", {"POST"}),
        ("PUT", "/identities", {"POST"}),
        ("PATCH", "/chat/threads", {"GET", "POST"}),
        ("PUT", "/chat/threads/19%3Ax%40thread.v2", {"GET", "PATCH", "DELETE"}),
        ("DELETE", "/chat/threads/19%3Ax%40thread.v2/messages", {"GET", "POST"}),
        ("POST", "/chat/threads/19%3Ax%40thread.v2/messages/1", {"GET", "PATCH", "DELETE"}),
        ("GET", "/chat/threads/19%3Ax%40thread.v2/participants/:add", {"POST"}),
        ("GET", "/identities/8%3Aacs%3Ax/:issueAccessToken", {"POST"}),
        ("POST", "/health/live", {"GET"}),
        ("POST", "/.well-known/jwks.json", {"GET"}),
    ],
)
def test_wrong_methods_are_405_with_allow(server, alpha, method, path, allowed):
    answer = raw.signed(server, alpha, method, f"{path}?{raw.IDENTITY}")
    shows.raw_error(answer, 405)
    listed = {name.strip() for name in answer.headers["Allow"].split(",")}
    assert listed - {"HEAD", "OPTIONS"} == allowed


@pytest.mark.parametrize(
    "version", ["", "api-version=", "api-version=2023-13-01", "api-version=latest", "Api-Version=x"]
)
def test_a_missing_or_unknown_version_is_400(server, alpha, version):
    shows.raw_error(raw.signed(server, alpha, "POST", f"/identities?{version}", {}), 400)


def test_versions_are_per_area(server, alpha):
    """Each area has its own list; what one knows another may not."""
    answer = raw.signed(server, alpha, "POST", "/identities?api-version=2025-03-15", {})
    error = shows.raw_error(answer, 400, "unsupportedVersion")
    assert "2025-03-15" in error["message"]
    known = raw.signed(server, alpha, "POST", "/identities?api-version=2023-08-01", {})
    assert known.status == 201
    assert "2023-10-01" in known.headers["api-supported-versions"]


@pytest.mark.parametrize(
    "method, path",
    [
        ("POST", "/rooms?api-version=2025-03-13"),
        ("GET", "/rooms/12345678901234567/participants?api-version=2025-03-13"),
        ("POST", "/calling/callConnections?api-version=2026-03-12"),
        ("POST", "/calling/callConnections/x:play?api-version=2026-03-12"),
        ("POST", "/calling/recordings?api-version=2026-03-12"),
        ("GET", "/routing/queues?api-version=2023-11-01"),
        ("POST", "/messages/notifications:send?api-version=2024-08-30"),
        ("POST", "/networkTraversal/:issueRelayConfiguration?api-version=2022-03-01-preview"),
    ],
)
def test_services_that_are_not_built_say_so(server, alpha, method, path):
    answer = raw.signed(server, alpha, method, path, {} if method == "POST" else None)
    error = shows.raw_error(answer, 501, "notImplemented")
    assert len(error["message"]) > 20


def test_teams_exchanges_are_not_built(server, alpha, make_user):
    for path in (
        "/teamsUser/:exchangeAccessToken?api-version=2023-10-01",
        "/access/entra/:exchangeAccessToken?api-version=2025-03-02-preview",
        "/access/teamsExtension/:exchangeAccessToken?api-version=2025-06-30",
    ):
        body = {"token": "t", "appId": "a", "userId": "u"}
        # The last two carry a directory's bearer token where the real service is: unbuilt, whoever asks.
        answer = raw.signed(server, alpha, "POST", path, body)
        assert answer.status in (401, 501), (path, answer.status)
        shows.raw_error(answer, answer.status)


def test_413_for_a_declared_length_before_the_body_is_read(server, alpha):
    headers = raw.sign(alpha.access_key, "POST", IDENTITIES, alpha.host)
    started = time.monotonic()
    answer = raw.request(
        server, "POST", IDENTITIES, [*headers, *raw.JSON, ("Content-Length", "10000000000")], host=alpha.host
    )
    shows.raw_error(answer, 413)
    assert time.monotonic() - started < 5
    assert "close" in (answer.headers["Connection"] or "").lower()


def test_413_for_a_body_that_grows_too_long(server, alpha):
    headers = raw.sign(alpha.access_key, "POST", IDENTITIES, alpha.host)
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    body = chunk * (LIMITS["bodyBytes"] // 0x10000 + 2) + b"0\r\n\r\n"
    answer = raw.request(
        server,
        "POST",
        IDENTITIES,
        [*headers, *raw.JSON, ("Transfer-Encoding", "chunked")],
        body,
        host=alpha.host,
    )
    shows.raw_error(answer, 413)


def test_a_chunked_body_is_read_like_any_other(server, alpha):
    payload = json.dumps({"createTokenWithScopes": ["chat"]}).encode()
    headers = raw.sign(alpha.access_key, "POST", IDENTITIES, alpha.host, payload)
    body = b"".join(b"1\r\n" + bytes([byte]) + b"\r\n" for byte in payload) + b"0\r\n\r\n"
    answer = raw.request(
        server,
        "POST",
        IDENTITIES,
        [*headers, *raw.JSON, ("Transfer-Encoding", "chunked")],
        body,
        host=alpha.host,
    )
    assert answer.status == 201 and answer.json()["accessToken"]["token"]


@pytest.mark.parametrize("length", [LIMITS["uriBytes"] + 1, 20_000])
def test_414_for_a_long_target(server, length):
    target = "/identities?" + raw.IDENTITY + "&x="
    answer = raw.request(server, "POST", target + "a" * (length - len(target)), source=raw.fresh_address())
    shows.raw_error(answer, 414)


def test_a_target_at_the_limit_is_read(server, alpha):
    target = f"/identities?{raw.IDENTITY}&x="
    target += "a" * (LIMITS["uriBytes"] - len(target))
    assert raw.signed(server, alpha, "POST", target, {}).status == 201


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Long", "a" * (LIMITS["headBytes"] + 1))],
        [(f"X-{n}", "a" * 1000) for n in range(40)],
        [(f"X-{n}", "a") for n in range(LIMITS["headers"] + 1)],
    ],
    ids=["one long", "long together", "many"],
)
def test_431_for_large_heads(server, headers):
    answer = raw.request(server, "GET", "/health/live", headers, source=raw.fresh_address())
    assert answer.status == 431
    # The head may have been refused before it was a request: then there is no envelope to give, but never a 5xx.
    if answer.body:
        shows.envelope(answer.body)


@pytest.mark.parametrize(
    "media",
    ["text/plain", "application/xml", "application/x-www-form-urlencoded", "jsn", "application/jsonp"],
)
def test_415_for_other_media_types(server, alpha, media):
    answer = raw.signed(server, alpha, "POST", IDENTITIES, {}, extra=[("Content-Type", media)])
    shows.raw_error(answer, 415)


@pytest.mark.parametrize(
    "media", ["application/json", "APPLICATION/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_json_by_any_of_its_names(server, alpha, media):
    assert raw.signed(server, alpha, "POST", IDENTITIES, {}, extra=[("Content-Type", media)]).status == 201


def test_a_compressed_body_is_415(server, alpha):
    answer = raw.signed(
        server, alpha, "POST", IDENTITIES, body=b"\x1f\x8b\x08", extra=[("Content-Encoding", "gzip")]
    )
    shows.raw_error(answer, 415)


CANARY = "canary-9e1d"
DEEP = LIMITS["jsonDepth"]
BROKEN = {
    "cut off": b'{"createTokenWithScopes":["' + CANARY.encode(),
    "not JSON": CANARY.encode(),
    "trailing": b'{} "' + CANARY.encode() + b'"',
    "two documents": b"{}{}",
    "duplicate keys": b'{"expiresInMinutes":60,"expiresInMinutes":1440}',
    "duplicate keys, escaped": b'{"expiresInMinutes":60,"expiresIn\\u004dinutes":1440}',
    "duplicate unknown keys": b'{"a":{"x":1,"x":2}}',
    "invalid UTF-8": b'{"a":"' + CANARY.encode() + b'\xff\xfe"}',
    "overlong UTF-8": b'{"a":"\xc0\xaf"}',
    "lone surrogate, raw": b'{"a":"\xed\xa0\x80"}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "nested arrays": b'{"a":' + b"[" * (DEEP + 1) + b"]" * (DEEP + 1) + b"}",
    "nested objects": b'{"a":' * 1000 + b"1" + b"}" * 1000,
    "very deep": b"[" * 10_000,
    "single quotes": b"{'a':1}",
    "comment": b"{/* x */}",
    "NaN": b'{"expiresInMinutes":NaN}',
    "control character": b'{"a":"\x01"}',
    "null byte": b"{}\x00",
    "array": b"[]",
    "number": b"5",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_bodies_are_400_at_once_and_not_quoted(server, alpha, name):
    started = time.monotonic()
    answer = raw.signed(server, alpha, "POST", IDENTITIES, body=BROKEN[name])
    shows.raw_error(answer, 400)
    assert time.monotonic() - started < 5
    assert CANARY.encode() not in answer.body


def test_broken_bodies_in_chat_too(server, alpha, make_user):
    _, token = make_user()
    for name, body in BROKEN.items():
        answer = raw.bearer(server, alpha, token, "POST", f"/chat/threads?{raw.CHAT}", body=body)
        shows.raw_error(answer, 400), name
        assert CANARY.encode() not in answer.body


def test_nesting_at_the_limit_is_read(server, alpha):
    body = b'{"unknown":' + b"[" * (DEEP - 1) + b"]" * (DEEP - 1) + b"}"
    assert raw.signed(server, alpha, "POST", IDENTITIES, body=body).status == 201


def test_an_empty_body_where_one_may_be_absent(server, alpha):
    assert raw.signed(server, alpha, "POST", IDENTITIES).status == 201


@pytest.mark.parametrize(
    "headers, body",
    [
        ([("Content-Length", "2"), ("Content-Length", "3")], b"{}"),
        ([("Content-Length", "2"), ("Transfer-Encoding", "chunked")], b"0\r\n\r\n"),
        ([("Content-Length", "-1")], b"{}"),
        ([("Content-Length", "2x")], b"{}"),
        ([("Transfer-Encoding", "gzip, identity")], b"{}"),
        ([("Transfer-Encoding", "chunked")], b"zz\r\n{}\r\n0\r\n\r\n"),
        ([("X Y", "space in the name")], b""),
    ],
    ids=lambda value: str(value)[:40],
)
def test_heads_that_could_be_read_in_two_ways_are_refused(server, headers, body):
    """400, 411 or 501, or the connection is closed without an answer: never a success, never a second answer."""
    blob = raw.compose("POST", IDENTITIES, [("Host", f"localhost:{server.port}"), *headers, *raw.JSON], body)
    smuggled = raw.compose("GET", "/health/live", [("Host", f"localhost:{server.port}")])
    with raw.connect(server, source=raw.fresh_address()) as sock:
        sock.sendall(blob + smuggled)
        answered = b""
        try:
            while part := sock.recv(65536):
                answered += part
        except (OSError, TimeoutError):
            pass
    assert b"HTTP/1.1 200" not in answered and b"HTTP/1.1 201" not in answered, answered
    assert answered == b"" or answered.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501")), answered


@pytest.mark.parametrize(
    "hosts",
    [[], ["localhost", "evil.example"], ["evil.example"], ["gamma.localhost"], ["a b"], [""]],
    ids=str,
)
def test_hosts_that_name_no_resource(server, alpha, hosts):
    """No Host, two, or one that is nobody's: refused, whatever key signs. Only the first resource has a default name."""
    port = server.port
    named = [f"{host}:{port}" if host and " " not in host else host for host in hosts]
    signed_for = named[-1] if named else f"localhost:{port}"
    headers = raw.sign(alpha.access_key, "POST", IDENTITIES, signed_for, b"{}")
    every = [
        *(("Host", host) for host in named),
        *headers,
        *raw.JSON,
        ("Content-Length", "2"),
        ("Connection", "close"),
    ]
    answer = raw.exchange(server, raw.compose("POST", IDENTITIES, every, b"{}"), source=raw.fresh_address())
    assert 400 <= answer.status < 500, answer.status


def test_the_caller_may_name_the_request(server, alpha):
    mine = "5f0c9c1e-3d8b-4d0e-9d53-0b0c6f1a2b3c"
    for target, status in ((IDENTITIES, 201), ("/nothing", 404), ("/identities?api-version=1", 400)):
        answer = raw.signed(server, alpha, "POST", target, {}, extra=[("x-ms-client-request-id", mine)])
        assert answer.status == status
        assert answer.headers["x-ms-client-request-id"] == mine
        shows.trace_headers(answer.headers)
    plain = raw.signed(server, alpha, "POST", IDENTITIES, {})
    assert "x-ms-client-request-id" not in plain.headers
    again = raw.signed(server, alpha, "POST", IDENTITIES, {})
    assert plain.headers["x-ms-request-id"] != again.headers["x-ms-request-id"]


@pytest.mark.parametrize("name", ["a" * 5000, "x\x7fy", "<script>"])
def test_an_odd_request_name_is_never_trouble(server, alpha, name):
    answer = raw.signed(server, alpha, "POST", IDENTITIES, {}, extra=[("x-ms-client-request-id", name)])
    assert answer.status in (201, 400)
    assert answer.headers["x-ms-client-request-id"] in (None, name)


def test_many_requests_on_one_connection(server, alpha):
    """Kept alive, each with its own answer, also after an error."""
    with raw.connect(server, "alpha.localhost") as sock:
        for n in range(20):
            target = IDENTITIES if n % 2 else "/nothing"
            headers = [
                ("Host", alpha.host),
                *raw.sign(alpha.access_key, "POST", target, alpha.host, b"{}"),
                *raw.JSON,
            ]
            sock.sendall(raw.compose("POST", target, [*headers, ("Content-Length", "2")], b"{}"))
            assert raw.read(sock, "POST").status == (201 if n % 2 else 404)


def test_pipelined_requests_are_answered_in_order(server):
    head = [("Host", f"localhost:{server.port}")]
    with raw.connect(server) as sock:
        sock.sendall(
            raw.compose("GET", "/health/live", head)
            + raw.compose("GET", "/nothing", [*head, ("Connection", "close")])
        )
        whole = b""
        while part := sock.recv(65536):
            whole += part
    assert whole.count(b"HTTP/1.1 ") == 2
    assert whole.index(b"HTTP/1.1 200") < whole.index(b"HTTP/1.1 404")


def test_other_methods_do_no_harm(server):
    for method in ("HEAD", "OPTIONS", "TRACE", "CONNECT", "BREW"):
        blob = raw.compose(
            method, "/identities", [("Host", f"localhost:{server.port}"), ("Connection", "close")]
        )
        answer = raw.exchange(server, blob, method=method, source=raw.fresh_address())
        # OPTIONS may list the methods there are.
        assert 400 <= answer.status < 500 or (method, answer.status) == ("OPTIONS", 204), (
            method,
            answer.status,
        )

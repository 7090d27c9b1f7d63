"""Access-key signatures by hand: every variant an SDK may make is accepted, everything else is refused."""

import base64
import datetime
import urllib.parse

import pytest
from support import raw, shows

CREATE = f"/identities?{raw.IDENTITY}"
BODY = b"{}"
SKEW = datetime.timedelta(minutes=5)
SECOND = datetime.timedelta(seconds=1)


def send(server, resource, headers, target=CREATE, body=BODY, host=None):
    return raw.request(
        server,
        "POST",
        target,
        [*headers, *raw.JSON],
        body,
        host=host or resource.host,
        source=raw.fresh_address(),
    )


def swap(headers, name, value):
    """The headers with one replaced, or left out if the value is None."""
    kept = [(n, v) for n, v in headers if n != name]
    return kept if value is None else [*kept, (name, value)]


@pytest.fixture
def good(alpha):
    return raw.sign(alpha.access_key, "POST", CREATE, alpha.host, BODY)


def test_the_plain_form_is_accepted(server, alpha, good):
    assert send(server, alpha, good).status == 201


@pytest.mark.parametrize("offset", [-SKEW + SECOND, SKEW - SECOND], ids=["4m59s ago", "4m59s ahead"])
def test_a_clock_within_five_minutes_is_accepted(server, alpha, offset):
    headers = raw.sign(alpha.access_key, "POST", CREATE, alpha.host, BODY, raw.now() + offset)
    assert send(server, alpha, headers).status == 201


# The date counts whole seconds, cut off, and ages on its way: hence the asymmetry on the far side.
@pytest.mark.parametrize(
    "offset",
    [-SKEW - SECOND, SKEW + 3 * SECOND, datetime.timedelta(days=-365), datetime.timedelta(days=365)],
    ids=["5m01s ago", "5m03s ahead", "a year ago", "a year ahead"],
)
def test_a_clock_further_off_is_refused(server, alpha, offset):
    headers = raw.sign(alpha.access_key, "POST", CREATE, alpha.host, BODY, raw.now() + offset)
    shows.raw_error(send(server, alpha, headers), 401, "badKey")


@pytest.mark.parametrize(
    "date", ["", "yesterday", "2024-01-01T00:00:00Z", "Mon, 32 Foo 2024 00:00:00 GMT", "0"]
)
def test_a_date_that_is_none_is_refused(server, alpha, good, date):
    shows.raw_error(send(server, alpha, swap(good, "x-ms-date", date)), 401, "badKey")


@pytest.mark.parametrize("header", ["x-ms-date", "x-ms-content-sha256", "Authorization"])
def test_a_missing_header_is_refused(server, alpha, good, header):
    shows.raw_error(send(server, alpha, swap(good, header, None)), 401, "badKey")


@pytest.mark.parametrize("header", ["x-ms-date", "x-ms-content-sha256", "Authorization"])
def test_a_doubled_header_is_refused(server, alpha, good, header):
    """Also when both are equal: which one was meant is nobody's to guess."""
    value = dict(good)[header]
    shows.raw_error(send(server, alpha, [*good, (header, value)]), 401, "badKey")


def test_two_kinds_of_credential_are_refused(server, alpha, good, make_user):
    _, token = make_user()
    shows.raw_error(send(server, alpha, [*good, ("Authorization", f"Bearer {token}")]), 401, "badKey")


def test_another_body_than_was_signed_is_refused(server, alpha, good):
    shows.raw_error(send(server, alpha, good, body=b'{"createTokenWithScopes":["chat"]}'), 401, "badKey")
    shows.raw_error(send(server, alpha, good, body=b"{ }"), 401, "badKey")


def test_a_body_hash_that_was_not_signed_is_refused(server, alpha, good):
    other = b'{"createTokenWithScopes":["chat"]}'
    headers = swap(good, "x-ms-content-sha256", raw.body_hash(other))
    shows.raw_error(send(server, alpha, headers, body=other), 401, "badKey")


@pytest.mark.parametrize("value", ["", "AAAA", "not base64!", base64.b64encode(b"0" * 32).decode()])
def test_a_body_hash_that_is_none_is_refused(server, alpha, good, value):
    shows.raw_error(send(server, alpha, swap(good, "x-ms-content-sha256", value)), 401, "badKey")


def broken_authorizations(good):
    whole = dict(good)["Authorization"]
    signature = whole.rsplit("=", 1)[0].rsplit("Signature=", 1)[1]
    return {
        "empty": "",
        "scheme alone": "HMAC-SHA256",
        "other scheme": whole.replace("HMAC-SHA256", "HMAC-SHA512"),
        "no signature": whole.split("&")[0],
        "empty signature": whole.split("Signature=")[0] + "Signature=",
        "one bit": whole[:-3] + ("A" if whole[-3] != "A" else "B") + whole[-2:],
        "truncated": whole[:-8],
        "not base64": whole.split("Signature=")[0] + "Signature=!!!!",
        "fewer headers": whole.replace("x-ms-date;host;x-ms-content-sha256", "host"),
        "more headers": whole.replace("x-ms-date;host", "x-ms-date;date;host"),
        "other order": whole.replace("x-ms-date;host", "host;x-ms-date"),
        "basic": "Basic " + base64.b64encode(b"a:b").decode(),
        "bearer": f"Bearer {signature}",
    }


@pytest.mark.parametrize(
    "how", list(broken_authorizations([("Authorization", "HMAC-SHA256 SignedHeaders=x&Signature=aaaa=")]))
)
def test_a_broken_authorization_is_refused(server, alpha, good, how):
    headers = swap(good, "Authorization", broken_authorizations(good)[how])
    shows.raw_error(send(server, alpha, headers), 401)


def test_what_was_signed_is_what_is_asked(server, alpha):
    """Another method, path, query or host than was signed."""
    for method, target, host in (
        ("GET", CREATE, alpha.host),
        ("POST", CREATE + "&x=1", alpha.host),
        ("POST", "/identities", alpha.host),
        ("POST", "/Identities?" + raw.IDENTITY, alpha.host),
        ("POST", CREATE, "example.org"),
        ("POST", CREATE, f"beta.localhost:{server.port}"),
    ):
        headers = raw.sign(alpha.access_key, method, target, host, BODY)
        shows.raw_error(send(server, alpha, headers), 401, "badKey")


def revoke_target(server, resource):
    made = raw.signed(server, resource, "POST", CREATE, {})
    return made.json()["identity"]["id"]


QUERY = f"{raw.IDENTITY}&note=a%20b%7Ec%2Ad%2Be%27"


@pytest.mark.parametrize("form", ["raw", "decoded", "form", "literal colon"])
def test_each_way_to_write_the_target_under_the_signature(server, alpha, form):
    """As on the wire; percent-decoded (Python aio); the query re-encoded as a form (JavaScript)."""
    identity = revoke_target(server, alpha)
    path = f"/identities/{urllib.parse.quote(identity, safe='')}/:revokeAccessTokens"
    if form == "literal colon":
        path = f"/identities/{identity}/:revokeAccessTokens"
    wire = f"{path}?{QUERY}"
    written = {
        "raw": wire,
        "literal colon": wire,
        "decoded": urllib.parse.unquote(wire),
        # WHATWG form rules: space as `+`; `~` and `'` encoded; `*` not.
        "form": f"{path}?{raw.IDENTITY}&note=a+b%7Ec*d%2Be%27",
    }[form]
    headers = raw.sign(alpha.access_key, "POST", written, alpha.host)
    answer = raw.request(server, "POST", wire, headers, host=alpha.host, source=raw.fresh_address())
    assert answer.status == 204, (form, answer.body)


@pytest.mark.parametrize("suffix", ["", "/"])
def test_the_host_with_and_without_a_slash(server, alpha, suffix):
    headers = raw.sign(alpha.access_key, "POST", CREATE, alpha.host + suffix, BODY)
    assert send(server, alpha, headers).status == 201


def test_x_ms_host_is_another_name_to_sign(server, alpha):
    """As recordings are fetched: the URL's host is one, the signed host another, named in `x-ms-host`."""
    other = "contoso.communication.azure.com"
    headers = raw.sign(alpha.access_key, "POST", CREATE, other, BODY)
    assert send(server, alpha, [*headers, ("x-ms-host", other)]).status == 201
    shows.raw_error(send(server, alpha, headers), 401, "badKey")


def test_x_ms_host_chooses_no_resource(server, alpha, beta):
    """It is part of what is signed and nothing more: the Host header alone says which resource is meant."""
    headers = [*raw.sign(beta.access_key, "POST", CREATE, beta.host, BODY), ("x-ms-host", beta.host)]
    shows.raw_error(send(server, alpha, headers), 401, "badKey")


def test_the_first_resource_answers_to_localhost_and_the_address(server, alpha, beta):
    for name in ("localhost", "127.0.0.1"):
        host = f"{name}:{server.port}"
        headers = raw.sign(alpha.access_key, "POST", CREATE, host, BODY)
        made = send(server, alpha, headers, host=host)
        assert made.status == 201, (name, made.body)
        headers = raw.sign(beta.access_key, "POST", CREATE, host, BODY)
        shows.raw_error(send(server, alpha, headers, host=host), 401, "badKey")


def test_host_names_are_the_same_in_any_case(server, alpha):
    host = alpha.host.replace("alpha", "ALPHA")
    headers = raw.sign(alpha.access_key, "POST", CREATE, host, BODY)
    assert send(server, alpha, headers, host=host).status == 201


def test_keys_do_not_open_chat_and_tokens_do_not_open_identity(server, alpha, make_user):
    """There is no service identity in chat, and no user in identity."""
    _, token = make_user("chat", "voip")
    shows.raw_error(raw.signed(server, alpha, "GET", f"/chat/threads?{raw.CHAT}"), 401)
    answer = raw.bearer(server, alpha, token, "POST", CREATE, {}, source=raw.fresh_address())
    assert answer.status in (401, 403)
    shows.raw_error(answer, answer.status)


@pytest.mark.parametrize(
    "credential",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer a.b.c",
        "bearer",
        "Bearer " + "x" * 9000,
        "Basic eA==",
    ],
)
def test_chat_without_a_good_token(server, alpha, credential):
    headers = [] if credential is None else [("Authorization", credential)]
    answer = raw.request(
        server, "GET", f"/chat/threads?{raw.CHAT}", headers, host=alpha.host, source=raw.fresh_address()
    )
    shows.raw_error(answer, 401, "badToken")


def test_a_refusal_tells_nothing_of_the_secret(server, alpha, good):
    headers = swap(good, "Authorization", dict(good)["Authorization"][:-4] + "AAA=")
    answer = send(server, alpha, headers)
    said = answer.body + str(answer.headers).encode()
    assert alpha.access_key.encode() not in said
    assert dict(good)["Authorization"].split("Signature=")[1].encode() not in said


def test_repeated_failures_slow_their_address_down_and_no_other(server, alpha, good):
    """Past 20 failures in a minute an address gets 429 with Retry-After for what does not hold; what holds is let in."""
    address = raw.fresh_address()
    wrong = raw.sign(base64.b64encode(b"w" * 64).decode(), "POST", CREATE, alpha.host, BODY)

    def attempt(headers, source):
        return raw.request(
            server, "POST", CREATE, [*headers, *raw.JSON], BODY, host=alpha.host, source=source
        )

    for _ in range(20):
        shows.raw_error(attempt(wrong, address), 401, "badKey")
    for _ in range(3):
        shows.raw_error(attempt(wrong, address), 429, "throttled")
    assert attempt(good, address).status == 201
    shows.raw_error(attempt(wrong, address), 429, "throttled")
    shows.raw_error(attempt(wrong, raw.fresh_address()), 401, "badKey")

"""The server as a whole: what `dev` promises, health, key set, two geographies in two cells, nothing unsealed."""

import base64
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import jwt
import pytest
from azure.communication.identity import CommunicationIdentityClient
from support import raw, server as servers, shows

IDENTITIES = f"/identities?{raw.IDENTITY}"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_needs_no_credential_and_no_version(server, path):
    for host in ("localhost", "alpha.localhost"):
        answer = raw.request(server, "GET", path, host=f"{host}:{server.port}", source=raw.fresh_address())
        assert answer.status == 200


def key_set(server, resource) -> dict:
    answer = raw.request(server, "GET", "/.well-known/jwks.json", host=resource.host)
    assert answer.status == 200 and "json" in answer.headers["Content-Type"]
    return answer.json()


def test_the_key_set_verifies_a_token(server, alpha, make_user):
    identity, token = make_user("chat", "voip", minutes=90)
    header = jwt.get_unverified_header(token)
    assert header["alg"] == "ES256" and header["typ"] == "JWT"
    keys = jwt.PyJWKSet.from_dict(key_set(server, alpha))
    key = next(key for key in keys.keys if key.key_id == header["kid"])
    payload = jwt.decode(token, key, algorithms=["ES256"], options={"verify_aud": False})
    assert "8:" + payload["skypeid"] == identity
    assert payload["exp"] - payload["iat"] == 90 * 60
    for public in key_set(server, alpha)["keys"]:
        assert public["kty"] == "EC" and public["crv"] == "P-256" and "d" not in public
        # The name of a key is its thumbprint (RFC 7638).
        text = json.dumps(
            {n: public[n] for n in ("crv", "kty", "x", "y")}, separators=(",", ":"), sort_keys=True
        )
        print_of = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        assert public["kid"] == print_of


def test_each_cell_signs_with_its_own_key(server, alpha, beta, make_user):
    _, mine = make_user()
    _, theirs = make_user(resource=beta)
    kids = [jwt.get_unverified_header(token)["kid"] for token in (mine, theirs)]
    assert kids[0] != kids[1]
    assert kids[0] in [key["kid"] for key in key_set(server, alpha)["keys"]]
    assert kids[1] in [key["kid"] for key in key_set(server, beta)["keys"]]


def test_no_token_ever_breaks_the_python_sdk(server, make_user):
    """Its payload must be readable with the standard alphabet: over many tokens, by many scopes and lifetimes."""
    for minutes in range(60, 180):
        payload = make_user("chat", "voip.join", minutes=minutes)[1].split(".")[1]
        assert not set(payload) & set("-_")


def digest(folder: pathlib.Path) -> str:
    whole = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            whole.update(str(file).encode() + file.read_bytes())
    return whole.hexdigest()


def test_two_geographies_land_in_two_cells(server, alpha, beta, make_user):
    assert (alpha.geography, beta.geography) == ("unitedstates", "europe")
    cells = server.data / "cells"
    assert {cell.name for cell in cells.iterdir()} == {"unitedstates", "europe"}
    for geography in ("unitedstates", "europe"):
        assert (cells / geography / "store.sqlite").is_file()
        key = cells / geography / "root.key"
        assert key.is_file() and key.stat().st_mode & 0o077 == 0
    assert (cells / "unitedstates" / "root.key").read_bytes() != (cells / "europe" / "root.key").read_bytes()
    for resource in (alpha, beta):
        before = digest(cells / resource.geography)
        make_user(resource=resource)
        assert digest(cells / resource.geography) != before


def test_what_was_written_rests_sealed(server, alpha, make_user):
    """A first look only (other tests look closer): no word of a chat is in any file of the server or its output."""
    _, token = make_user()
    words = ["canary-topic-7f3a", "canary-content-7f3a", "canary-name-7f3a", "canary-value-7f3a"]
    made = raw.bearer(server, alpha, token, "POST", f"/chat/threads?{raw.CHAT}", {"topic": words[0]})
    thread = made.json()["chatThread"]["id"].replace(":", "%3A").replace("@", "%40")
    message = {"content": words[1], "senderDisplayName": words[2], "metadata": {"k": words[3]}}
    sent = raw.bearer(server, alpha, token, "POST", f"/chat/threads/{thread}/messages?{raw.CHAT}", message)
    assert sent.status == 201
    secrets = [*words, token, token.split(".")[2]]
    for file in [server.log, *(f for f in server.data.rglob("*") if f.is_file())]:
        content = file.read_bytes()
        for secret in secrets:
            assert secret.encode() not in content, (secret, file)


def test_the_ready_file(server):
    ready = server.ready
    assert {"endpoint", "caFile", "pid", "resources"} <= set(ready)
    assert ready["pid"] == server.process.pid
    assert (
        ready["endpoint"] == f"https://localhost:{server.port}"
        or ready["endpoint"] == f"https://localhost:{server.port}/"
    )
    assert pathlib.Path(ready["caFile"]).is_file()
    assert [(r["name"], r["geography"]) for r in ready["resources"]] == [
        ("alpha", "unitedstates"),
        ("beta", "europe"),
    ]
    for resource in server.resources:
        assert resource.host == f"{resource.name}.localhost:{server.port}"
        assert resource.connection_string.startswith(f"endpoint={resource.endpoint.rstrip('/')}")
        assert len(base64.b64decode(resource.access_key, validate=True)) >= 32
    assert server.resources[0].access_key != server.resources[1].access_key


def test_what_a_developer_pastes_is_printed(server, alpha):
    said = server.output()
    # At `localhost`, which every machine resolves, or at the resource's own name.
    assert f"/;accesskey={alpha.access_key}" in said
    assert server.ca_file in said
    for word in ("azure.communication", "@azure/communication-"):
        assert word in said, "samples for Python and JavaScript"


def test_the_ca_by_environment_alone(server, alpha):
    """REQUESTS_CA_BUNDLE and the connection string: no other option of the SDK."""
    program = (
        "import sys; from support import names; names.install()\n"
        "from azure.communication.identity import CommunicationIdentityClient as C\n"
        "print(C.from_connection_string(sys.argv[1]).create_user().raw_id)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, alpha.connection_string],
        env={**os.environ, "REQUESTS_CA_BUNDLE": server.ca_file},
        cwd=pathlib.Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.stdout.startswith("8:acs:"), ran.stderr[-2000:]


def create(server, resource) -> str:
    client = CommunicationIdentityClient.from_connection_string(
        resource.connection_string, connection_verify=server.ca_file, retry_total=0
    )
    return client.create_user().raw_id


def test_state_is_kept_between_runs_and_the_folder_is_held_by_one(tmp_path):
    with servers.running(tmp_path) as first:
        mine = first.resource("alpha")
        identity = create(first, mine)
        # A second start on the same folder ends at once and says who holds it.
        ready = tmp_path / "second.json"
        second = subprocess.run(
            servers.command(first.data, ready),
            capture_output=True,
            text=True,
            timeout=30,
            stdin=subprocess.DEVNULL,
        )
        assert second.returncode != 0 and not ready.exists()
        assert str(first.process.pid) in second.stdout + second.stderr
        # The first goes on.
        assert create(first, mine)
    with servers.running(tmp_path) as again:
        resource = again.resource("alpha")
        assert resource.access_key == mine.access_key
        issued = raw.signed(
            again,
            resource,
            "POST",
            f"/identities/{identity.replace(':', '%3A')}/:issueAccessToken?{raw.IDENTITY}",
            {"scopes": ["chat"]},
        )
        assert issued.status == 200


def test_without_resources_and_with_a_fixed_key(tmp_path):
    key = base64.b64encode(os.urandom(64)).decode()
    with servers.running(tmp_path, resources=(), flags=["--access-key", key]) as server:
        (resource,) = server.resources
        assert resource.access_key == key
        assert create(server, resource).startswith("8:acs:")


@pytest.mark.parametrize(
    "resources",
    [
        ("alpha:atlantis_",),
        ("-bad",),
        ("a b",),
        ("alpha:unitedstates", "alpha:europe"),
        ("UPPER.case",),
        (":europe",),
    ],
    ids=str,
)
def test_bad_resources_are_explained(tmp_path, resources):
    line = servers.command(tmp_path / "data", tmp_path / "ready.json", resources)
    ran = subprocess.run(line, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert ran.returncode != 0 and not (tmp_path / "ready.json").exists()
    assert ran.stderr.strip() and "panicked" not in ran.stderr


def test_a_taken_port_is_explained(tmp_path, server):
    line = servers.command(tmp_path / "data", tmp_path / "ready.json")
    line[line.index("--port") + 1] = str(server.port)
    ran = subprocess.run(line, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert ran.returncode != 0 and not (tmp_path / "ready.json").exists()
    assert str(server.port) in ran.stderr and "panicked" not in ran.stderr


def test_a_stop_waits_for_the_request_under_way(tmp_path):
    """SIGTERM while a body is half sent: the request is still answered, and the end is clean."""
    server = servers.start(tmp_path)
    resource = server.resource("alpha")
    body = b'{"createTokenWithScopes":["chat"]}'
    headers = raw.sign(resource.access_key, "POST", IDENTITIES, resource.host, body)
    every = [("Host", resource.host), *headers, *raw.JSON, ("Content-Length", str(len(body)))]
    with raw.connect(server, "alpha.localhost") as sock:
        sock.sendall(raw.compose("POST", IDENTITIES, every, body[:10]))
        # The server has the half: it answers another request that came after it.
        assert raw.request(server, "GET", "/health/live").status == 200
        server.process.terminate()
        sock.sendall(body[10:])
        answer = raw.read(sock, "POST")
    assert answer.status == 201, answer.body
    assert server.process.wait(servers.STOP_SECONDS) == 0
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_an_acknowledged_write_survives_a_kill(tmp_path):
    server = servers.start(tmp_path)
    identity = create(server, server.resource("alpha"))
    server.process.kill()
    server.process.wait()
    with servers.running(tmp_path) as again:
        resource = again.resource("alpha")
        target = f"/identities/{identity.replace(':', '%3A')}/:issueAccessToken?{raw.IDENTITY}"
        assert raw.signed(again, resource, "POST", target, {"scopes": ["chat"]}).status == 200


def test_success_and_error_both_carry_the_ids(server, alpha):
    for answer in (
        raw.signed(server, alpha, "POST", IDENTITIES, {}),
        raw.request(server, "GET", "/health/live"),
    ):
        shows.trace_headers(answer.headers)

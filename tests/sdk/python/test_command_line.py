"""The verbs that ask a running server, run as a person runs them, and the outbox that they show."""

import json
import pathlib
import subprocess

import pytest
from support import outbox as outboxes, raw, server as servers

EMAIL = "api-version=2023-03-31"


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A server of one resource, `dev`: nothing needs to be named."""
    with servers.running(tmp_path_factory.mktemp("verbs"), resources=["dev"]) as running:
        yield running


@pytest.fixture
def outbox(one):
    outbox = outboxes.Outbox(one, "dev")
    outbox.clear()
    outbox.rules()
    return outbox


def run(server, *words, code=0, reach=None) -> str:
    """Runs a verb against the server's data folder; its output, on failure that of its error stream."""
    line = [servers.binary(), *words, *(reach or ["--data", str(server.data)])]
    ended = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert ended.returncode == code, (line, ended.stdout, ended.stderr)
    return ended.stdout if code == 0 else ended.stdout + ended.stderr


def run_json(server, *words):
    return json.loads(run(server, *words, "--json"))


def send(server, *to, subject="Bill", **content):
    body = {
        "senderAddress": "donotreply@dev.chancery.test",
        "content": {"subject": subject, "plainText": "Please pay.", **content},
        "recipients": {"to": [{"address": address} for address in to]},
    }
    sent = raw.signed(server, server.resource("dev"), "POST", f"/emails:send?{EMAIL}", body)
    assert sent.status == 202, (sent.status, sent.body)
    return sent.json()["id"]


def test_a_mail_is_listed_shown_and_deleted(one, outbox):
    operation = send(one, "ada@example.org", html="<p>Please <b>pay</b>.</p>")
    [item] = outbox.wait("ada@example.org")
    assert (item["messageId"], item["subject"], item["kind"]) == (operation, "Bill", "mail")
    message = outbox.message(item)
    assert message["Subject"] == "Bill" and message.get_body(("html",)).get_content().startswith("<p>Please")
    listed = run(one, "outbox", "list")
    assert "ada@example.org" in listed and "accepted" in listed and "Bill" in listed
    assert run_json(one, "outbox", "list", "--to", "ADA@example.org")["value"] == [item]
    assert run_json(one, "outbox", "list", "--kind", "text")["value"] == []
    shown = run(one, "outbox", "show", item["id"][:20])
    assert "Subject   Bill" in shown and "Please pay." in shown
    written = subprocess.run(
        [servers.binary(), "outbox", "show", item["id"], "--raw", "--data", str(one.data)], capture_output=True, check=True
    )
    assert written.stdout == outbox.bytes(item)
    assert run(one, "outbox", "clear") == "Deleted: 1.\n"
    assert run(one, "outbox", "list") == "Nothing was captured.\n"


@pytest.mark.parametrize(
    "address, outcome, rule",
    [("bounce@example.org", "refused", "bounce"), ("refuse+7@example.org", "refused", "refuse"), ("fail-receipt@example.org", "accepted", "fail-receipt")],
)
def test_plain_addresses_fail(one, outbox, address, outcome, rule):
    send(one, address)
    [item] = outbox.wait(address)
    assert item["to"] == [{"address": address, "outcome": outcome, "rule": rule, "attempts": 1}]


def test_rules_are_added_and_removed(one, outbox):
    added = run(one, "outbox", "rules", "add", "Full@*", "bounce", "--code", "552")
    assert "full@*" in added and "552" in added and "built in" in added
    run(one, "outbox", "rules", "add", "first@*", "refuse")
    assert [rule["match"] for rule in run_json(one, "outbox", "rules", "list")["rules"]] == ["first@*", "full@*"]
    send(one, "full@example.org")
    [item] = outbox.wait("full@example.org")
    assert item["to"][0]["rule"] == "bounce"
    run(one, "outbox", "rules", "remove", "FULL@*")
    assert "0 rules fit" in run(one, "outbox", "rules", "remove", "full@*", code=1)
    assert "first@*" not in run(one, "outbox", "rules", "remove", "--all")
    said = run(one, "outbox", "rules", "add", "x@*", "slow", "--seconds", "61", code=1)
    assert "seconds must be 1 to 60" in said


def test_the_queue_is_paused_listed_and_drained(one, outbox):
    assert "paused" in run(one, "queue", "pause", "--kind", "mail")
    send(one, "paused@example.org")
    lines = run_json(one, "queue", "list")["value"]
    [mail] = [line for line in lines if line["kind"] == "mail"]
    assert mail["paused"] and mail["waiting"] + mail["underWay"] >= 1, lines
    assert "queue resume" in run(one, "queue", "drain", "--kind", "mail", code=1)
    run(one, "queue", "resume", "--kind", "mail")
    assert run(one, "queue", "drain", "--timeout", "60") == "Nothing waits.\n"
    assert len(outbox.find("paused@example.org")) == 1


def test_domains_and_suppressions(one, outbox):
    added = run(one, "domains", "add", "mail.contoso.example")
    assert "is not verified yet" in added and "chancery domains verify mail.contoso.example" in added
    assert "mail.contoso.example" in run(one, "domains", "list")
    run(one, "domains", "sender", "mail.contoso.example", "news", "--display-name", "News")
    shown = run_json(one, "domains", "show", "mail.contoso.example")
    assert "news" in [sender["username"] for sender in shown["senderUsernames"]]
    run(one, "domains", "remove", "mail.contoso.example")
    run(one, "suppressions", "add", "ada@suppressed.example")
    reasons = {entry["address"]: entry["reason"] for entry in run_json(one, "suppressions", "list")["value"]}
    assert reasons["ada@suppressed.example"] == "Manual"
    assert "for good" in run(one, "suppressions", "explain", "ada@suppressed.example")
    run(one, "suppressions", "remove", "ada@suppressed.example")
    assert run(one, "suppressions", "explain", "ada@suppressed.example") == "Mail to this address is sent.\n"


def test_numbers_are_imported_and_listed(one, tmp_path):
    rows = tmp_path / "numbers.csv"
    lines = [f"+1425555{n:04},US,geographic,inbound,outbound" for n in range(300, 310)]
    rows.write_text("\n".join(["number,country,type,calling,sms", *lines, ""]))
    assert "added: 10" in run(one, "numbers", "import", str(rows))
    listed = run_json(one, "numbers", "list")["value"]
    assert {"+14255550300", "+14255550309"} <= {line["number"] for line in listed}
    assert "+14255550305" in run(one, "numbers", "list") and "FREE" in run(one, "numbers", "offers")
    rows.write_text("number,country,type,calling,sms\n+14255550100,US,carrier-pigeon,inbound,outbound\n")
    assert "line 2" in run(one, "numbers", "import", str(rows), code=1)


def test_events_are_subscribed_to(one):
    assert "events add" in run(one, "events", "list")
    assert "400" in run(one, "events", "add", "orders", "--url", "ftp://localhost/hook", code=1)
    assert "404" in run(one, "events", "show", "orders", code=1)
    added = run(one, "events", "add", "orders", "--url", "https://localhost:9/hook", "--type", "Microsoft.Communication.SMSReceived")
    assert "Types           SMSReceived" in added
    assert "https://localhost:9/hook" in run(one, "events", "list")
    assert run(one, "events", "dead-letters", "orders") == "Everything was delivered.\n"
    run(one, "events", "remove", "orders")
    assert "404" in run(one, "events", "show", "orders", code=1)


def test_a_server_is_found_in_each_way(one, outbox, tmp_path):
    token = tmp_path / "token"
    token.write_text(one.ready["adminToken"] + "\n")
    ready = tmp_path / "ready.json"
    ready.write_text(json.dumps(one.ready))
    by_address = ["--endpoint", one.endpoint, "--ca", one.ca_file, "--token-file", str(token)]
    for reach in (by_address, ["--ready-file", str(ready)]):
        assert run(one, "outbox", "list", reach=reach) == "Nothing was captured.\n"
    token.write_text("x" * 40)
    assert "--token-file" in run(one, "outbox", "list", reach=by_address, code=1)
    strange = ["--endpoint", one.endpoint, "--token-file", str(token)]
    bundle = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
    if bundle.exists():
        assert "--ca FILE" in run(one, "outbox", "list", reach=strange, code=1)
    assert "chancery dev --data" in run(one, "outbox", "list", reach=["--data", str(tmp_path)], code=1)
    assert "--endpoint" in run(one, "outbox", "list", reach=["--endpoint", "https://localhost"], code=2)


def test_several_resources_must_be_named(server):
    said = run(server, "outbox", "list", code=1)
    assert "--resource" in said and "alpha, beta" in said
    assert run(server, "outbox", "list", "--resource", "beta") == "Nothing was captured.\n"
    assert "404" in run(server, "outbox", "list", "--resource", "gamma", code=1)

"""Mail sent with the unmodified SDK arrives in Postfix's mailboxes as it was meant, signed, over TLS, once."""

import base64
import re

import dkim
import pytest
from conftest import DOMAIN, THEIRS
from postfix import parsed

SENDER = f"donotreply@{DOMAIN}"


def message(*to, **content):
    content = {"subject": "Your appointment", "plainText": "Tomorrow.\n.At nine.\n", **content}
    return {"senderAddress": SENDER, "recipients": {"to": [{"address": one} for one in to]}, "content": content}


def signatures(raw: bytes, dns) -> list[str]:
    """The algorithms of the signatures, each of which must verify."""
    found = re.findall(rb"^DKIM-Signature: .*?(?=^\S)", raw, re.M | re.S)
    ask = lambda name, timeout=5: "".join(dns.texts(name.decode() if isinstance(name, bytes) else name)).encode()
    for at in range(len(found)):
        assert dkim.DKIM(raw).verify(idx=at, dnsfunc=ask), found[at]
    return sorted(re.search(rb"a=([a-z0-9-]+)", one).group(1).decode() for one in found)


def test_a_mail_arrives_over_tls_and_its_signatures_verify(direct):
    mail = direct.send(
        {
            **message(f"ada@{THEIRS}", subject="Grüße aus Zürich: 漢字", html="<p>Größe <img src='cid:map'></p>" * 50),
            "replyTo": [{"address": f"help@{DOMAIN}", "displayName": "Help, \"desk\""}],
            "headers": {"X-Campaign": "autumn"},
            "attachments": [
                {
                    "name": "plän.pdf",
                    "contentType": "application/pdf",
                    "contentInBase64": base64.b64encode(b"%PDF-1" * 1000).decode(),
                }
            ],
        }
    )
    assert direct.fates(mail) == {f"ada@{THEIRS}": "Delivered"}
    [raw] = direct.postfix.wait("ada")
    got = parsed(raw)
    assert got["Subject"] == "Grüße aus Zürich: 漢字" and got["X-Campaign"] == "autumn"
    assert got["Reply-To"].addresses[0].display_name == 'Help, "desk"'
    assert got.get_body(("plain",)).get_content().splitlines() == ["Tomorrow.", ".At nine."]
    assert got.get_body(("html",)).get_content().count("Größe") == 50
    [file] = got.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("plän.pdf", b"%PDF-1" * 1000)
    assert "TLSv1.3" in got["Received"], got["Received"]
    assert got["Return-Path"].strip("<>") != SENDER, "bounces have an address of their own"
    assert "rsa-sha256" in signatures(raw, direct.dns)
    assert all(byte < 128 for byte in raw)


def test_a_changed_mail_does_not_verify(direct):
    direct.send(message(f"eve@{THEIRS}"))
    [raw] = direct.postfix.wait("eve")
    assert signatures(raw, direct.dns)
    with pytest.raises(AssertionError):
        signatures(raw.replace(b"Tomorrow", b"Yesterday"), direct.dns)
    with pytest.raises(AssertionError):
        signatures(raw.replace(b"Subject: Your", b"Subject: My"), direct.dns)


def test_hidden_recipients_are_hidden(direct):
    asked = message(f"bob@{THEIRS}")
    asked["recipients"]["bcc"] = [{"address": f"hidden@{THEIRS}"}]
    mail = direct.send(asked)
    assert set(direct.fates(mail).values()) == {"Delivered"}
    for user in ("bob", "hidden"):
        [raw] = direct.postfix.wait(user)
        head = raw.split(b"\r\n\r\n", 1)[0]
        visible = b"\r\n".join(line for line in head.split(b"\r\n") if b"Delivered-To" not in line and b"X-Original-To" not in line)
        assert b"hidden@" not in visible.replace(b"for <hidden@", b""), visible


def test_nobody_there_is_a_bounce_and_the_next_is_suppressed(direct):
    gone = f"gone@{THEIRS}"
    mail = direct.send(message(gone, f"many@{THEIRS}"))
    assert direct.fates(mail) == {gone: "Bounced", f"many@{THEIRS}": "Delivered"}
    [entry] = direct.operator("POST", "/suppressions:explain", {"address": gone})["value"]
    assert entry["reason"] == "HardBounce"
    again = direct.send(message(gone, f"many@{THEIRS}"))
    assert direct.fates(again)[gone] == "Suppressed"
    assert len(direct.postfix.wait("many", 2)) == 2


def test_domains_that_take_no_mail(direct):
    mail = direct.send(message("a@null.example", "a@nowhere.example"))
    assert direct.fates(mail) == {"a@null.example": "Bounced", "a@nowhere.example": "Bounced"}


def test_a_mail_waits_for_a_server_that_is_away(direct):
    direct.postfix.stop()
    try:
        mail = direct.send(message(f"late@{THEIRS}"))
    finally:
        direct.postfix.start()
    assert direct.fates(mail, 120) == {f"late@{THEIRS}": "Delivered"}
    assert len(direct.postfix.raw("late")) == 1


def test_through_a_smart_host_that_proves_who_it_is(smart):
    mail = smart.send(message(f"smart@{THEIRS}", f"nobody@{THEIRS}"))
    assert smart.fates(mail) == {f"smart@{THEIRS}": "Delivered", f"nobody@{THEIRS}": "Bounced"}
    [raw] = smart.postfix.wait("smart")
    assert "TLSv1.3" in parsed(raw)["Received"]
    assert signatures(raw, smart.dns)

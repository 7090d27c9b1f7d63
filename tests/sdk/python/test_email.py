"""Every operation of the email SDK: mail is accepted, goes out, and what became of it is told."""

import base64
import time
import uuid

import pytest
from azure.core.exceptions import HttpResponseError
from support import mailing, raw
from support.mailing import captured, fates, message, operator, send

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=")


def someone() -> str:
    return f"{uuid.uuid4().hex}@example.com"


async def test_a_mail_is_sent_and_the_operation_succeeds(sdk):
    to = someone()
    result = await send(mailing.client(sdk), message(to))
    assert set(result) == {"id", "status"} or result.get("error") is None
    assert result["status"] == "Succeeded"
    assert str(uuid.UUID(result["id"])) == result["id"]
    item = captured(sdk.server, result["id"])
    assert [one["address"] for one in item["to"]] == [to]
    assert mailing.sender() in item["from"] and item["subject"] == "Hello ☃"
    assert fates(sdk.server, result["id"]) == {to: "Delivered"}


async def test_everything_that_a_mail_can_have(sdk):
    to, cc, bcc = someone(), someone(), someone()
    mail = message(
        recipients={
            "to": [{"address": to, "displayName": "Ada Lovelace"}],
            "cc": [{"address": cc, "displayName": "Bücher & Co"}],
            "bcc": [{"address": bcc}],
        },
        replyTo=[{"address": "help@example.com", "displayName": "Help"}],
        headers={"X-Order": "17", "Importance": "high"},
        attachments=[
            {
                "name": "größe.txt",
                "contentType": "text/plain",
                "contentInBase64": base64.b64encode("Grüße".encode()).decode(),
            },
            {
                "name": "pixel.png",
                "contentType": "image/png",
                "contentInBase64": base64.b64encode(PIXEL).decode(),
                "contentId": "pixel",
            },
        ],
        userEngagementTrackingDisabled=True,
    )
    mail["content"]["html"] = '<p>see <img src="cid:pixel"></p>'
    result = await send(mailing.client(sdk), mail)
    assert result["status"] == "Succeeded"
    assert fates(sdk.server, result["id"]) == dict.fromkeys((to, cc, bcc), "Delivered")
    item = captured(sdk.server, result["id"])["mail"]
    headers = {header["name"].lower(): header["value"] for header in item["headers"]}
    assert to in headers["to"] and "Ada Lovelace" in headers["to"]
    assert cc in headers["cc"] and "Help" in headers["reply-to"]
    assert headers["x-order"] == "17" and headers["importance"] == "high"
    assert "bcc" not in headers and bcc not in item["raw"]
    assert "dkim-signature" in headers
    assert "cid:pixel" in item["html"] and item["text"].strip() == "a text"
    files = {file["name"]: file for file in item["attachments"]}
    assert base64.b64decode(files["größe.txt"]["content"]).decode() == "Grüße"
    assert base64.b64decode(files["pixel.png"]["content"]) == PIXEL
    assert files["pixel.png"]["contentId"] == "pixel"


async def test_text_alone_and_html_alone(sdk):
    email = mailing.client(sdk)
    for content in ({"subject": "s", "plainText": "only text"}, {"subject": "s", "html": "<p>only html</p>"}):
        result = await send(email, message(someone(), content=content))
        assert result["status"] == "Succeeded"


async def test_an_operation_id_of_the_clients_own_sends_once(sdk):
    email, chosen = mailing.client(sdk), str(uuid.uuid4())
    first = await send(email, message(someone()), operation_id=chosen)
    assert first["id"] == chosen and first["status"] == "Succeeded"
    again = await send(email, message(someone()), operation_id=chosen)
    assert again["id"] == chosen
    assert len(fates(sdk.server, chosen)) == 1


async def test_a_poller_goes_on_from_its_token(sdk):
    email = mailing.client(sdk)
    poller = await email.begin_send(message(someone()), **mailing.POLLS)
    token = poller.continuation_token()
    resumed = await email.begin_send(message(someone()), continuation_token=token, **mailing.POLLS)
    one, other = await mailing.outcome(poller), await mailing.outcome(resumed)
    assert one["id"] == other["id"]


async def test_ten_megabytes_after_base64_are_taken(sdk):
    content = base64.b64encode(b"x" * 7_500_000).decode()
    file = {"name": "big.bin", "contentType": "application/octet-stream", "contentInBase64": content}
    mail = message(someone(), attachments=[file])
    result = await send(mailing.client(sdk), mail)
    assert result["status"] == "Succeeded"


async def test_fifty_recipients_get_it(sdk):
    addresses = [someone() for _ in range(50)]
    result = await send(mailing.client(sdk), message(*addresses))
    assert fates(sdk.server, result["id"]) == dict.fromkeys(addresses, "Delivered")


async def test_a_bounce_is_told_and_the_address_left_alone(sdk):
    email = mailing.client(sdk)
    gone = f"bounce@{uuid.uuid4().hex}.example"
    first = await send(email, message(gone))
    assert first["status"] == "Succeeded", "it was out for delivery"
    assert fates(sdk.server, first["id"]) == {gone: "Bounced"}
    found = operator(sdk.server, "POST", "email/suppressions:explain", {"address": gone})["value"]
    assert [(one["reason"], one["messageId"]) for one in found] == [("HardBounce", first["id"])]

    with pytest.raises(HttpResponseError):
        await send(email, message(gone))
    both = await send(email, message(gone, someone()))
    assert sorted(fates(sdk.server, both["id"]).values()) == ["Delivered", "Suppressed"]

    operator(sdk.server, "DELETE", f"email/suppressions/{found[0]['id']}")
    again = await send(email, message(gone))
    assert fates(sdk.server, again["id"]) == {gone: "Bounced"}, "it was tried again"


async def test_a_refusal_that_is_no_bounce_suppresses_nobody(sdk):
    email, to = mailing.client(sdk), f"refuse@{uuid.uuid4().hex}.example"
    result = await send(email, message(to))
    assert fates(sdk.server, result["id"])[to] in ("Failed", "FilteredSpam")
    assert operator(sdk.server, "POST", "email/suppressions:explain", {"address": to})["value"] == []


def test_the_answers_on_the_wire(server, alpha):
    for version in (mailing.VERSION, mailing.OLD_VERSION):
        asked = raw.signed(server, alpha, "POST", f"/emails:send?{version}", message(someone()))
        assert asked.status == 202
        body = asked.json()
        assert set(body) == {"id", "status"} and body["status"] == "Running"
        assert 1 <= int(asked.headers["Retry-After"]) <= 60
        location = asked.headers["Operation-Location"]
        assert location == f"{alpha.endpoint}/emails/operations/{body['id']}?{version}"
        deadline = time.monotonic() + 10
        while True:
            target = location[len(alpha.endpoint) :]
            polled = raw.signed(server, alpha, "GET", target)
            assert polled.status == 200 and polled.json()["id"] == body["id"]
            if polled.json()["status"] != "Running":
                break
            assert "Retry-After" in polled.headers and time.monotonic() < deadline
            time.sleep(0.1)
        assert polled.json() == {"id": body["id"], "status": "Succeeded"}
        assert "Retry-After" not in polled.headers


def test_the_failed_operation_says_why(server, alpha):
    to = someone()
    operator(server, "POST", "email/suppressions", {"address": to})
    asked = raw.signed(server, alpha, "POST", f"/emails:send?{mailing.VERSION}", message(to))
    assert asked.status == 202
    assert asked.json()["status"] == "Running"
    polled = raw.signed(server, alpha, "GET", f"/emails/operations/{asked.json()['id']}?{mailing.VERSION}")
    assert polled.status == 200 and polled.json() == {
        "id": asked.json()["id"],
        "status": "Failed",
        "error": {
            "code": "EmailDroppedAllRecipientsSuppressed",
            "message": "Message dropped because all recipients were suppressed",
        },
    }
    assert "Retry-After" not in polled.headers
    assert fates(server, asked.json()["id"]) == {to: "Suppressed"}

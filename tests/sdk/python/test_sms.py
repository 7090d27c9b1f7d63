"""Sending texts through the SDK, and every refusal of one; what the SDK has no call for, by hand."""

import base64
import re

import pytest
from support import raw, shows

NAME, SHORT_CODE = "CONTOSO", "55555"
TO, OTHER = "+14255550100", "+14255550101"
NOT_OURS = "+18335550199"
NEW = "api-version=2026-01-23"
MESSAGE_ID = re.compile(r"^Outgoing_\d{14}[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
DATE = "Mon, 01 Apr 2019 06:22:03 GMT"


def body(to, sender=NAME, message="hello", **recipient):
    return {
        "from": sender,
        "smsRecipients": [{"to": number, **recipient} for number in to],
        "message": message,
        "smsSendOptions": {"enableDeliveryReport": True, "tag": "blue"},
    }


def accepted(result, to):
    assert result.successful and result.http_status_code == 202 and result.to == to, result
    assert MESSAGE_ID.match(result.message_id) and result.error_message is None, result


async def test_one_recipient(sdk):
    (result,) = await sdk.sms().send(NAME, TO, "hello", enable_delivery_report=True, tag="blue")
    accepted(result, TO)


async def test_several_recipients_have_each_an_id(sdk):
    results = await sdk.sms().send(SHORT_CODE, [TO, OTHER, TO], "grüße \N{GRINNING FACE}")
    for result, to in zip(results, [TO, OTHER, TO], strict=True):
        accepted(result, to)
    assert len({result.message_id for result in results}) == 3


async def test_a_wrong_number_among_good_ones_fails_alone(sdk):
    good, wrong = await sdk.sms().send(NAME, [TO, "+112345678901"], "hello")
    accepted(good, TO)
    assert (wrong.successful, wrong.http_status_code, wrong.message_id) == (False, 400, None)
    assert wrong.error_message == "Invalid To phone number format."


async def test_a_hundred_recipients_and_no_more(sdk):
    numbers = [f"+1425555{n:04}" for n in range(101)]
    results = await sdk.sms().send(NAME, numbers[:100], "hello")
    assert all(result.successful for result in results) and len(results) == 100
    with shows.fails(400, "invalid"):
        await sdk.sms().send(NAME, numbers, "hello")
    with shows.fails(400, "invalid"):
        await sdk.sms().send(NAME, [], "hello")


async def test_the_longest_message_and_one_longer(sdk):
    (result,) = await sdk.sms().send(NAME, TO, "x" * 2048)
    accepted(result, TO)
    (result,) = await sdk.sms().send(NAME, TO, "")
    accepted(result, TO)
    with shows.fails(400, "invalid"):
        await sdk.sms().send(NAME, TO, "x" * 2049)


@pytest.mark.parametrize("sender", [NOT_OURS, "66666", "ABCDEFGHIJKL", "+1", "Ad155500000000000"])
async def test_a_sender_of_somebody_else_is_401(sdk, sender):
    with shows.fails(401, "senderNotOwned"):
        await sdk.sms().send(sender, TO, "hello")


async def test_many_wrong_senders_lock_nobody_out(sdk):
    for _ in range(25):
        with shows.fails(401, "senderNotOwned"):
            await sdk.sms().send(NOT_OURS, TO, "hello")
    (result,) = await sdk.sms().send(NAME, TO, "hello")
    accepted(result, TO)


async def test_a_sole_recipient_that_is_no_number_is_400(sdk):
    with shows.fails(400, "invalid"):
        await sdk.sms().send(NAME, "Ad155500000000000", "hello")


async def test_a_wrong_key_is_401(sdk):
    wrong = base64.b64encode(b"w" * 64).decode()
    client = sdk.sms_with_key(sdk.server.resource("alpha").endpoint, wrong)
    with shows.fails(401, "badKey"):
        await client.send(NAME, TO, "hello")
    client = sdk.sms_with_key(
        sdk.server.resource("alpha").endpoint, sdk.server.resource("beta").access_key
    )
    with shows.fails(401, "badKey"):
        await client.send(NAME, TO, "hello")


def test_the_same_request_again_gives_the_first_result(server, alpha):
    asked = body([TO], repeatabilityRequestId="fda6d242-46aa-4247-8bf6-619a1206f9c3", repeatabilityFirstSent=DATE)
    first = raw.signed(server, alpha, "POST", f"/sms?{NEW}", asked)
    assert first.status == 202
    (item,) = first.json()["value"]
    assert item["repeatabilityResult"] == "accepted" and MESSAGE_ID.match(item["messageId"])
    assert raw.signed(server, alpha, "POST", f"/sms?{NEW}", asked).json() == first.json()
    asked["smsRecipients"][0]["repeatabilityRequestId"] = "0da6d242-46aa-4247-8bf6-619a1206f9c3"
    assert raw.signed(server, alpha, "POST", f"/sms?{NEW}", asked).json() != first.json()


@pytest.mark.parametrize("date", [None, "", "yesterday", "2019-04-01T06:22:03Z"])
def test_a_repeatable_text_says_when_it_was_first_sent(server, alpha, date):
    asked = body([TO], repeatabilityRequestId="1da6d242-46aa-4247-8bf6-619a1206f9c3")
    if date is not None:
        asked["smsRecipients"][0]["repeatabilityFirstSent"] = date
    answer = raw.signed(server, alpha, "POST", f"/sms?{NEW}", asked)
    (item,) = answer.json()["value"]
    assert (answer.status, item["httpStatusCode"], item["repeatabilityResult"]) == (202, 400, "rejected")
    assert item["errorMessage"].startswith("Request sent with Invalid DateTime value")


@pytest.mark.parametrize("name", ["from", "smsRecipients", "message"])
def test_what_is_required_is_required(server, alpha, name):
    asked = body([TO])
    del asked[name]
    shows.raw_error(raw.signed(server, alpha, "POST", f"/sms?{NEW}", asked), 400, "invalid")


@pytest.mark.parametrize("seconds,status", [(59, 400), (60, 202), (43200, 202), (43201, 400), (60.5, 400)])
def test_the_wait_for_a_report_has_bounds(server, alpha, seconds, status):
    asked = body([TO])
    asked["smsSendOptions"]["deliveryReportTimeoutInSeconds"] = seconds
    assert raw.signed(server, alpha, "POST", f"/sms?{NEW}", asked).status == status


def test_partners_are_not_there(server, alpha):
    asked = body([TO])
    asked["smsSendOptions"]["messagingConnect"] = {"apiKey": "k", "partner": "p"}
    error = shows.raw_error(raw.signed(server, alpha, "POST", f"/sms?{NEW}", asked), 400, "invalid")
    assert error["message"] == "MessagingConnect option is not matching with the number information."
    del asked["smsSendOptions"]["messagingConnect"]["apiKey"]
    shows.raw_error(raw.signed(server, alpha, "POST", f"/sms?{NEW}", asked), 400, "invalid")


def test_a_delivery_report_can_be_asked_for(server, alpha):
    sent = raw.signed(server, alpha, "POST", f"/sms?{NEW}", body([TO])).json()["value"][0]
    report = raw.signed(server, alpha, "GET", f"/deliveryReports/{sent['messageId']}?{NEW}")
    assert report.status == 200
    said = report.json()
    assert said["messageId"] == sent["messageId"]
    assert (said["from"], said["to"], said["tag"]) == (NAME, TO, "blue")
    assert said["deliveryStatus"] in ("Pending", "Delivered")
    missing = raw.signed(server, alpha, "GET", f"/deliveryReports/{sent['messageId'][:-1]}0?{NEW}")
    if missing.status == 200:  # one in sixteen ends like that
        return
    assert missing.status == 404 and missing.json()["status"] == 404
    assert missing.json()["type"] == "https://tools.ietf.org/html/rfc9110#section-15.5.5"
    shows.raw_error(
        raw.signed(server, alpha, "GET", f"/deliveryReports/{sent['messageId']}?api-version=2021-03-07"),
        400,
        "unsupportedVersion",
    )


def test_opt_outs_by_hand(server, alpha):
    """The Python SDK has no opt-outs; the preview of the JavaScript one has, and is tested there."""

    def opt_outs(verb, sender=SHORT_CODE, to=("+14255550177", "12")):
        asked = {"from": sender, "recipients": [{"to": number} for number in to]}
        return raw.signed(server, alpha, "POST", f"/sms/optouts:{verb}?{NEW}", asked)

    for verb, known in (("add", True), ("remove", False)):
        items = opt_outs(verb).json()["value"]
        assert items[0] == {"to": "+14255550177", "httpStatusCode": 200}
        assert items[1]["errorMessage"] == "Invalid recipient phone number format"
        assert opt_outs("check").json()["value"][0]["isOptedOut"] is known
    shows.raw_error(opt_outs("add", NOT_OURS), 401, "senderNotOwned")
    shows.raw_error(opt_outs("add", NAME), 400, "invalid")
    shows.raw_error(opt_outs("add", to=()), 400, "invalid")
    shows.raw_error(opt_outs("add", to=["+14255550177"] * 101), 400, "invalid")

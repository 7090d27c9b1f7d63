"""Every refusal of the email operations, through the SDK and, where the SDK would not send it, by hand."""

import base64
import uuid

import pytest
from support import mailing, raw, shows
from support.mailing import message, operator, send

ADA = "ada@example.com"
FILE = {"name": "a.txt", "contentType": "text/plain", "contentInBase64": "aGVsbG8="}


async def refused(email, mail, status=400, code="BadRequest"):
    with shows.fails(status) as seen:
        await send(email, mail)
    assert seen["error"]["code"] == code, seen
    assert seen["headers"]["x-ms-error-code"] == code
    return seen["error"]["message"]


async def test_a_wrong_key_and_that_of_another_resource_are_401(sdk):
    alpha, beta = sdk.server.resource("alpha"), sdk.server.resource("beta")
    wrong = base64.b64encode(b"w" * 64).decode()
    for key in (wrong, beta.access_key):
        with shows.fails(401, "badKey"):
            await send(mailing.client_with_key(sdk, alpha.endpoint, key), message())


async def test_a_domain_that_is_not_linked_is_404(sdk):
    email = mailing.client(sdk)
    for foreign in ("donotreply@example.com", mailing.sender("beta"), "donotreply@x.alpha.chancery.test"):
        said = await refused(email, message(senderAddress=foreign), 404, "DomainNotLinked")
        assert said == "The specified sender domain has not been linked."


async def test_a_sender_that_is_not_registered_is_400(sdk):
    mail = message(senderAddress="info@alpha.chancery.test")
    said = await refused(mailing.client(sdk), mail, 400, "InvalidSenderUserName")
    assert "valid usernames" in said and "info" not in said


@pytest.mark.parametrize(
    "change, path",
    [
        ({"senderAddress": None}, "senderAddress"),
        ({"senderAddress": ""}, "senderAddress"),
        ({"content": None}, "content"),
        ({"content": {"plainText": "t"}}, "content.subject"),
        ({"content": {"subject": "s"}}, "content"),
        ({"recipients": None}, "recipients"),
        ({"recipients": {"to": []}}, "recipients.to"),
        ({"recipients": {"cc": [{"address": ADA}]}}, "recipients.to"),
        ({"recipients": {"to": [{"displayName": "Ada"}]}}, "recipients.to[0].address"),
        ({"recipients": {"to": [{"address": ADA, "displayName": None}]}}, "recipients.to[0].displayName"),
        ({"replyTo": [{}]}, "replyTo[0].address"),
        ({"attachments": [{**FILE, "name": ""}]}, "attachments[0].name"),
        ({"attachments": [FILE, {**FILE, "contentInBase64": None}]}, "attachments[1].contentInBase64"),
        ({"attachments": [{**FILE, "contentType": "nonsense"}]}, "attachments[0].contentType"),
        ({"attachments": [{**FILE, "name": "run.exe"}]}, "attachments[0].name"),
        ({"attachments": [{**FILE, "contentId": "a"}, {**FILE, "contentId": "a"}]}, "attachments[1].contentId"),
        ({"headers": {"Subject": "mine"}}, "headers"),
        ({"headers": {"bad name": "x"}}, "headers"),
    ],
)
async def test_a_body_that_breaks_a_rule_is_400_and_says_where(sdk, change, path):
    said = await refused(mailing.client(sdk), {**message(), **change})
    assert said == f"Request body validation error. See property '{path}'"


async def test_what_is_not_base64_is_400(sdk):
    mail = message(attachments=[{**FILE, "contentInBase64": "!!!"}])
    said = await refused(mailing.client(sdk), mail)
    assert said == "Request body validation error. ContentBytes invalid. Should be base64."


@pytest.mark.parametrize("bad", ["ada", "ada@", "a da@example.com", "<ada@example.com>", "ada@exa mple.com"])
async def test_what_is_no_address_is_400(sdk, bad):
    for mail in (
        message(bad),
        message(recipients={"to": [{"address": ADA}], "bcc": [{"address": bad}]}),
        message(replyTo=[{"address": bad}]),
        message(senderAddress=bad),
    ):
        said = await refused(mailing.client(sdk), mail)
        assert "Invalid format for email address" in said and bad not in said


async def test_more_than_fifty_recipients_are_400(sdk):
    said = await refused(mailing.client(sdk), message(*[f"a{n}@example.com" for n in range(51)]))
    assert "recipients" in said


def test_more_than_ten_megabytes_are_413(server, alpha):
    # By hand: an SDK that is still sending may see the connection end before it sees the answer.
    content = base64.b64encode(b"x" * 8_000_000).decode()
    mail = message(attachments=[{**FILE, "contentInBase64": content}])
    answer = raw.signed(server, alpha, "POST", f"/emails:send?{mailing.VERSION}", mail)
    error = shows.raw_error(answer, 413)
    assert error["code"] == "PayloadTooLarge"


async def test_an_operation_id_that_is_no_uuid_is_400(sdk):
    with shows.fails(400) as seen:
        await send(mailing.client(sdk), message(), operation_id="not-a-uuid")
    assert seen["error"]["target"] == "Operation-Id"


async def test_invalid_attachments_are_left_out_when_asked(sdk):
    mail = message(
        f"{uuid.uuid4().hex}@example.com",
        attachments=[FILE, {**FILE, "name": "run.exe"}],
        headers={"x-ms-acsemail-suppress-invalid-attachment": "true"},
    )
    result = await send(mailing.client(sdk), mail)
    item = mailing.captured(sdk.server, result["id"])["mail"]
    assert [file["name"] for file in item["attachments"]] == ["a.txt"]


def test_an_operation_that_is_not_there_is_404(server, alpha):
    beta = server.resource("beta")
    sent = raw.signed(server, alpha, "POST", f"/emails:send?{mailing.VERSION}", message())
    for target, resource in (
        (str(uuid.uuid4()), alpha),
        ("nonsense", alpha),
        (sent.json()["id"], beta),
    ):
        answer = raw.signed(server, resource, "GET", f"/emails/operations/{target}?{mailing.VERSION}")
        shows.raw_error(answer, 404, "notFound")


def test_versions_are_those_of_acs(server, alpha):
    for version in ("2021-10-01-preview", "2024-01-01", "latest"):
        answer = raw.signed(server, alpha, "POST", f"/emails:send?api-version={version}", message())
        shows.raw_error(answer, 400, "unsupportedVersion")
        assert answer.headers["api-supported-versions"] == "2023-03-31, 2025-09-01"


def test_the_older_version_has_no_inline_attachments(server, alpha):
    mail = message(attachments=[{**FILE, "contentId": "a"}, {**FILE, "name": "b.txt", "contentId": "a"}])
    answer = raw.signed(server, alpha, "POST", f"/emails:send?{mailing.OLD_VERSION}", mail)
    assert answer.status == 202


async def test_thirty_mails_a_minute_and_then_429(limited):
    email = mailing.client(limited, "beta")
    mail = message(senderAddress=mailing.sender("beta"))
    done = 0
    while True:
        assert done <= 31
        try:
            await email.begin_send(mail, polling=False)
        except Exception as failure:
            error = shows.sdk_error(failure, 429, "throttled")
            assert error["code"] == "TooManyRequests"
            break
        done += 1
    assert done <= 30


def test_the_operators_routes_take_only_the_operators_token(server, alpha):
    for path in ("email/domains", "email/suppressions"):
        target = f"/operator/resources/alpha/{path}"
        assert raw.signed(server, alpha, "GET", target).status == 401
        assert raw.bearer(server, alpha, "x" * 64, "GET", target).status == 401
    assert operator(server, "GET", "email/domains")["value"] is not None

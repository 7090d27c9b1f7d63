"""Every refusal of the identity operations, through the SDK and, where the SDK would not send it, by hand."""

import base64
import datetime
import json

import pytest
from azure.communication.identity import CommunicationUserIdentifier
from support import raw, shows
from support import sdk as sdks
from support.expected import LIMITS
from support.sdk import items

GUID = "11111111-2222-4333-8444-555555555555"
ONE_MINUTE = datetime.timedelta(minutes=1)
TOO_SHORT = datetime.timedelta(minutes=LIMITS["tokenMinutes"][0]) - ONE_MINUTE
TOO_LONG = datetime.timedelta(minutes=LIMITS["tokenMinutes"][1]) + ONE_MINUTE


async def operations(identity, identifier):
    """Each identity operation that names an identity, as (name, call)."""
    return [
        ("issue", lambda: identity.get_token(identifier, ["chat"])),
        ("revoke", lambda: identity.revoke_tokens(identifier)),
        ("delete", lambda: identity.delete_user(identifier)),
    ]


async def test_a_wrong_key_is_401_on_every_operation(sdk):
    wrong = base64.b64encode(b"w" * 64).decode()
    identity = sdk.identity_with_key(sdk.server.resource("alpha").endpoint, wrong)
    known = await sdk.identity().create_user()
    calls = [
        ("create", identity.create_user),
        ("create with token", lambda: identity.create_user_and_token(["chat"])),
    ]
    calls.append(("teams", lambda: identity.get_token_for_teams_user("t", "a", "u")))
    calls += await operations(identity, known)
    for _, call in calls:
        with shows.fails(401, "badKey"):
            await call()


async def test_the_key_of_another_resource_is_401(sdk):
    alpha, beta = sdk.server.resource("alpha"), sdk.server.resource("beta")
    with shows.fails(401, "badKey"):
        await sdk.identity_with_key(alpha.endpoint, beta.access_key).create_user()
    with shows.fails(401, "badKey"):
        await sdk.identity_with_key(beta.endpoint, alpha.access_key).create_user()


async def test_identities_of_another_resource_are_not_owned(sdk):
    theirs = await sdk.identity("beta").create_user()
    for _, call in await operations(sdk.identity("alpha"), theirs):
        with shows.fails(401, "notOwned") as seen:
            await call()
        assert "resource" in seen["error"]["message"]
    # And nothing was done to it.
    await sdk.identity("beta").get_token(theirs, ["chat"])


async def test_an_existing_foreign_identity_answers_like_one_that_is_not(sdk):
    theirs = await sdk.identity("beta").create_user()
    prefix = theirs.raw_id.split("_")[0]
    nobody = CommunicationUserIdentifier(f"{prefix}_{GUID}")
    elsewhere = CommunicationUserIdentifier(f"8:acs:{GUID}_{GUID}")
    answers = []
    for identifier in (theirs, nobody, elsewhere):
        for name, call in await operations(sdk.identity("alpha"), identifier):
            with shows.fails(401, "notOwned") as seen:
                await call()
            answers.append((name, shows.likeness(seen)))
    for name in ("issue", "revoke", "delete"):
        assert len({likeness for operation, likeness in answers if operation == name}) == 1, name


async def test_an_identity_that_never_was_gets_no_token(sdk):
    """Of our own prefix, never created: undocumented by ACS; answered as not owned."""
    mine = await sdk.identity().create_user()
    with shows.fails(401, "notOwned"):
        await sdk.identity().get_token(
            CommunicationUserIdentifier(f"{mine.raw_id.split('_')[0]}_{GUID}"), ["chat"]
        )


@pytest.mark.parametrize(
    "raw_id",
    [
        "+14255550123",
        "4:+14255550123",
        f"8:orgid:{GUID}",
        f"28:orgid:{GUID}",
        "8:acs:no",
        "not an id",
        "x" * 300,
        "ä☃",
    ],
)
async def test_what_is_no_communication_user_is_refused(sdk, raw_id):
    """A malformed id may be called malformed (400) or foreign (401): neither tells anything."""
    for _, call in await operations(sdk.identity(), CommunicationUserIdentifier(raw_id)):
        with shows.fails((400, 401)):
            await call()


@pytest.mark.parametrize("scopes", [[], ["chats"], ["chat", "Voice"], ["chat", ""], ["CHAT "], None], ids=str)
async def test_bad_scopes_on_issue_are_400(sdk, scopes):
    identity = sdk.identity()
    identifier = await identity.create_user()
    with shows.fails(400):
        await identity.get_token(identifier, scopes)


@pytest.mark.parametrize("scopes", [["chats"], ["chat", "admin"]], ids=str)
async def test_unknown_scopes_on_create_are_400(sdk, scopes):
    with shows.fails(400):
        await sdk.identity().create_user_and_token(scopes)


@pytest.mark.parametrize(
    "lasting", [TOO_SHORT, TOO_LONG, ONE_MINUTE, datetime.timedelta(0), -ONE_MINUTE], ids=str
)
async def test_expiry_out_of_range_is_400(sdk, lasting):
    identity = sdk.identity()
    identifier = await identity.create_user()
    with shows.fails(400):
        await identity.get_token(identifier, ["chat"], token_expires_in=lasting)
    with shows.fails(400):
        await identity.create_user_and_token(["chat"], token_expires_in=lasting)


async def test_no_permanent_error_is_retried(sdk):
    """With the SDK's own retries on, each refusal is asked once only: none carries Retry-After."""
    tries = []
    hook = {"raw_response_hook": lambda response: tries.append(response.http_response.status_code)}
    identity = sdk.identity("alpha", retry_total=3)
    theirs = await sdk.identity("beta").create_user()
    with shows.fails(401):
        await identity.get_token(theirs, ["chat"], **hook)
    with shows.fails(400):
        await identity.create_user_and_token(["nonsense"], **hook)
    with shows.fails(501):
        await identity.get_token_for_teams_user("t", "a", "u", **hook)
    assert tries == [401, 400, 501]


async def test_unknown_api_version_is_named(sdk):
    with shows.fails(400, "unsupportedVersion") as seen:
        await sdk.identity(api_version="2019-01-01").create_user()
    assert "2019-01-01" in seen["error"]["message"]


async def test_an_expired_token_is_401(aged):
    for flavour in sdks.FLAVOURS:
        driver = sdks.Sdk(flavour, aged.server)
        resource = aged.server.resource("alpha")
        try:
            with shows.fails(401, "badToken"):
                await items(driver.chat(resource, aged.token).list_chat_threads())
            with shows.fails(401, "badToken"):
                await driver.thread(resource, aged.token, aged.thread).send_message("too late")
            # The user and the thread outlived the restart; only the token is over.
            fresh = await driver.identity().get_token(CommunicationUserIdentifier(aged.user), ["chat"])
            assert (
                await driver.thread(resource, fresh.token, aged.thread).get_properties()
            ).topic == "before"
        finally:
            await driver.close()


@pytest.mark.parametrize(
    "body",
    [
        {"scopes": "chat"},
        {"scopes": ["chat"], "expiresInMinutes": "60"},
        {"scopes": ["chat"], "expiresInMinutes": 60.5},
        {"scopes": ["chat"], "expiresInMinutes": -1},
        {"scopes": ["chat"], "expiresInMinutes": 10**30},
        {"scopes": [1]},
        {},
        [],
        None,
        "chat",
    ],
    ids=str,
)
def test_wrong_types_in_the_body_are_400(server, alpha, make_user, body):
    identity, _ = make_user()
    target = f"/identities/{identity.replace(':', '%3A')}/:issueAccessToken?{raw.IDENTITY}"
    answer = raw.signed(server, alpha, "POST", target, body=json.dumps(body).encode())
    shows.raw_error(answer, 400)


@pytest.mark.parametrize("missing", ["token", "appId", "userId"])
def test_teams_exchange_is_not_built_whatever_is_sent(server, alpha, missing):
    body = {"token": "t", "appId": "a", "userId": "u"}
    del body[missing]
    answer = raw.signed(server, alpha, "POST", f"/teamsUser/:exchangeAccessToken?{raw.IDENTITY}", body)
    # 501 before the body is looked at, or 400 for what is missing: both are clear.
    assert answer.status in (400, 501)
    shows.raw_error(answer, answer.status)

"""Every identity operation through the SDK, and what each token says of itself."""

import base64
import datetime
import json
import re
import time

import pytest
from azure.communication.identity import CommunicationTokenScope, CommunicationUserIdentifier
from support import shows
from support.expected import SCOPES
from support.sdk import items

RAW_ID = re.compile(r"^8:acs:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}_[0-9a-f-]+$")
SCOPE_SETS = [[scope] for scope in SCOPES] + [["chat", "voip"], ["chat.join", "voip.join"], SCOPES]


def claims(token: str) -> dict:
    """The payload as the Python SDK reads it: with the standard alphabet, as ASCII."""
    header, payload, signature = token.split(".")
    assert not set(payload) & set("-_"), "the SDK decodes the payload with the standard alphabet"
    return json.loads(base64.b64decode(payload + "==", validate=False).decode("ascii"))


def check_token(access, identifier, scopes, minutes, geography="unitedstates"):
    """The token belongs to this user, carries exactly these scopes, and lasts exactly this long."""
    said = claims(access.token)
    assert "8:" + said["skypeid"] == identifier.raw_id
    assert set(said["acsScope"].split(",")) == set(scopes)
    assert said["exp"] - said["iat"] == minutes * 60
    assert abs(said["iat"] - time.time()) < 10
    assert isinstance(said["scp"], int) and isinstance(said["csi"], str) and isinstance(said["rgn"], str)
    assert identifier.raw_id.startswith(f"8:acs:{said['resourceId']}_")
    assert said["resourceLocation"] == geography
    # This SDK hands on the text of the answer as it stands: ISO 8601 with an offset.
    expires = datetime.datetime.fromisoformat(access.expires_on.replace("Z", "+00:00"))
    assert expires.utcoffset() == datetime.timedelta(0)
    assert abs(expires.timestamp() - said["exp"]) < 1


async def test_create_user_gives_a_new_identity_each_time(sdk):
    identity = sdk.identity()
    first, second = await identity.create_user(), await identity.create_user()
    assert isinstance(first, CommunicationUserIdentifier)
    assert RAW_ID.match(first.properties["id"]), first.properties
    assert first.raw_id == first.properties["id"]
    assert first.raw_id != second.raw_id
    # Both live in one resource, which the id names.
    assert first.raw_id.split("_")[0] == second.raw_id.split("_")[0]


async def test_two_resources_have_identities_of_their_own(sdk):
    mine, theirs = await sdk.identity("alpha").create_user(), await sdk.identity("beta").create_user()
    assert mine.raw_id.split("_")[0] != theirs.raw_id.split("_")[0]


@pytest.mark.parametrize("scopes", SCOPE_SETS, ids=",".join)
async def test_create_user_and_token_with_each_scope_set(sdk, scopes):
    identifier, access = await sdk.identity().create_user_and_token(scopes)
    assert RAW_ID.match(identifier.raw_id)
    check_token(access, identifier, scopes, minutes=1440)


@pytest.mark.parametrize("minutes", [60, 61, 600, 1439, 1440])
async def test_create_user_and_token_with_its_own_expiry(sdk, minutes):
    identifier, access = await sdk.identity().create_user_and_token(
        ["chat"], token_expires_in=datetime.timedelta(minutes=minutes)
    )
    check_token(access, identifier, ["chat"], minutes)


@pytest.mark.parametrize("scopes", SCOPE_SETS, ids=",".join)
async def test_get_token_with_each_scope_set(sdk, scopes):
    identity = sdk.identity()
    identifier = await identity.create_user()
    check_token(await identity.get_token(identifier, scopes), identifier, scopes, minutes=1440)


@pytest.mark.parametrize("minutes", [60, 1440])
async def test_get_token_with_its_own_expiry(sdk, minutes):
    identity = sdk.identity("beta")
    identifier = await identity.create_user()
    access = await identity.get_token(
        identifier, [CommunicationTokenScope.CHAT], token_expires_in=datetime.timedelta(minutes=minutes)
    )
    check_token(access, identifier, ["chat"], minutes, geography="europe")


async def test_get_token_accepts_the_enumeration_of_the_sdk(sdk):
    identity = sdk.identity()
    identifier = await identity.create_user()
    every = list(CommunicationTokenScope)
    access = await identity.get_token(identifier, every)
    check_token(access, identifier, [scope.value for scope in every], minutes=1440)


async def test_issuing_a_token_leaves_older_ones_alone(sdk):
    owner = await sdk.user("chat")
    narrower = await sdk.with_scopes(owner, "chat.join")
    thread = await sdk.make_thread(owner)
    # Each token is judged by its own scopes.
    assert (await narrower.thread(thread).get_properties()).id == thread
    with shows.fails(403, "forbidden"):
        await narrower.thread(thread).update_topic("not with this token")
    await owner.thread(thread).update_topic("with this one")


async def test_revoke_tokens_at_once_and_all_of_them(sdk):
    first = await sdk.user("chat")
    second = await sdk.with_scopes(first, "chat", "voip")
    bystander = await sdk.user("chat")
    for user in (first, second, bystander):
        await shows_alive(sdk, user)
    assert await sdk.identity().revoke_tokens(first.identifier) is None
    for user in (first, second):
        with shows.fails(401, "badToken"):
            await shows_alive(sdk, user)
    await shows_alive(sdk, bystander)
    # What is issued after the revocation is good.
    await shows_alive(sdk, await sdk.with_scopes(first, "chat"))


async def shows_alive(sdk, user):
    return await items(user.chat.list_chat_threads())


async def test_tokens_issued_right_after_a_revocation_are_good_each_time(sdk):
    """Revocation must not be a matter of whole seconds: issue, use, revoke, again and again."""
    user = await sdk.user("chat")
    for _ in range(5):
        await sdk.identity().revoke_tokens(user.identifier)
        with shows.fails(401, "badToken"):
            await shows_alive(sdk, user)
        user = await sdk.with_scopes(user, "chat")
        await shows_alive(sdk, user)


async def test_delete_user_ends_tokens_at_once_and_removes_the_messages(sdk):
    keeper, leaver = await sdk.user("chat"), await sdk.user("chat")
    thread = await sdk.make_thread(keeper, leaver)
    gone = await leaver.thread(thread).send_message("farewell-5c1b")
    kept = await keeper.thread(thread).send_message("i stay")
    assert await sdk.identity().delete_user(leaver.identifier) is None
    with shows.fails(401, "badToken"):
        await shows_alive(sdk, leaver)
    messages = await items(keeper.thread(thread).list_messages())
    texts = [m.content.message for m in messages if m.content is not None]
    assert "farewell-5c1b" not in texts and "i stay" in texts
    # The message may be gone, or stand as a tombstone; its text must be nowhere. (ACS says that the data is
    # deleted, not in what form.)
    for message in messages:
        if message.id == gone.id:
            assert message.content is None and message.deleted_on is not None
    assert (await keeper.thread(thread).get_message(kept.id)).content.message == "i stay"


async def test_deleting_twice_is_the_same_as_once(sdk):
    """ACS does not document the second answer; 204 lets a client repeat after a lost answer."""
    identity = sdk.identity()
    identifier = await identity.create_user()
    await identity.delete_user(identifier)
    await identity.delete_user(identifier)


async def test_a_deleted_identity_gets_no_token(sdk):
    """Not documented by ACS; the answer is the one for an identity of someone else."""
    identity = sdk.identity()
    identifier = await identity.create_user()
    await identity.delete_user(identifier)
    with shows.fails(401, "notOwned"):
        await identity.get_token(identifier, ["chat"])


async def test_teams_exchange_is_clearly_not_built(sdk):
    with shows.fails(501, "notImplemented") as seen:
        await sdk.identity().get_token_for_teams_user(
            "a.b.c", "an-app", "9f1c8d8e-0000-4000-8000-000000000000"
        )
    assert "teams" in seen["error"]["message"].lower()


async def test_endpoint_with_a_trailing_slash(sdk):
    """The client then signs `host:port/`, with the slash."""
    resource = sdk.server.resource("alpha")
    identity = sdk.identity_with_key(resource.endpoint.rstrip("/") + "/", resource.access_key)
    identifier = await identity.create_user()
    assert await identity.revoke_tokens(identifier) is None


@pytest.mark.parametrize("version", ["2021-03-07", "2022-06-01", "2022-10-01", "2023-10-01"])
async def test_each_api_version_the_sdk_offers(sdk, version):
    identity = sdk.identity(api_version=version)
    identifier, access = await identity.create_user_and_token(["chat"])
    check_token(access, identifier, ["chat"], minutes=1440)
    check_token(await identity.get_token(identifier, ["voip"]), identifier, ["voip"], minutes=1440)
    await identity.revoke_tokens(identifier)
    await identity.delete_user(identifier)

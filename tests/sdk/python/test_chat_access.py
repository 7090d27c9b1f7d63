"""Who may do what, through the SDK: scopes, membership, whose token, which resource."""

import dataclasses
import datetime

import pytest
from azure.communication.chat import ChatParticipant
from support import shows
from support.chatting import history
from support.expected import MESSAGES, OPERATIONS, SCOPES
from support.sdk import items

NO_SUCH_THREAD = "19:00000000000000000000000000000000@thread.v2"


@dataclasses.dataclass
class Scene:
    """A thread of two, each with a message, and a third user to add."""

    user: object
    thread: str
    message: str
    other: object
    third: object


async def make_scene(sdk, user=None):
    owner = user or await sdk.user()
    other, third = await sdk.user(), await sdk.user()
    thread = await sdk.make_thread(owner, other)
    sent = await owner.thread(thread).send_message("mine")
    return Scene(owner, thread, sent.id, other, third)


def operation(name: str, user, scene: Scene):
    """The SDK call of one row of the scope table, made by `user`."""
    thread = user.thread(scene.thread)
    return {
        "create thread": lambda: user.chat.create_chat_thread("new"),
        "update thread": lambda: thread.update_topic("renamed"),
        "delete thread": lambda: user.chat.delete_chat_thread(scene.thread),
        "add participants": lambda: thread.add_participants([scene.third.as_participant()]),
        "remove participant": lambda: thread.remove_participant(scene.other.identifier),
        "list threads": lambda: items(user.chat.list_chat_threads()),
        "get thread": thread.get_properties,
        "list participants": lambda: items(thread.list_participants()),
        "send message": lambda: thread.send_message("hello"),
        "get message": lambda: thread.get_message(scene.message),
        "list messages": lambda: items(thread.list_messages()),
        "update message": lambda: thread.update_message(scene.message, "edited"),
        "delete message": lambda: thread.delete_message(scene.message),
        "send read receipt": lambda: thread.send_read_receipt(scene.message),
        "list read receipts": lambda: items(thread.list_read_receipts()),
        "send typing": thread.send_typing_notification,
    }[name]


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("name", OPERATIONS)
async def test_each_operation_with_each_scope(sdk, name, scope):
    scene = await make_scene(sdk)
    user = await sdk.with_scopes(scene.user, scope)
    if scope in OPERATIONS[name]:
        await operation(name, user, scene)()
        return
    before = await state(scene)
    with shows.fails(403, "forbidden"):
        await operation(name, user, scene)()
    assert await state(scene) == before


async def state(scene: Scene):
    """All that a refused call could have changed."""
    own = scene.user.thread(scene.thread)
    return (
        (await own.get_properties()).topic,
        [(m.id, m.version) for m in await history(own)],
        sorted(p.identifier.raw_id for p in await items(own.list_participants())),
        len(await items(own.list_read_receipts())),
        len(await items(scene.user.chat.list_chat_threads())),
    )


async def test_several_scopes_add_up(sdk):
    scene = await make_scene(sdk)
    user = await sdk.with_scopes(scene.user, "voip", "chat.join.limited", "chat.join")
    await operation("add participants", user, scene)()
    with shows.fails(403, "forbidden"):
        await operation("update thread", user, scene)()


MEMBERS_ONLY = [name for name in OPERATIONS if name not in ("create thread", "list threads")]


@pytest.mark.parametrize("name", MEMBERS_ONLY)
async def test_a_stranger_gets_what_a_thread_that_is_not_gives(sdk, name):
    """Who is not in a thread cannot tell it from one that never was: same status, code, message, header names."""
    scene = await make_scene(sdk)
    stranger = await sdk.user()
    before = await state(scene)
    with shows.fails(403, "forbidden") as refused:
        await operation(name, stranger, scene)()
    absent = dataclasses.replace(scene, thread=NO_SUCH_THREAD)
    with shows.fails(403, "forbidden") as unknown:
        await operation(name, stranger, absent)()
    assert shows.likeness(refused) == shows.likeness(unknown)
    assert refused["error"]["message"] == MESSAGES["forbidden"]
    # A message that does not exist, in a thread one may not see, answers no differently either.
    nowhere = dataclasses.replace(scene, message="1234567890123")
    with shows.fails(403, "forbidden") as no_message:
        await operation(name, stranger, nowhere)()
    assert shows.likeness(no_message) == shows.likeness(refused)
    assert await state(scene) == before


@pytest.mark.parametrize("name", MEMBERS_ONLY)
async def test_what_is_not_yet_validated_is_not_told_to_a_stranger(sdk, name):
    """A stranger with too little scope hears of the scope or of the membership, in the same words for any thread."""
    scene = await make_scene(sdk)
    stranger = await sdk.user("voip")
    seen = []
    for thread in (scene.thread, NO_SUCH_THREAD):
        with shows.fails(403, "forbidden") as refused:
            await operation(name, stranger, dataclasses.replace(scene, thread=thread))()
        seen.append(shows.likeness(refused))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_token_of_another_resource_is_401(sdk, name):
    scene = await make_scene(sdk)
    foreign = await sdk.user(resource="beta")
    foreign.resource = sdk.server.resource("alpha")
    before = await state(scene)
    with shows.fails(401, "badToken"):
        await operation(name, foreign, scene)()
    assert await state(scene) == before


async def test_a_thread_of_another_resource_is_not_there(sdk):
    scene = await make_scene(sdk)
    abroad = await sdk.user(resource="beta")
    for name in MEMBERS_ONLY:
        with shows.fails(403, "forbidden"):
            await operation(name, abroad, scene)()


@pytest.mark.parametrize("end", ["revoked", "deleted"])
async def test_a_token_that_was_ended_is_401_at_once_everywhere(sdk, end):
    scene = await make_scene(sdk)
    calls = {name: operation(name, scene.user, scene) for name in OPERATIONS}
    # The connection and the client are warm, the token was accepted a moment ago.
    await calls["get thread"]()
    if end == "revoked":
        await sdk.identity().revoke_tokens(scene.user.identifier)
    else:
        await sdk.identity().delete_user(scene.user.identifier)
    for name, call in calls.items():
        with shows.fails(401, "badToken") as seen:
            await call()
        assert scene.user.token not in seen["error"]["message"], name
    # The other one still talks.
    await scene.other.thread(scene.thread).send_message("still here")


def tampered(token: str) -> dict[str, str]:
    header, payload, signature = token.split(".")
    flipped = "A" if signature[10] != "A" else "B"
    return {
        "signature changed": f"{header}.{payload}.{signature[:10]}{flipped}{signature[11:]}",
        "signature gone": f"{header}.{payload}.",
        "algorithm none": f"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.",
        "other key": f"{header}.{payload}.{'A' * len(signature)}",
    }


@pytest.mark.parametrize("how", ["signature changed", "signature gone", "algorithm none", "other key"])
async def test_a_forged_token_is_401(sdk, how):
    scene = await make_scene(sdk)
    chat = sdk.chat(scene.user.resource, tampered(scene.user.token)[how])
    with shows.fails(401, "badToken"):
        await items(chat.list_chat_threads())


async def test_the_limit_of_rights_follows_each_token_on_one_connection(sdk):
    """Two tokens of one user, used in turn: what one may, the other may not."""
    scene = await make_scene(sdk)
    narrow = await sdk.with_scopes(scene.user, "chat.join.limited")
    for _ in range(3):
        await operation("update thread", scene.user, scene)()
        with shows.fails(403, "forbidden"):
            await operation("update thread", narrow, scene)()


async def test_unknown_api_version_is_named(sdk):
    owner = await sdk.user()
    chat = sdk.chat(owner.resource, owner.token, api_version="2020-01-01")
    with shows.fails(400, "unsupportedVersion") as seen:
        await chat.create_chat_thread("no")
    assert "2020-01-01" in seen["error"]["message"]


async def test_no_permanent_error_is_retried(sdk):
    tries = []
    hook = {"raw_response_hook": lambda response: tries.append(response.http_response.status_code)}
    scene = await make_scene(sdk)
    stranger = await sdk.user()
    thread = sdk.thread(stranger.resource, stranger.token, scene.thread, retry_total=3)
    with shows.fails(403):
        await thread.get_properties(**hook)
    own = sdk.thread(scene.user.resource, scene.user.token, scene.thread, retry_total=3)
    with shows.fails(404):
        await own.get_message("1234567890123", **hook)
    with shows.fails(400):
        await own.send_message("x" * 40_000, **hook)
    assert tries == [403, 404, 400]


async def test_adding_someone_gives_no_more_than_that(sdk):
    """A guest whose token has `chat.join.limited` reads and writes, and adds nobody."""
    owner, guest, third = await sdk.user(), await sdk.user("chat.join.limited"), await sdk.user()
    thread = await sdk.make_thread(owner, guest)
    await guest.thread(thread).send_message("hello")
    with shows.fails(403, "forbidden"):
        await guest.thread(thread).add_participants(
            [ChatParticipant(identifier=third.identifier, share_history_time=datetime.datetime(2020, 1, 1))]
        )

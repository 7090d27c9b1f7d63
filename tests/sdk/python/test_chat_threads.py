"""Threads through the SDK: create (idempotent, with participants), properties, topic, list, delete."""

import datetime
import re
import uuid

import pytest
from azure.communication.chat import ChatMessageType, CommunicationUserIdentifier
from support import shows
from support.chatting import check_fresh, check_order, history, ids_of, texts
from support.sdk import FLAVOURS, Sdk, each_page, items, pages

THREAD_ID = re.compile(r"^19:[0-9A-Za-z_-]+@thread\.v2$")


async def test_create_gives_the_thread_and_its_first_system_messages(sdk):
    owner, guest = await sdk.user(), await sdk.user()
    made = await owner.chat.create_chat_thread(
        "Planning", thread_participants=[guest.as_participant(display_name="The guest")]
    )
    thread = made.chat_thread
    assert not made.errors
    assert THREAD_ID.match(thread.id), thread.id
    assert thread.topic == "Planning"
    assert thread.created_by == owner.identifier and isinstance(
        thread.created_by, CommunicationUserIdentifier
    )
    assert abs((thread.created_on - datetime.datetime.now(datetime.timezone.utc)).total_seconds()) < 60

    # The creator becomes a participant without being listed.
    members = await items(guest.thread(thread.id).list_participants())
    assert ids_of(members) == {owner.id, guest.id}
    assert {m.identifier.raw_id: m.display_name for m in members}[guest.id] == "The guest"

    topic, added = await history(owner.thread(thread.id))
    check_order([topic, added])
    check_fresh(topic), check_fresh(added)
    assert (added.type, added.sequence_id) == (ChatMessageType.PARTICIPANT_ADDED, "1")
    assert ids_of(added.content.participants) == {owner.id, guest.id}
    assert added.content.initiator == owner.identifier
    assert (topic.type, topic.sequence_id) == (ChatMessageType.TOPIC_UPDATED, "2")
    assert topic.content.topic == "Planning" and topic.content.initiator == owner.identifier
    for message in (topic, added):
        assert message.sender is None and message.sender_display_name is None

    sent = await owner.thread(thread.id).send_message("the first")
    assert (await owner.thread(thread.id).get_message(sent.id)).sequence_id == "3"


async def test_create_alone(sdk):
    owner = await sdk.user()
    thread = await sdk.make_thread(owner, topic='Alone ☃ &amp; "quoted" \\ back')
    assert (await owner.thread(thread).get_properties()).topic == 'Alone ☃ &amp; "quoted" \\ back'
    assert ids_of(await items(owner.thread(thread).list_participants())) == {owner.id}


async def test_create_with_the_creator_listed_and_others_twice(sdk):
    owner, guest = await sdk.user(), await sdk.user()
    made = await owner.chat.create_chat_thread(
        "Twice",
        thread_participants=[
            owner.as_participant(display_name="Me"),
            guest.as_participant(),
            guest.as_participant(),
        ],
    )
    members = await items(owner.thread(made.chat_thread.id).list_participants())
    assert len(members) == 2 and ids_of(members) == {owner.id, guest.id}
    assert {m.identifier.raw_id: m.display_name for m in members}[owner.id] == "Me"


async def test_get_properties_by_every_participant(sdk):
    owner, guest = await sdk.user(), await sdk.user("chat.join")
    made = await owner.chat.create_chat_thread("Props", thread_participants=[guest.as_participant()])
    for user in (owner, guest):
        seen = await user.thread(made.chat_thread.id).get_properties()
        assert (seen.id, seen.topic) == (made.chat_thread.id, "Props")
        assert seen.created_on == made.chat_thread.created_on
        assert seen.created_by == owner.identifier


async def test_creation_is_idempotent_by_its_token(sdk):
    owner, other = await sdk.user(), await sdk.user()
    token = str(uuid.uuid4())
    first = await owner.chat.create_chat_thread("Once", idempotency_token=token)
    again = await owner.chat.create_chat_thread("Once", idempotency_token=token)
    assert again.chat_thread.id == first.chat_thread.id
    assert again.chat_thread.created_on == first.chat_thread.created_on
    # Undocumented: the same token with another body. Refused rather than answered with what was not asked for.
    with shows.fails(400):
        await owner.chat.create_chat_thread("Changed", idempotency_token=token)
    assert [t.id for t in await items(owner.chat.list_chat_threads())] == [first.chat_thread.id]
    # Nothing was written twice.
    assert len(await history(owner.thread(first.chat_thread.id))) == 2
    # The token is the user's own: another one's equal token makes another thread.
    theirs = await other.chat.create_chat_thread("Mine", idempotency_token=token)
    assert theirs.chat_thread.id != first.chat_thread.id
    # Without one the SDK makes a fresh one each time.
    assert len({await sdk.make_thread(owner), await sdk.make_thread(owner), first.chat_thread.id}) == 3


async def test_update_topic(sdk):
    owner, guest = await sdk.user(), await sdk.user()
    thread = await sdk.make_thread(owner, guest, topic="Before")
    assert await guest.thread(thread).update_topic("After") is None
    assert (await owner.thread(thread).get_properties()).topic == "After"
    newest = (await history(owner.thread(thread)))[0]
    assert (newest.type, newest.sequence_id) == (ChatMessageType.TOPIC_UPDATED, "3")
    assert newest.content.topic == "After" and newest.content.initiator == guest.identifier
    assert newest.sender is None
    assert [t.topic for t in await items(owner.chat.list_chat_threads())] == ["After"]


async def test_update_without_a_topic_changes_nothing(sdk):
    """As the SDK's own text has it."""
    owner = await sdk.user()
    thread = await sdk.make_thread(owner, topic="Stays")
    await owner.thread(thread).update_topic()
    assert (await owner.thread(thread).get_properties()).topic == "Stays"
    assert len(await history(owner.thread(thread))) == 2


async def test_list_threads_with_paging(sdk):
    owner, guest, stranger = await sdk.user(), await sdk.user(), await sdk.user()
    made = [await sdk.make_thread(owner, guest, topic=f"Thread {n}") for n in range(7)]
    for user in (owner, guest):
        listed = await pages(user.chat.list_chat_threads(results_per_page=3))
        assert [len(page) for page in listed] == [3, 3, 1]
        flat = [thread for page in listed for thread in page]
        assert {t.id: t.topic for t in flat} == {id: f"Thread {n}" for n, id in enumerate(made)}
        assert len(flat) == 7
        # Most recent activity first: undocumented, chosen as what a client wants to show.
        stamps = [t.last_message_received_on for t in flat]
        assert stamps == sorted(stamps, reverse=True)
        assert all(t.deleted_on is None for t in flat)
    assert await items(stranger.chat.list_chat_threads()) == []


async def test_list_threads_moves_the_thread_that_spoke_last_to_the_front(sdk):
    owner = await sdk.user()
    first, second = await sdk.make_thread(owner), await sdk.make_thread(owner)
    sent = await owner.thread(first).send_message("here again")
    front = (await items(owner.chat.list_chat_threads()))[0]
    assert front.id == first != second
    assert front.last_message_received_on == (await owner.thread(first).get_message(sent.id)).created_on


async def test_list_threads_is_stable_while_threads_come(sdk):
    owner = await sdk.user()
    made = [await sdk.make_thread(owner) for _ in range(6)]
    seen = []
    async for page in each_page(owner.chat.list_chat_threads(results_per_page=2)):
        seen += [thread.id for thread in page]
        if len(seen) <= 6:
            await sdk.make_thread(owner, topic="arrives meanwhile")
    assert len(set(seen)) == len(seen)
    assert set(made) <= set(seen)


async def test_list_threads_since_a_start_time(sdk):
    owner = await sdk.user()
    old, revived = await sdk.make_thread(owner), await sdk.make_thread(owner)
    mark = (await owner.thread(revived).send_message("mark")).id
    while int((sent := await owner.thread(revived).send_message("time passes")).id) < int(mark) + 5:
        pass
    since = datetime.datetime.fromtimestamp((int(mark) + 2) / 1000, datetime.timezone.utc)
    new = await sdk.make_thread(owner)
    listed = {t.id for t in await items(owner.chat.list_chat_threads(start_time=since))}
    assert listed == {revived, new} and old not in listed and sent
    # The start time must survive the paging link too.
    paged = [
        t.id
        for page in await pages(owner.chat.list_chat_threads(start_time=since, results_per_page=1))
        for t in page
    ]
    assert sorted(paged) == sorted([revived, new])


async def test_delete_thread_by_any_participant(sdk):
    """ACS lets every participant with the scope delete a thread."""
    owner, guest, stranger = await sdk.user(), await sdk.user(), await sdk.user()
    thread = await sdk.make_thread(owner, guest)
    sent = await owner.thread(thread).send_message("soon gone")
    assert await guest.chat.delete_chat_thread(thread) is None
    for user in (owner, guest):
        own = user.thread(thread)
        for call in (
            own.get_properties,
            lambda: items(own.list_messages()),
            lambda: own.get_message(sent.id),
            lambda: own.send_message("too late"),
            lambda: own.update_topic("too late"),
            lambda: items(own.list_participants()),
            lambda: own.send_typing_notification(),
            lambda: own.send_read_receipt(sent.id),
        ):
            with shows.fails(404, "notFound"):
                await call()
        # Nor is it listed any more (ACS is silent).
        assert thread not in [item.id for item in await items(user.chat.list_chat_threads())]
    # Who was never in it learns nothing: the answer is still the one for a thread that never was.
    with shows.fails(403, "forbidden"):
        await stranger.thread(thread).get_properties()


async def test_deleting_a_thread_again(sdk):
    """Undocumented by ACS: gone (404), or done already (204). Never a thread of someone else's making."""
    owner = await sdk.user()
    thread = await sdk.make_thread(owner)
    await owner.chat.delete_chat_thread(thread)
    try:
        await owner.chat.delete_chat_thread(thread)
    except Exception as failure:
        shows.sdk_error(failure, 404, "notFound")


async def test_a_deleted_creation_is_not_revived_by_its_token(sdk):
    owner = await sdk.user()
    token = str(uuid.uuid4())
    first = (await owner.chat.create_chat_thread("Once", idempotency_token=token)).chat_thread.id
    await owner.thread(first).send_message("secret of the old thread")
    await owner.chat.delete_chat_thread(first)
    try:
        again = (await owner.chat.create_chat_thread("Once", idempotency_token=token)).chat_thread.id
    except Exception as failure:
        shows.sdk_error(failure, (400, 404, 409))
        return
    # Given the first result or a new thread: either way nothing of the deleted one can be read.
    if again != first:
        assert texts(await history(owner.thread(again))) == []
    else:
        with shows.fails(404, "notFound"):
            await history(owner.thread(again))


@pytest.mark.parametrize("version", ["2021-09-07", "2023-11-07", "2024-03-07", "2025-03-15"])
async def test_each_api_version_serves_the_whole_round(sdk, version):
    owner = await sdk.user()
    chat = sdk.chat(owner.resource, owner.token, api_version=version)
    thread = (await chat.create_chat_thread("Versions")).chat_thread.id
    own = sdk.thread(owner.resource, owner.token, thread, api_version=version)
    sent = await own.send_message("hello", metadata={"k": "v"})
    await own.update_message(sent.id, "hello again")
    assert texts(await items(own.list_messages())) == ["hello again"]
    await own.delete_message(sent.id)
    await chat.delete_chat_thread(thread)


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_the_round_with_nothing_given_to_the_sdk_but_the_ca(server, flavour):
    """Its own transport, its own retries: as a developer uses it."""
    plain = Sdk(flavour, server, plain=True)
    try:
        owner, guest = await plain.user(), await plain.user("chat.join")
        thread = await plain.make_thread(owner, guest)
        sent = await guest.thread(thread).send_message("hello")
        await owner.thread(thread).send_read_receipt(sent.id)
        await owner.thread(thread).send_typing_notification()
        assert texts(await history(owner.thread(thread), results_per_page=1)) == ["hello"]
        with shows.fails(404, "notFound"):
            await owner.thread(thread).get_message("1234567890123")
        await owner.chat.delete_chat_thread(thread)
        await plain.identity().delete_user(guest.identifier)
    finally:
        await plain.close()

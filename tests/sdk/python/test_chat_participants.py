"""Participants through the SDK: add, list, remove, shared history, and what a removed one still sees."""

import datetime

import pytest
from azure.communication.chat import ChatMessageType, ChatParticipant, CommunicationUserIdentifier
from support import shows
from support.chatting import check_order, history, ids_of, moment, texts, until_after
from support.sdk import items, pages

GUID = "11111111-2222-4333-8444-555555555555"
ALWAYS = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


async def test_add_list_and_remove(sdk):
    owner, first, second = await sdk.user(), await sdk.user("chat.join"), await sdk.user()
    thread = await sdk.make_thread(owner)
    own = owner.thread(thread)
    since = datetime.datetime(2024, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)
    refused = await own.add_participants(
        [first.as_participant(display_name="First", share_history_time=since), second.as_participant()]
    )
    assert refused == []
    members = {m.identifier.raw_id: m for m in await items(own.list_participants())}
    assert set(members) == {owner.id, first.id, second.id}
    assert all(isinstance(m.identifier, CommunicationUserIdentifier) for m in members.values())
    assert members[first.id].display_name == "First" and members[second.id].display_name is None
    assert members[first.id].share_history_time == since

    added = (await history(own))[0]
    assert (added.type, added.sequence_id) == (ChatMessageType.PARTICIPANT_ADDED, "3")
    assert ids_of(added.content.participants) == {first.id, second.id}
    assert {p.identifier.raw_id: p.display_name for p in added.content.participants}[first.id] == "First"
    assert added.content.initiator == owner.identifier and added.sender is None

    # One with `chat.join` may remove another, as the scope table has it.
    assert await first.thread(thread).remove_participant(second.identifier) is None
    assert ids_of(await items(own.list_participants())) == {owner.id, first.id}
    removed = (await history(own))[0]
    assert (removed.type, removed.sequence_id) == (ChatMessageType.PARTICIPANT_REMOVED, "4")
    assert ids_of(removed.content.participants) == {second.id}
    assert removed.content.initiator == first.identifier and removed.sender is None


async def test_add_one_already_there_changes_nothing(sdk):
    owner, guest = await sdk.user(), await sdk.user()
    thread = await sdk.make_thread(owner, guest)
    own = owner.thread(thread)
    before = await history(own)
    assert await own.add_participants([guest.as_participant(), owner.as_participant()]) == []
    assert len(await items(own.list_participants())) == 2
    assert [m.id for m in await history(own)] == [m.id for m in before]


async def test_list_participants_with_paging_and_skip(sdk):
    owner = await sdk.user()
    others = [await sdk.user() for _ in range(6)]
    own = owner.thread(await sdk.make_thread(owner, *others))
    whole = [m.identifier.raw_id for m in await items(own.list_participants())]
    assert set(whole) == {owner.id, *(user.id for user in others)} and len(whole) == 7
    listed = await pages(own.list_participants(results_per_page=3))
    assert [len(page) for page in listed if page] == [3, 3, 1]
    assert [m.identifier.raw_id for page in listed for m in page] == whole
    assert [m.identifier.raw_id for m in await items(own.list_participants(skip=5))] == whole[5:]
    paged = await pages(own.list_participants(skip=2, results_per_page=2))
    assert [m.identifier.raw_id for page in paged for m in page] == whole[2:]
    assert await items(own.list_participants(skip=7)) == []


async def test_invalid_participants_are_named_and_the_others_added(sdk):
    owner, good, later = await sdk.user(), await sdk.user(), await sdk.user()
    foreign = await sdk.identity("beta").create_user()
    prefix = owner.id.split("_")[0]
    bad = [
        foreign,
        CommunicationUserIdentifier(f"{foreign.raw_id.split('_')[0]}_{GUID}"),
        CommunicationUserIdentifier(f"8:acs:{GUID}_{GUID}"),
        CommunicationUserIdentifier(f"{prefix}_{GUID}"),
    ]
    wrong = [ChatParticipant(identifier=identifier) for identifier in bad]
    made = await owner.chat.create_chat_thread("Some", thread_participants=[*wrong, good.as_participant()])
    thread = made.chat_thread.id
    check_refused(made.errors, bad)
    own = owner.thread(thread)
    assert ids_of(await items(own.list_participants())) == {owner.id, good.id}
    check_refused(await own.add_participants([later.as_participant(), *wrong]), bad)
    assert ids_of(await items(own.list_participants())) == {owner.id, good.id, later.id}
    # Nothing is said of the refused in the thread.
    for message in await history(own):
        if message.content.participants:
            assert not ids_of(message.content.participants) & {b.raw_id for b in bad}


def check_refused(refused, bad) -> None:
    assert {error.target for _, error in refused} == {identifier.raw_id for identifier in bad}
    answers = {}
    for participant, error in refused:
        # The SDK found the participant by the target: it is the raw id as sent.
        assert participant.identifier.raw_id == error.target
        # Numbers as text, as ACS gives them.
        assert error.code in ("403", "404") and error.message
        answers[error.target] = (error.code, error.message)
    # Of another resource's users it cannot be told which exist.
    assert answers[bad[0].raw_id] == answers[bad[1].raw_id] == answers[bad[2].raw_id]


async def test_adding_only_invalid_ones_writes_no_system_message(sdk):
    owner = await sdk.user()
    foreign = await sdk.identity("beta").create_user()
    own = owner.thread(await sdk.make_thread(owner))
    assert len(await own.add_participants([ChatParticipant(identifier=foreign)])) == 1
    assert len(await history(own)) == 2


async def test_a_deleted_user_cannot_be_added(sdk):
    owner, gone = await sdk.user(), await sdk.user()
    await sdk.identity().delete_user(gone.identifier)
    own = owner.thread(await sdk.make_thread(owner))
    refused = await own.add_participants([gone.as_participant()])
    assert [error.target for _, error in refused] == [gone.id]


async def test_shared_history(sdk):
    owner = await sdk.user()
    everything, nothing, unsaid, partly = [await sdk.user() for _ in range(4)]
    thread = await sdk.make_thread(owner)
    own = owner.thread(thread)
    early = (await own.send_message("early")).id
    mark = (await until_after(own, early, 5))[-1]
    between = (await own.send_message("between")).id
    await until_after(own, between, 10)
    await own.add_participants(
        [
            everything.as_participant(share_history_time=ALWAYS),
            nothing.as_participant(share_history_time=moment(str(int(between) + 5))),
            # ACS does not say what holds when no time is given: nothing from before joining.
            unsaid.as_participant(),
            partly.as_participant(share_history_time=moment(mark)),
        ]
    )
    after = (await own.send_message("after")).id
    for user, expected in (
        (everything, ["after", "between", "early"]),
        (nothing, ["after"]),
        (unsaid, ["after"]),
        (partly, ["after", "between"]),
    ):
        listed = await history(user.thread(thread))
        check_order(listed)
        assert [t for t in texts(listed) if t != "time passes"] == expected
        for id, said in ((early, "early"), (between, "between"), (after, "after")):
            if said in expected:
                assert (await user.thread(thread).get_message(id)).content.message == said
            else:
                # What one may not see answers like what is not.
                with shows.fails(404, "notFound") as hidden:
                    await user.thread(thread).get_message(id)
                with shows.fails(404, "notFound") as absent:
                    await user.thread(thread).get_message("1234567890123")
                assert shows.likeness(hidden) == shows.likeness(absent)
    assert len(texts(await history(everything.thread(thread)))) == len(texts(await history(own)))


async def test_members_from_the_start_see_the_whole_thread(sdk):
    owner, guest = await sdk.user(), await sdk.user()
    thread = await sdk.make_thread(owner, guest)
    await owner.thread(thread).send_message("hello")
    assert [m.id for m in await history(guest.thread(thread))] == [
        m.id for m in await history(owner.thread(thread))
    ]


async def test_a_removed_one_reads_up_to_the_removal_and_no_further(sdk):
    owner, leaver = await sdk.user(), await sdk.user()
    thread = await sdk.make_thread(owner, leaver)
    own, theirs = owner.thread(thread), leaver.thread(thread)
    mine = (await theirs.send_message("mine")).id
    edited = (await own.send_message("to be edited")).id
    before = (await own.send_message("before")).id
    await own.remove_participant(leaver.identifier)
    after = (await own.send_message("after")).id
    await own.update_message(edited, "edited after the removal")

    listed = await history(theirs)
    check_order(listed)
    assert {"mine", "before"} <= set(texts(listed))
    # Nothing from after the removal: no later message, and no later words in an earlier one.
    assert not {"after", "edited after the removal"} & set(texts(listed))
    assert (await theirs.get_message(before)).content.message == "before"
    with shows.fails(404, "notFound"):
        await theirs.get_message(after)
    # The thread stays in the list, by design of ACS.
    assert thread in [t.id for t in await items(leaver.chat.list_chat_threads())]

    for call in refused_to_the_removed(leaver, thread, mine, owner):
        with shows.fails(403, "forbidden"):
            await call()
    assert (await own.get_message(mine)).content.message == "mine"


def refused_to_the_removed(user, thread, own_message, other):
    """All that one who was removed may no longer do."""
    client = user.thread(thread)
    return [
        lambda: client.send_message("still here?"),
        client.get_properties,
        lambda: client.update_message(own_message, "changed"),
        lambda: client.delete_message(own_message),
        lambda: client.update_topic("mine now"),
        lambda: items(client.list_participants()),
        lambda: client.add_participants([user.as_participant()]),
        lambda: client.remove_participant(other.identifier),
        lambda: client.send_typing_notification(),
        lambda: client.send_read_receipt(own_message),
        lambda: items(client.list_read_receipts()),
        lambda: user.chat.delete_chat_thread(thread),
    ]


async def test_removed_and_added_again(sdk):
    owner, guest = await sdk.user(), await sdk.user()
    thread = await sdk.make_thread(owner, guest)
    own = owner.thread(thread)
    await own.send_message("first period")
    await own.remove_participant(guest.identifier)
    away = (await own.send_message("while away")).id
    await until_after(own, away, 5)
    assert await own.add_participants([guest.as_participant()]) == []
    await own.send_message("back again")
    seen = texts(await history(guest.thread(thread)))
    assert "back again" in seen and "while away" not in seen
    await guest.thread(thread).send_message("i can write")


async def test_removing_one_twice_is_the_same_as_once(sdk):
    owner, guest = await sdk.user(), await sdk.user()
    own = owner.thread(await sdk.make_thread(owner, guest))
    for _ in range(2):
        await own.remove_participant(guest.identifier)
    assert len(await history(own)) == 3


async def test_leaving_is_removing_oneself(sdk):
    owner, guest = await sdk.user(), await sdk.user()
    thread = await sdk.make_thread(owner, guest)
    await guest.thread(thread).remove_participant(guest.identifier)
    with shows.fails(403, "forbidden"):
        await guest.thread(thread).send_message("gone")
    newest = (await history(owner.thread(thread)))[0]
    assert newest.content.initiator == guest.identifier and ids_of(newest.content.participants) == {guest.id}


async def test_the_last_one_may_leave(sdk):
    """A thread may have no participants."""
    owner = await sdk.user()
    thread = await sdk.make_thread(owner)
    await owner.thread(thread).remove_participant(owner.identifier)
    with shows.fails(403, "forbidden"):
        await items(owner.thread(thread).list_participants())


@pytest.mark.parametrize("who", ["stranger", "foreign", "nobody"])
async def test_removing_who_is_not_there(sdk, who):
    """Undocumented: unknown (404, or 400 for what cannot be in a thread); and no trace of it in the thread."""
    owner, stranger = await sdk.user(), await sdk.user()
    target = {
        "stranger": stranger.identifier,
        "foreign": await sdk.identity("beta").create_user(),
        "nobody": CommunicationUserIdentifier(f"{owner.id.split('_')[0]}_{GUID}"),
    }[who]
    own = owner.thread(await sdk.make_thread(owner))
    with shows.fails(404 if who == "stranger" else (400, 404)):
        await own.remove_participant(target)
    assert len(await history(own)) == 2
    assert len(await items(own.list_participants())) == 1

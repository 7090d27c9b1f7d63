"""Read receipts and typing through the SDK."""

import datetime

import pytest
from azure.communication.chat import ChatParticipant, CommunicationUserIdentifier
from support import shows
from support.expected import LIMITS
from support.sdk import items, pages


async def receipts(thread) -> dict[str, str]:
    return {r.sender.raw_id: r.chat_message_id for r in await items(thread.list_read_receipts())}


async def test_send_and_list(sdk):
    owner, guest = await sdk.user(), await sdk.user("chat.join")
    thread = await sdk.make_thread(owner, guest)
    assert await receipts(owner.thread(thread)) == {}
    sent = await owner.thread(thread).send_message("read me")
    assert await guest.thread(thread).send_read_receipt(sent.id) is None
    for user in (owner, guest):
        (receipt,) = await items(user.thread(thread).list_read_receipts())
        assert receipt.sender == guest.identifier and isinstance(receipt.sender, CommunicationUserIdentifier)
        assert receipt.chat_message_id == sent.id
        assert abs((receipt.read_on - datetime.datetime.now(datetime.timezone.utc)).total_seconds()) < 60


async def test_one_receipt_each_and_it_never_moves_back(sdk):
    owner, guest = await sdk.user(), await sdk.user()
    thread = await sdk.make_thread(owner, guest)
    own, theirs = owner.thread(thread), guest.thread(thread)
    first, second = [(await own.send_message(text)).id for text in ("one", "two")]
    await theirs.send_read_receipt(first)
    await theirs.send_read_receipt(second)
    await own.send_read_receipt(first)
    assert await receipts(own) == {guest.id: second, owner.id: first}
    before = await items(own.list_read_receipts())
    await theirs.send_read_receipt(first)
    assert await receipts(own) == {guest.id: second, owner.id: first}
    stamps = {r.sender.raw_id: r.read_on for r in before}
    assert {r.sender.raw_id: r.read_on for r in await items(own.list_read_receipts())} == stamps


async def test_list_with_paging_and_skip(sdk):
    owner, *others = [await sdk.user() for _ in range(5)]
    thread = await sdk.make_thread(owner, *others)
    sent = (await owner.thread(thread).send_message("all read it")).id
    for user in (owner, *others):
        await user.thread(thread).send_read_receipt(sent)
    own = owner.thread(thread)
    whole = [r.sender.raw_id for r in await items(own.list_read_receipts())]
    assert set(whole) == {owner.id, *(user.id for user in others)} and len(whole) == 5
    listed = await pages(own.list_read_receipts(results_per_page=2))
    assert [len(page) for page in listed if page] == [2, 2, 1]
    assert [r.sender.raw_id for page in listed for r in page] == whole
    assert [r.sender.raw_id for r in await items(own.list_read_receipts(skip=3))] == whole[3:]


@pytest.mark.parametrize("message", ["1234567890123", "no-number"])
async def test_a_receipt_for_no_message_is_refused(sdk, message):
    """Undocumented: 404 for what is not there, which 400 may be for what no id could be."""
    owner = await sdk.user()
    own = owner.thread(await sdk.make_thread(owner))
    with shows.fails(404 if message.isdecimal() else (400, 404)):
        await own.send_read_receipt(message)
    assert await receipts(own) == {}


async def test_the_receipt_of_a_removed_one_goes_or_stays_but_names_no_later_message(sdk):
    owner, guest = await sdk.user(), await sdk.user()
    thread = await sdk.make_thread(owner, guest)
    sent = (await owner.thread(thread).send_message("read")).id
    await guest.thread(thread).send_read_receipt(sent)
    await owner.thread(thread).remove_participant(guest.identifier)
    later = (await owner.thread(thread).send_message("later")).id
    with shows.fails(403, "forbidden"):
        await guest.thread(thread).send_read_receipt(later)
    assert (await receipts(owner.thread(thread))).get(guest.id) in (None, sent)


@pytest.mark.parametrize("name", [None, "Someone ☃"])
async def test_typing(sdk, name):
    owner, guest = await sdk.user(), await sdk.user("chat.join.limited")
    thread = await sdk.make_thread(owner, guest)
    for user in (owner, guest):
        assert await user.thread(thread).send_typing_notification(sender_display_name=name) is None
    # It leaves nothing behind.
    assert len(await items(owner.thread(thread).list_messages())) == 2


async def test_many_participants_have_neither_receipts_nor_typing(sdk, crowd):
    """ACS does not support them above 20; whether it refuses or ignores is undocumented: accepted, without effect."""
    owner = await sdk.user()
    full = crowd(LIMITS["receiptParticipants"])
    everyone = [ChatParticipant(identifier=CommunicationUserIdentifier(id)) for id in full]
    thread = (await owner.chat.create_chat_thread("Many", thread_participants=everyone)).chat_thread.id
    own = owner.thread(thread)
    sent = (await own.send_message("hello all")).id
    await own.send_read_receipt(sent)
    await own.send_typing_notification()
    assert await receipts(own) == {}


async def test_exactly_as_many_as_receipts_allow(sdk, crowd):
    owner = await sdk.user()
    others = crowd(LIMITS["receiptParticipants"])[: LIMITS["receiptParticipants"] - 1]
    everyone = [ChatParticipant(identifier=CommunicationUserIdentifier(id)) for id in others]
    thread = (await owner.chat.create_chat_thread("Twenty", thread_participants=everyone)).chat_thread.id
    own = owner.thread(thread)
    sent = (await own.send_message("hello all")).id
    await own.send_read_receipt(sent)
    await own.send_typing_notification()
    assert await receipts(own) == {owner.id: sent}

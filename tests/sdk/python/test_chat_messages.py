"""Messages through the SDK: send, get, edit, delete, html, and who may do it."""

import datetime

import pytest
from azure.communication.chat import ChatMessageType
from support import shows
from support.chatting import check_fresh, check_order, history, text
from support.expected import LIMITS
from support.sdk import items

NASTY = (
    '<p>Hi <b>there</b><script>alert("x-canary")</script><img src="x" onerror="alert(1)">'
    '<a href="javascript:alert(2)">link</a><iframe src="https://evil.example"></iframe>'
    '<a href="https://good.example/">good</a><style>p{display:none}</style><svg onload=alert(3)></svg></p>'
)
NOTHING_OF = ("<script", "x-canary", "onerror", "javascript:", "<iframe", "<style", "onload")


async def test_send_and_get_text(sdk):
    owner, guest = await sdk.user(), await sdk.user()
    thread = await sdk.make_thread(owner, guest)
    sent = await owner.thread(thread).send_message(
        'Hello <b>you</b> & ☃ "q"\n\ttab',
        sender_display_name="Owner ☃",
        metadata={"a": "1", "ключ": "значение"},
    )
    for user in (owner, guest):
        message = await user.thread(thread).get_message(sent.id)
        assert message.id == sent.id
        assert message.type == ChatMessageType.TEXT
        assert message.sequence_id == "3"
        # Text is text: nothing in it is markup, nothing is changed.
        assert text(message) == 'Hello <b>you</b> & ☃ "q"\n\ttab'
        assert message.content.topic is None and message.content.initiator is None
        assert not message.content.participants and not message.content.attachments
        assert message.sender == owner.identifier
        assert message.sender_display_name == "Owner ☃"
        assert message.metadata == {"a": "1", "ключ": "значение"}
        check_fresh(message)


async def test_the_display_name_is_of_the_message_not_of_the_participant(sdk):
    owner, guest = await sdk.user(), await sdk.user()
    made = await owner.chat.create_chat_thread(
        "Names", thread_participants=[guest.as_participant(display_name="From the list")]
    )
    sent = await guest.thread(made.chat_thread.id).send_message("no name")
    message = await owner.thread(made.chat_thread.id).get_message(sent.id)
    assert message.sender_display_name is None
    assert not message.metadata


@pytest.mark.parametrize("kind", [ChatMessageType.HTML, "html"], ids=str)
async def test_html_is_sanitised(sdk, kind):
    owner = await sdk.user()
    thread = owner.thread(await sdk.make_thread(owner))
    sent = await thread.send_message(NASTY, chat_message_type=kind)
    message = await thread.get_message(sent.id)
    assert message.type == ChatMessageType.HTML
    check_clean(text(message))
    # What an edit brings in is looked at in the same way.
    await thread.update_message(sent.id, "<i>new</i>" + NASTY)
    edited = text(await thread.get_message(sent.id))
    assert "<i>new</i>" in edited
    check_clean(edited)


def check_clean(html: str) -> None:
    for bad in NOTHING_OF:
        assert bad not in html.lower(), (bad, html)
    assert "<b>there</b>" in html and "https://good.example/" in html


async def test_html_that_tries_to_hide(sdk):
    owner = await sdk.user()
    thread = owner.thread(await sdk.make_thread(owner))
    for attempt in (
        "<scr<script>ipt>alert(1)</scr</script>ipt>fine",
        '<a href="java&#10;script:alert(1)">fine</a>',
        '<a href=" &#x6A;avascript:alert(1)">fine</a>',
        "<IMG SRC=x OnErRoR=alert(1)>fine",
        "<!--><img src=x onerror=alert(1)>-->fine",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></table></mtext></math>fine",
    ):
        sent = await thread.send_message(attempt, chat_message_type=ChatMessageType.HTML)
        shown = text(await thread.get_message(sent.id)) or ""
        flat = shown.lower()
        assert "<script" not in flat and "<img src=x onerror" not in flat and 'href="java' not in flat, (
            attempt,
            shown,
        )
        assert "fine" in flat, (attempt, shown)


async def test_plain_text_is_not_sanitised(sdk):
    owner = await sdk.user()
    thread = owner.thread(await sdk.make_thread(owner))
    sent = await thread.send_message("<script>alert(1)</script>", chat_message_type="text")
    assert text(await thread.get_message(sent.id)) == "<script>alert(1)</script>"


async def test_edit_own_message(sdk):
    owner, guest = await sdk.user(), await sdk.user()
    thread = await sdk.make_thread(owner, guest)
    own = owner.thread(thread)
    sent = await own.send_message("first", sender_display_name="Me", metadata={"kept": "no"})
    before = await own.get_message(sent.id)
    later = await own.send_message("between")
    assert await own.update_message(sent.id, "second", metadata={"new": "yes"}) is None
    for user in (owner, guest):
        after = await user.thread(thread).get_message(sent.id)
        assert text(after) == "second"
        # Metadata is replaced as a whole (ACS does not say).
        assert after.metadata == {"new": "yes"}
        assert (after.id, after.sequence_id, after.type) == (before.id, before.sequence_id, before.type)
        assert (after.created_on, after.sender) == (before.created_on, before.sender)
        assert after.sender_display_name == "Me"
        assert int(after.version) > int(before.version) and int(after.version) >= int(later.id)
        assert after.edited_on is not None and after.edited_on >= after.created_on
        assert after.deleted_on is None
    # Its place in the list is that of its birth.
    listed = await history(own)
    check_order(listed)
    assert [m.id for m in listed[:2]] == [later.id, sent.id]


async def test_each_edit_gives_a_greater_version(sdk):
    owner = await sdk.user()
    thread = owner.thread(await sdk.make_thread(owner))
    sent = await thread.send_message("0")
    versions = [int(sent.id)]
    for n in range(1, 8):
        await thread.update_message(sent.id, str(n))
        message = await thread.get_message(sent.id)
        assert text(message) == str(n)
        versions.append(int(message.version))
    assert versions == sorted(set(versions))


async def test_edit_only_the_content_or_only_the_metadata(sdk):
    owner = await sdk.user()
    thread = owner.thread(await sdk.make_thread(owner))
    sent = await thread.send_message("words", metadata={"a": "1"})
    await thread.update_message(sent.id, "other words")
    message = await thread.get_message(sent.id)
    assert (text(message), message.metadata) == ("other words", {"a": "1"})
    await thread.update_message(sent.id, metadata={"b": "2"})
    message = await thread.get_message(sent.id)
    assert (text(message), message.metadata) == ("other words", {"b": "2"})
    assert message.edited_on is not None


async def test_delete_own_message_leaves_a_tombstone(sdk):
    owner, guest = await sdk.user(), await sdk.user()
    thread = await sdk.make_thread(owner, guest)
    own = owner.thread(thread)
    sent = await own.send_message("regret", sender_display_name="Me", metadata={"a": "1"})
    before = await own.get_message(sent.id)
    assert await own.delete_message(sent.id) is None
    for user in (owner, guest):
        listed = await history(user.thread(thread))
        check_order(listed)
        for tomb in (await user.thread(thread).get_message(sent.id), listed[0]):
            # Which fields stay is our choice, after those of the event ACS sends.
            assert (tomb.id, tomb.sequence_id, tomb.type) == (before.id, before.sequence_id, before.type)
            assert tomb.created_on == before.created_on and tomb.sender == before.sender
            assert tomb.deleted_on is not None and tomb.deleted_on >= tomb.created_on
            assert int(tomb.version) > int(before.version)
            assert tomb.content is None and not tomb.metadata
    # Deleting again is the same as once; there is nothing left to edit.
    await own.delete_message(sent.id)
    with shows.fails(404, "notFound"):
        await own.update_message(sent.id, "back again")
    assert (await own.get_message(sent.id)).content is None


async def test_an_edited_then_deleted_message_shows_neither_text(sdk):
    owner = await sdk.user()
    thread = owner.thread(await sdk.make_thread(owner))
    sent = await thread.send_message("one")
    await thread.update_message(sent.id, "two")
    await thread.delete_message(sent.id)
    assert (await thread.get_message(sent.id)).content is None


async def test_only_the_sender_may_edit_or_delete(sdk):
    owner, guest = await sdk.user(), await sdk.user()
    thread = await sdk.make_thread(owner, guest)
    by_guest = (await guest.thread(thread).send_message("mine")).id
    by_owner = (await owner.thread(thread).send_message("yours")).id
    # Not even the one who made the thread.
    for user, message in ((owner, by_guest), (guest, by_owner)):
        with shows.fails(403, "forbidden"):
            await user.thread(thread).update_message(message, "changed")
        with shows.fails(403, "forbidden"):
            await user.thread(thread).update_message(message, metadata={"changed": "yes"})
        with shows.fails(403, "forbidden"):
            await user.thread(thread).delete_message(message)
    for message, said in ((by_guest, "mine"), (by_owner, "yours")):
        seen = await owner.thread(thread).get_message(message)
        assert text(seen) == said
        check_fresh(seen)


async def test_system_messages_belong_to_nobody(sdk):
    owner = await sdk.user()
    own = owner.thread(await sdk.make_thread(owner))
    for system in await history(own):
        with shows.fails(403, "forbidden"):
            await own.update_message(system.id, "rewritten")
        with shows.fails(403, "forbidden"):
            await own.delete_message(system.id)
    assert all(m.edited_on is None and m.deleted_on is None for m in await history(own))


@pytest.mark.parametrize(
    "message, status",
    [("1234567890123", 404), ("1", 404)]
    # What no id could be may be called malformed instead.
    + [(odd, (400, 404)) for odd in ("0", "no-number", "9" * 40, "a/b", "é", "-1")],
)
async def test_unknown_message_is_404(sdk, message, status):
    owner = await sdk.user()
    own = owner.thread(await sdk.make_thread(owner))
    for call in (
        lambda: own.get_message(message),
        lambda: own.update_message(message, "nothing there"),
        lambda: own.delete_message(message),
    ):
        with shows.fails(status):
            await call()


async def test_a_message_is_found_in_its_own_thread_only(sdk):
    owner = await sdk.user()
    here, there = await sdk.make_thread(owner), await sdk.make_thread(owner)
    sent = await owner.thread(here).send_message("here")
    with shows.fails(404, "notFound"):
        await owner.thread(there).get_message(sent.id)


async def test_the_longest_message_and_one_byte_more(sdk):
    owner = await sdk.user()
    own = owner.thread(await sdk.make_thread(owner))
    longest = "x" * LIMITS["messageBytes"]
    sent = await own.send_message(longest)
    assert text(await own.get_message(sent.id)) == longest
    # ACS documents the size, not the status: 400.
    with shows.fails(400):
        await own.send_message(longest + "x")
    with shows.fails(400):
        await own.update_message(sent.id, longest + "x")
    # Bytes count, not characters; and metadata counts with the content.
    with shows.fails(400):
        await own.send_message("ü" * (LIMITS["messageBytes"] // 2 + 1))
    with shows.fails(400):
        await own.send_message("x" * (LIMITS["messageBytes"] - 10), metadata={"key": "v" * 100})
    assert len(await items(own.list_messages())) == 3


async def test_a_display_name_too_long_is_400(sdk):
    owner = await sdk.user()
    own = owner.thread(await sdk.make_thread(owner))
    await own.send_message("fits", sender_display_name="n" * LIMITS["displayNameChars"])
    with shows.fails(400):
        await own.send_message("does not", sender_display_name="n" * (LIMITS["displayNameChars"] + 1))


async def test_times_are_utc_and_of_now(sdk):
    owner = await sdk.user()
    own = owner.thread(await sdk.make_thread(owner))
    before = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=1)
    sent = await own.send_message("now")
    after = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)
    assert before <= (await own.get_message(sent.id)).created_on <= after

"""Message lists through the SDK: order, pages, start time, and paging while the thread goes on."""

import datetime

from azure.communication.chat import ChatMessageType
from support import raw, shows
from support.chatting import check_order, history, moment, texts, until_after
from support.expected import LIMITS
from support.sdk import each_page, items, pages


async def test_newest_first_with_everything_in_it(sdk):
    owner, guest = await sdk.user(), await sdk.user()
    thread = await sdk.make_thread(owner, guest)
    for n in range(6):
        await (owner, guest)[n % 2].thread(thread).send_message(f"message {n}")
    for user in (owner, guest):
        listed = await history(user.thread(thread))
        check_order(listed)
        assert texts(listed) == [f"message {n}" for n in reversed(range(6))]
        assert [m.sequence_id for m in listed] == [str(n) for n in reversed(range(1, 9))]
        assert [m.type for m in listed[-2:]] == [
            ChatMessageType.TOPIC_UPDATED,
            ChatMessageType.PARTICIPANT_ADDED,
        ]
        # A listed message is the message that `get` gives.
        for message in listed[:3]:
            alone = await user.thread(thread).get_message(message.id)
            for field in ("id", "type", "sequence_id", "version", "created_on", "sender", "metadata"):
                assert getattr(alone, field) == getattr(message, field), field


async def test_pages_have_the_size_asked_for(sdk):
    owner = await sdk.user()
    own = owner.thread(await sdk.make_thread(owner))
    for n in range(9):
        await own.send_message(str(n))
    for size, shape in ((1, [1] * 11), (4, [4, 4, 3]), (11, [11]), (12, [11])):
        listed = await pages(own.list_messages(results_per_page=size))
        assert [len(page) for page in listed if page] == shape, size
        flat = [m for page in listed for m in page]
        check_order(flat)
        assert texts(flat) == [str(n) for n in reversed(range(9))]


async def test_paging_is_stable_while_messages_arrive(sdk):
    owner, guest = await sdk.user(), await sdk.user()
    thread = await sdk.make_thread(owner, guest)
    own = owner.thread(thread)
    made = [(await own.send_message(f"old {n}")).id for n in range(12)]
    seen = []
    async for page in each_page(own.list_messages(results_per_page=3)):
        seen += page
        await guest.thread(thread).send_message("arrives meanwhile")
    check_order(seen)
    ids = [m.id for m in seen]
    assert [id for id in ids if id in made] == list(reversed(made))
    # The first page was asked for before any of them came.
    assert "arrives meanwhile" not in texts(seen)


async def test_paging_shows_edits_and_deletions_made_meanwhile_once(sdk):
    owner = await sdk.user()
    own = owner.thread(await sdk.make_thread(owner))
    made = [(await own.send_message(f"old {n}")).id for n in range(6)]
    seen = []
    async for page in each_page(own.list_messages(results_per_page=2)):
        if not seen:
            await own.update_message(made[0], "edited meanwhile")
            await own.delete_message(made[1])
        seen += page
    check_order(seen)
    by_id = {m.id: m for m in seen}
    assert set(made) <= set(by_id) and len(by_id) == len(seen)
    assert by_id[made[0]].content.message == "edited meanwhile"
    assert by_id[made[1]].content is None and by_id[made[1]].deleted_on is not None


async def test_start_time_leaves_out_what_is_older(sdk):
    owner = await sdk.user()
    own = owner.thread(await sdk.make_thread(owner))
    for n in range(3):
        mark = (await own.send_message(f"old {n}")).id
    newer = [id for id in await until_after(own, mark, 10) if int(id) > int(mark) + 2]
    since = moment(str(int(mark) + 2))
    listed = await history(own, start_time=since)
    check_order(listed)
    assert set(newer) <= {m.id for m in listed}
    assert not [t for t in texts(listed) if t.startswith("old")]
    paged = [
        m.id for page in await pages(own.list_messages(start_time=since, results_per_page=1)) for m in page
    ]
    assert paged == [m.id for m in listed]


async def test_start_time_includes_older_messages_edited_or_deleted_since(sdk):
    owner = await sdk.user()
    own = owner.thread(await sdk.make_thread(owner))
    edited, deleted, untouched = [
        (await own.send_message(t)).id for t in ("to edit", "to delete", "untouched")
    ]
    await until_after(own, untouched, 5)
    await own.update_message(edited, "edited since")
    await own.delete_message(deleted)
    listed = {m.id: m for m in await history(own, start_time=moment(str(int(untouched) + 2)))}
    assert untouched not in listed
    assert listed[edited].content.message == "edited since"
    assert listed[deleted].deleted_on is not None


async def test_start_time_in_the_future_and_long_ago(sdk):
    owner = await sdk.user()
    own = owner.thread(await sdk.make_thread(owner))
    await own.send_message("now")
    hour = datetime.timedelta(hours=1)
    assert await history(own, start_time=raw.now() + hour) == []
    assert len(await history(own, start_time=raw.now() - 24 * hour)) == 3


async def test_pages_are_cut_at_the_greatest_size(sdk, server, alpha):
    """ACS documents 200 as the greatest page; a larger wish is cut to it (its answer is not documented)."""
    owner = await sdk.user()
    thread = await sdk.make_thread(owner)
    own = owner.thread(thread)
    for n in range(LIMITS["pageSize"] + 3):
        await own.send_message(str(n))
    total = LIMITS["pageSize"] + 5
    for options in ({"results_per_page": 1000}, {"results_per_page": LIMITS["pageSize"]}):
        listed = await pages(own.list_messages(**options))
        assert [len(page) for page in listed if page] == [LIMITS["pageSize"], 5], options
    assert len(await items(own.list_messages())) == total


def test_page_links(server, alpha, beta, make_user):
    """The link is absolute, on the same host, and carries the version; it opens nothing for anybody else."""
    owner_id, owner = make_user()
    _, stranger = make_user()
    _, foreign = make_user(resource=beta)
    made = raw.bearer(server, alpha, owner, "POST", f"/chat/threads?{raw.CHAT}", {"topic": "links"})
    thread = made.json()["chatThread"]["id"].replace(":", "%3A").replace("@", "%40")
    other = raw.bearer(server, alpha, owner, "POST", f"/chat/threads?{raw.CHAT}", {"topic": "other"})
    other = other.json()["chatThread"]["id"].replace(":", "%3A").replace("@", "%40")
    path = f"/chat/threads/{thread}/messages"
    for n in range(3):
        assert (
            raw.bearer(
                server, alpha, owner, "POST", f"{path}?{raw.CHAT}", {"content": f"canary-{n}-text"}
            ).status
            == 201
        )
    page = raw.bearer(server, alpha, owner, "GET", f"{path}?{raw.CHAT}&maxPageSize=2").json()
    link = page["nextLink"]
    assert link.startswith(alpha.endpoint.rstrip("/") + "/chat/threads/19%3A"), link
    assert raw.CHAT in link
    target = link[len(alpha.endpoint.rstrip("/")) :]
    for content in ("canary-", owner_id, owner):
        assert content not in link
    again = [raw.bearer(server, alpha, owner, "GET", target) for _ in range(2)]
    assert again[0].status == again[1].status == 200 and again[0].json() == again[1].json()
    assert len(again[0].json()["value"]) == 2

    first = shows.raw_error(raw.bearer(server, alpha, stranger, "GET", target), 403, "forbidden")
    plain = shows.raw_error(
        raw.bearer(server, alpha, stranger, "GET", f"{path}?{raw.CHAT}"), 403, "forbidden"
    )
    assert first == plain
    shows.raw_error(raw.bearer(server, alpha, foreign, "GET", target), 401, "badToken")

    # A link of one thread, used on another one of the same user, shows nothing of the first.
    moved = raw.bearer(server, alpha, owner, "GET", target.replace(thread, other))
    assert moved.status in (200, 400)
    if moved.status == 200:
        assert all(m["type"] != "text" for m in moved.json()["value"])


def test_bad_paging_arguments_are_400(server, alpha, make_user):
    _, owner = make_user()
    made = raw.bearer(server, alpha, owner, "POST", f"/chat/threads?{raw.CHAT}", {"topic": "links"})
    thread = made.json()["chatThread"]["id"].replace(":", "%3A").replace("@", "%40")
    path = f"/chat/threads/{thread}/messages?{raw.CHAT}"
    for bad in (
        "maxPageSize=many",
        "maxPageSize=-1",
        "maxPageSize=99999999999999999999",
        "startTime=yesterday",
        "startTime=2024-13-01T00%3A00%3A00Z",
        "syncState=AAAA",
        "syncState=" + "A" * 2000,
    ):
        shows.raw_error(raw.bearer(server, alpha, owner, "GET", f"{path}&{bad}"), 400)
    for bad in ("maxPageSize=many", "skip=-1", "skip=some"):
        listing = f"/chat/threads/{thread}/participants?{raw.CHAT}&{bad}"
        shows.raw_error(raw.bearer(server, alpha, owner, "GET", listing), 400)

"""The rate limits of ACS (`--acs-rate-limits`): 429 with Retry-After, for the right one only, and over in time."""

import concurrent.futures
import itertools
import time

from support import raw, shows
from support.expected import MESSAGES
from support.sdk import items


async def until_throttled(call, most: int) -> int:
    """How often the call went through before it was refused; it must be refused by `most` calls."""
    for done in itertools.count():
        assert done <= most, f"{done} calls and no refusal"
        try:
            await call()
        except Exception as failure:
            error = shows.sdk_error(failure, 429, "throttled")
            assert error["message"] == MESSAGES["throttled"]
            assert int(failure.response.headers["Retry-After"]) <= 60
            return done


async def test_update_thread_5_in_10_seconds_per_thread(limited):
    owner, guest = await limited.user(), await limited.user()
    thread, other = await limited.make_thread(owner, guest), await limited.make_thread(owner)
    topics = itertools.count()
    assert await until_throttled(lambda: owner.thread(thread).update_topic(f"t{next(topics)}"), 6) == 5
    # The limit is the thread's: another member meets it too, another thread does not.
    with shows.fails(429, "throttled"):
        await guest.thread(thread).update_topic("by the guest")
    await owner.thread(other).update_topic("elsewhere")
    # The refused ones did nothing.
    assert (await owner.thread(thread).get_properties()).topic == "t4"


async def test_messages_10_in_10_seconds_per_thread(limited):
    owner, guest = await limited.user(), await limited.user()
    thread, other = await limited.make_thread(owner, guest), await limited.make_thread(owner)
    own = owner.thread(thread)
    first = await own.send_message("one")
    # Sending, editing and deleting count together.
    await own.update_message(first.id, "one, edited")
    sent = await until_throttled(lambda: own.send_message("more"), 10)
    assert sent == 8
    with shows.fails(429, "throttled"):
        await own.delete_message(first.id)
    with shows.fails(429, "throttled"):
        await guest.thread(thread).send_message("me too")
    await owner.thread(other).send_message("elsewhere")
    # Reading goes on.
    assert len(await items(own.list_messages())) == 2 + 1 + sent


async def test_create_and_delete_thread_10_in_10_seconds_per_user(limited):
    owner, other = await limited.user(), await limited.user()
    made = []

    async def create():
        made.append(await limited.make_thread(owner))

    assert await until_throttled(create, 11) == 10
    eleventh = await limited.make_thread(other, owner)
    left = iter([*made, eleventh])
    assert await until_throttled(lambda: owner.chat.delete_chat_thread(next(left)), 11) == 10


async def test_participants_10_in_10_seconds_per_thread(limited):
    owner, guest = await limited.user(), await limited.user()
    own = owner.thread(await limited.make_thread(owner))
    turn = itertools.cycle(
        [
            lambda: own.add_participants([guest.as_participant()]),
            lambda: own.remove_participant(guest.identifier),
        ]
    )
    assert await until_throttled(lambda: next(turn)(), 11) == 10


async def test_list_participants_10_in_10_seconds_per_user(limited):
    owner, guest = await limited.user(), await limited.user()
    thread = await limited.make_thread(owner, guest)
    assert await until_throttled(lambda: items(owner.thread(thread).list_participants()), 11) == 10
    assert len(await items(guest.thread(thread).list_participants())) == 2


async def test_receipts_and_typing_5_in_10_seconds(limited):
    owner, guest = await limited.user(), await limited.user()
    thread = await limited.make_thread(owner, guest)
    sent = await owner.thread(thread).send_message("read me")
    own = owner.thread(thread)
    assert await until_throttled(own.send_typing_notification, 6) == 5
    assert await until_throttled(lambda: items(own.list_read_receipts()), 6) == 5
    assert await until_throttled(lambda: own.send_read_receipt(sent.id), 11) == 10
    # Those are per user and thread.
    await guest.thread(thread).send_typing_notification()


async def test_lists_and_gets_50_in_10_seconds_per_user(limited):
    owner = await limited.user()
    thread = await limited.make_thread(owner)
    assert await until_throttled(lambda: items(owner.chat.list_chat_threads()), 51) == 50
    own = owner.thread(await limited.make_thread(owner))
    sent = await own.send_message("get me")
    assert await until_throttled(lambda: own.get_message(sent.id), 51) == 50
    assert await until_throttled(lambda: items(own.list_messages()), 51) == 50
    assert thread


async def test_the_sdk_waits_as_told_and_succeeds(limited):
    """With the SDK's own retries: the refused call goes through after the wait that Retry-After names."""
    owner = await limited.user()
    thread = await limited.make_thread(owner)
    topics = itertools.count()
    await until_throttled(lambda: owner.thread(thread).update_topic(f"t{next(topics)}"), 6)
    patient = limited.thread(owner.resource, owner.token, thread, retry_total=5)
    waits = []

    def note(response):
        if response.http_response.status_code == 429:
            waits.append(int(response.http_response.headers["Retry-After"]))

    started = time.monotonic()
    await patient.update_topic("at last", raw_response_hook=note)
    assert waits and time.monotonic() - started >= sum(waits) - 1
    assert sum(waits) <= 30
    assert (await owner.thread(thread).get_properties()).topic == "at last"


def test_revoke_500_in_30_seconds_per_resource(limited_server):
    """An identity limit, by hand and in parallel, for it is a large one; the other resource is left alone."""
    alpha, beta = limited_server.resource("alpha"), limited_server.resource("beta")
    made = {
        r: raw.signed(limited_server, r, "POST", f"/identities?{raw.IDENTITY}", {}) for r in (alpha, beta)
    }
    target = {
        r: f"/identities/{answer.json()['identity']['id'].replace(':', '%3A')}/:revokeAccessTokens?{raw.IDENTITY}"
        for r, answer in made.items()
    }
    started = time.monotonic()

    def revoke(_):
        return raw.signed(limited_server, alpha, "POST", target[alpha])

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(revoke, range(510)))
    assert time.monotonic() - started < 30, "too slow here to reach the limit within its window"
    refused = [answer for answer in answers if answer.status != 204]
    assert len(answers) - len(refused) == 500
    for answer in refused:
        shows.raw_error(answer, 429, "throttled")
    assert raw.signed(limited_server, beta, "POST", target[beta]).status == 204


async def test_without_the_flag_there_are_no_rate_limits(sdk):
    owner = await sdk.user()
    own = owner.thread(await sdk.make_thread(owner))
    for n in range(40):
        await own.send_message(str(n))
        await own.update_topic(str(n))

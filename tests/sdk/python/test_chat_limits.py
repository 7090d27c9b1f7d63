"""Limits and malformed requests of chat: through the SDK where it would send them, else by hand."""

import json

import pytest
from azure.communication.chat import ChatParticipant, CommunicationUserIdentifier
from support import raw, shows
from support.expected import LIMITS
from support.sdk import items

PER_THREAD = LIMITS["participantsPerThread"]
PER_REQUEST = LIMITS["participantsPerRequest"]


def participants(ids):
    return [ChatParticipant(identifier=CommunicationUserIdentifier(id)) for id in ids]


async def test_a_full_thread_takes_one_less_than_one_more(sdk, crowd):
    people = crowd(PER_THREAD)
    owner = await sdk.user()
    made = await owner.chat.create_chat_thread("Full", thread_participants=participants(people[:PER_REQUEST]))
    own = owner.thread(made.chat_thread.id)
    # With the creator: one place is taken already.
    assert await own.add_participants(participants(people[PER_REQUEST : PER_THREAD - 1])) == []
    assert len(await items(own.list_participants())) == PER_THREAD
    with shows.fails(400):
        await own.add_participants(participants(people[PER_THREAD - 1 : PER_THREAD]))
    assert len(await items(own.list_participants())) == PER_THREAD
    # Who is in already may be added again: that is no change.
    assert await own.add_participants(participants(people[:1])) == []
    # A place that comes free can be taken.
    await own.remove_participant(CommunicationUserIdentifier(people[0]))
    assert await own.add_participants(participants(people[PER_THREAD - 1 : PER_THREAD])) == []


async def test_too_many_in_one_request(sdk, crowd):
    people = crowd(PER_REQUEST + 1)
    owner = await sdk.user()
    with shows.fails(400):
        await owner.chat.create_chat_thread("Too many", thread_participants=participants(people))
    assert await items(owner.chat.list_chat_threads()) == []
    own = owner.thread(await sdk.make_thread(owner))
    with shows.fails(400):
        await own.add_participants(participants(people))
    assert len(await items(own.list_participants())) == 1


async def test_topic_length(sdk):
    owner = await sdk.user()
    longest = "ü" * LIMITS["topicChars"]
    thread = await sdk.make_thread(owner, topic=longest)
    assert (await owner.thread(thread).get_properties()).topic == longest
    with shows.fails(400):
        await owner.chat.create_chat_thread(longest + "x")
    with shows.fails(400):
        await owner.thread(thread).update_topic(longest + "x")
    with shows.fails(400):
        await owner.thread(thread).update_topic("")
    assert (await owner.thread(thread).get_properties()).topic == longest


@pytest.fixture(scope="module")
def talk(server, alpha, make_user):
    """A user and a thread, by hand: gives a function that asks for a path below the thread."""
    identity, token = make_user()
    made = raw.bearer(server, alpha, token, "POST", f"/chat/threads?{raw.CHAT}", {"topic": "raw"})
    assert made.status == 201, made.body
    encoded = made.json()["chatThread"]["id"].replace(":", "%3A").replace("@", "%40")

    def ask(method, below, value=None, **more):
        path = below if below.startswith("/chat") else f"/chat/threads/{encoded}{below}"
        joint = "&" if "?" in path else "?"
        return raw.bearer(server, alpha, token, method, f"{path}{joint}{raw.CHAT}", value, **more)

    ask.identity = identity
    ask.encoded = encoded
    return ask


def test_the_shape_of_a_created_thread_on_the_wire(talk, alpha):
    made = talk("POST", "/chat/threads", {"topic": "shape", "metadata": {"k": "v"}})
    assert made.status == 201
    body = made.json()
    thread = body["chatThread"]
    assert made.headers["Location"].endswith(
        "/chat/threads/" + thread["id"].replace(":", "%3A").replace("@", "%40")
    ) or (made.headers["Location"].split("?")[0].endswith(thread["id"].replace(":", "%3A"))), made.headers[
        "Location"
    ]
    assert thread["topic"] == "shape" and thread["metadata"] == {"k": "v"}
    assert thread["createdOn"].endswith("0000Z") and len(thread["createdOn"]) == len(
        "2024-01-01T00:00:00.0000000Z"
    )
    creator = thread["createdByCommunicationIdentifier"]
    # Python reads the id from `rawId`, JavaScript from `communicationUser`.
    assert creator["rawId"] == creator["communicationUser"]["id"] == talk.identity
    assert not body.get("invalidParticipants")


def test_the_shape_of_a_message_on_the_wire(talk):
    sent = talk("POST", "/messages", {"content": "hello", "type": "text"})
    assert sent.status == 201 and set(sent.json()) == {"id"}
    assert sent.headers["Location"].split("?")[0].endswith(f"/messages/{sent.json()['id']}")
    message = talk("GET", f"/messages/{sent.json()['id']}").json()
    assert {
        "id",
        "type",
        "sequenceId",
        "version",
        "content",
        "createdOn",
        "senderCommunicationIdentifier",
    } <= set(message)
    assert message["type"] == "text" and message["content"]["message"] == "hello"
    assert all(isinstance(message[name], str) for name in ("id", "sequenceId", "version"))
    assert message["createdOn"].endswith("0000Z") and "." in message["createdOn"]
    sender = message["senderCommunicationIdentifier"]
    assert sender["rawId"] == sender["communicationUser"]["id"] == talk.identity


@pytest.mark.parametrize(
    "topic", [{}, {"topic": None}, {"topic": ""}, {"topic": "   "}, {"topic": 5}, {"topic": ["a"]}], ids=str
)
def test_a_topic_is_needed(talk, topic):
    shows.raw_error(talk("POST", "/chat/threads", topic), 400)


@pytest.mark.parametrize(
    "policy",
    [{"kind": "none"}]
    + [{"kind": "threadCreationDate", "deleteThreadAfterDays": d} for d in LIMITS["retentionDays"]],
    ids=str,
)
def test_retention_is_kept_and_given_back(talk, policy):
    made = talk("POST", "/chat/threads", {"topic": "kept", "retentionPolicy": policy})
    assert made.status == 201, made.body
    thread = made.json()["chatThread"]
    encoded = thread["id"].replace(":", "%3A").replace("@", "%40")
    for seen in (thread, talk("GET", f"/chat/threads/{encoded}").json()):
        if policy["kind"] == "none":
            assert seen.get("retentionPolicy") in (None, policy)
        else:
            assert seen["retentionPolicy"] == policy


@pytest.mark.parametrize(
    "policy",
    [
        {"kind": "threadCreationDate", "deleteThreadAfterDays": d}
        for d in (0, 1, 29, 91, -30, 30.5, "30", None)
    ]
    + [{"kind": "forever"}, {"kind": "threadCreationDate"}, {"deleteThreadAfterDays": 30}, "none", 30],
    ids=str,
)
def test_bad_retention_is_400(talk, policy):
    shows.raw_error(talk("POST", "/chat/threads", {"topic": "kept", "retentionPolicy": policy}), 400)
    merge = [("Content-Type", "application/merge-patch+json")]
    shows.raw_error(talk("PATCH", "", {"retentionPolicy": policy}, extra=merge), 400)


def test_metadata_size(talk):
    fits = {"k": "v" * (LIMITS["metadataBytes"] - 1)}
    one_more = {"k": "v" * LIMITS["metadataBytes"]}
    assert talk("POST", "/chat/threads", {"topic": "m", "metadata": fits}).status == 201
    shows.raw_error(talk("POST", "/chat/threads", {"topic": "m", "metadata": one_more}), 400)
    shows.raw_error(talk("PATCH", "", {"metadata": one_more}), 400)
    for bad in ({"k": 1}, {"k": {"a": "b"}}, ["k"], "k"):
        shows.raw_error(talk("POST", "/chat/threads", {"topic": "m", "metadata": bad}), 400)


@pytest.mark.parametrize(
    "media", ["application/json", "application/merge-patch+json", "application/json; charset=utf-8"]
)
def test_patch_bodies_in_both_media_types(talk, media):
    extra = [("Content-Type", media)]
    assert talk("PATCH", "", {"topic": f"by {media}"}, extra=extra).status == 204
    sent = talk("POST", "/messages", {"content": "hello"}).json()["id"]
    assert talk("PATCH", f"/messages/{sent}", {"content": "edited"}, extra=extra).status == 204
    assert talk("GET", f"/messages/{sent}").json()["content"]["message"] == "edited"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"content": None},
        {"content": 5},
        {"content": {"message": "x"}},
        {"content": "x", "type": "topicUpdated"},
        {"content": "x", "type": "participantAdded"},
        {"content": "x", "type": "RichText/Html2"},
        {"content": "x", "type": 1},
        {"content": "x", "metadata": {"a": 1}},
        {"content": "x", "metadata": []},
        {"content": "x", "senderDisplayName": 7},
        [],
        "x",
        None,
    ],
    ids=str,
)
def test_bad_messages_are_400(talk, body):
    shows.raw_error(talk("POST", "/messages", body=json.dumps(body).encode()), 400)


@pytest.mark.parametrize(
    "participant",
    [
        {},
        {"communicationIdentifier": None},
        {"communicationIdentifier": {}},
        {"communicationIdentifier": "8:acs:x"},
        {"communicationIdentifier": {"communicationUser": {}}},
        {"communicationIdentifier": {"communicationUser": {"id": "a"}, "phoneNumber": {"value": "+1"}}},
        {"communicationIdentifier": {"rawId": 5}},
        "8:acs:x",
    ],
    ids=str,
)
def test_malformed_participants(talk, participant):
    """What names nobody is a bad request (400) or an invalid participant; it never counts as added."""
    answer = talk("POST", "/participants/:add", {"participants": [participant]})
    if answer.status == 201:
        assert len(answer.json()["invalidParticipants"]) == 1
    else:
        shows.raw_error(answer, 400)
    assert len(talk("GET", "/participants").json()["value"]) == 1


def test_other_kinds_of_participants_are_refused_one_by_one(talk):
    """No Teams and no telephone side: 403, as ACS answers for a Teams user in a plain thread."""
    guid = "11111111-2222-4333-8444-555555555555"
    others = [
        {
            "rawId": f"8:orgid:{guid}",
            "microsoftTeamsUser": {"userId": guid, "isAnonymous": False, "cloud": "public"},
        },
        {"microsoftTeamsUser": {"userId": guid}},
        {"rawId": "4:+14255550123", "phoneNumber": {"value": "+14255550123"}},
        {"rawId": f"28:orgid:{guid}", "microsoftTeamsApp": {"appId": guid, "cloud": "public"}},
    ]
    for identifier in others:
        answer = talk(
            "POST", "/participants/:add", {"participants": [{"communicationIdentifier": identifier}]}
        )
        assert answer.status == 201, answer.body
        (refused,) = answer.json()["invalidParticipants"]
        assert refused["code"] == "403" and refused["message"]
        assert refused["target"] == identifier.get("rawId", f"8:orgid:{guid}")
    assert len(talk("GET", "/participants").json()["value"]) == 1


@pytest.mark.parametrize(
    "body", [{}, {"participants": None}, {"participants": {}}, {"participants": "all"}], ids=str
)
def test_add_needs_a_list(talk, body):
    shows.raw_error(talk("POST", "/participants/:add", body), 400)


@pytest.mark.parametrize("when", ["yesterday", 5, "2024-01-01", "2024-02-30T00:00:00Z"], ids=str)
def test_a_bad_share_history_time_is_400(talk, make_user, when):
    identity, _ = make_user()
    participant = {
        "communicationIdentifier": {"communicationUser": {"id": identity}},
        "shareHistoryTime": when,
    }
    shows.raw_error(talk("POST", "/participants/:add", {"participants": [participant]}), 400)


@pytest.mark.parametrize(
    "body", [{}, {"chatMessageId": None}, {"chatMessageId": 5}, {"chatMessageId": ""}], ids=str
)
def test_a_receipt_needs_a_message(talk, body):
    shows.raw_error(talk("POST", "/readReceipts", body), 400)


@pytest.mark.parametrize(
    "thread", ["nonsense", "19:zz", "19%3A", "%00", "%ff%fe", "19:a%2Fb@thread.v2", "a" * 500]
)
def test_what_is_no_thread_id(talk, thread):
    """Malformed (400), like a thread that is not there (403), or no path at all (404) where no segment can be so."""
    for below in ("", "/messages", "/participants"):
        answer = talk("GET", f"/chat/threads/{thread}{below}")
        shows.raw_error(answer, answer.status)
        allowed = (400, 403, 404) if "%" in thread and thread != "19%3A" else (400, 403)
        assert answer.status in allowed, (thread, answer.status)


def test_typing_with_and_without_a_body(talk):
    assert talk("POST", "/typing").status == 200
    assert talk("POST", "/typing", {}).status == 200
    answer = talk("POST", "/typing", {"senderDisplayName": "Me"})
    assert answer.status == 200 and answer.body == b""
    shows.raw_error(
        talk("POST", "/typing", {"senderDisplayName": "n" * (LIMITS["displayNameChars"] + 1)}), 400
    )

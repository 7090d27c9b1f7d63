"""What webhooks are told, by the real server, read by the official SDK."""

import ssl
import time
import urllib.request

import pytest
import world
from support import outbox
from world import EVERYTHING_OF_CHAT, PREFIX


@pytest.mark.parametrize("schema", ["grid", "cloud"])
def test_every_event_of_chat_is_read_by_the_sdk(server, hooks, read, schema):
    name = f"chat-{schema}"
    more = {"eventDeliverySchema": "CloudEventSchemaV1_0"} if schema == "cloud" else {}
    world.subscribe(server, name, f"{hooks.base}/good-{schema}", EVERYTHING_OF_CHAT, **more)
    world.everything_of_chat(server)
    # What was erased by the deletion of the thread before it could be told never comes: once more, slowly.
    seen = set()
    deadline = time.monotonic() + 60
    while seen != EVERYTHING_OF_CHAT and time.monotonic() < deadline:
        told = hooks.told(f"good-{schema}")
        seen = {(e.get("eventType") or e["type"]).removeprefix(PREFIX) for r in told for e in r.events()}
        if seen != EVERYTHING_OF_CHAT:
            slowly(server, hooks, f"good-{schema}")
    assert seen == EVERYTHING_OF_CHAT, EVERYTHING_OF_CHAT - seen
    told = hooks.told(f"good-{schema}")
    made = read(schema, [request.body for request in told])
    assert all(one["count"] == 1 and one["known"] and one["dated"] for one in made), made
    by_type = {one["type"].removeprefix(PREFIX): one["data"] for one in made}
    received = by_type["ChatMessageReceived"]
    assert received["messageBody"] == "hello" and received["metadata"] == {"k": "v"}
    assert received["senderDisplayName"] == "Ada" and received["type"] == "Text"
    assert received["senderCommunicationIdentifier"]["rawId"].startswith("8:acs:")
    assert received["recipientCommunicationIdentifier"]["communicationUser"]["id"].startswith("8:acs:")
    assert isinstance(received["version"], int) and received["composeTime"]
    assert by_type["ChatMessageEdited"]["messageBody"] == "hello again"
    assert by_type["ChatMessageDeleted"]["deleteTime"] and "messageBody" not in by_type["ChatMessageDeleted"]
    assert by_type["ChatThreadCreated"]["properties"] == {"topic": "Plans"}
    assert len(by_type["ChatThreadCreated"]["participants"]) == 2
    added = by_type["ChatThreadParticipantAdded"]["participantAdded"]
    assert added["displayName"] == "User 2" and added["participantCommunicationIdentifier"]["rawId"]
    world.unsubscribe(server, name)


def slowly(server, hooks, name):
    """Everything of chat, the thread deleted only when all before it was told."""
    talk = world.Talk(server, 3)
    before = len(hooks.told(name))
    thread = talk.thread(1)
    owner = talk.at(0, thread)
    message = owner.send_message("hello", sender_display_name="Ada", metadata={"k": "v"}).id
    owner.update_message(message, "hello again")
    owner.send_typing_notification()
    owner.delete_message(message)
    owner.update_topic("Other plans")
    owner.add_participants([world.ChatParticipant(identifier=talk.users[2], display_name="User 2")])
    owner.remove_participant(talk.users[2])
    # 2 created, 6 of the message, 1 typing, 2 updated, 3 added, 3 removed.
    hooks.wait(name, before + 17)
    talk.clients[0].delete_chat_thread(thread)
    hooks.wait(name, before + 19)


def test_subjects_are_those_of_acs(server, hooks):
    world.subscribe(server, "subjects", f"{hooks.base}/good-subjects", EVERYTHING_OF_CHAT)
    talk = world.Talk(server, 3)
    thread = talk.thread(1)
    owner, (a, b, c) = talk.at(0, thread), [user.raw_id for user in talk.users]
    owner.send_message("hello")
    owner.add_participants([world.ChatParticipant(identifier=talk.users[2])])
    told = hooks.wait("good-subjects", 2 + 2 + 3)
    subjects = {(e["eventType"].removeprefix(PREFIX), e["subject"]) for r in told for e in r.events()}
    at = f"thread/{thread}"
    assert subjects == {
        ("ChatThreadCreated", f"{at}/createdBy/{a}"),
        ("ChatThreadCreatedWithUser", f"{at}/createdBy/{a}/recipient/{b}"),
        ("ChatMessageReceivedInThread", f"{at}/sender/{a}"),
        ("ChatMessageReceived", f"{at}/sender/{a}/recipient/{b}"),
        ("ChatThreadParticipantAdded", f"{at}/participantadded/{c}"),
        ("ChatParticipantAddedToThreadWithUser", f"{at}/participantAdded/{c}/recipient/{b}"),
        ("ChatParticipantAddedToThreadWithUser", f"{at}/participantAdded/{c}/recipient/{c}"),
    }
    topics = {e["topic"] for r in told for e in r.events()}
    assert topics == {
        "/subscriptions/7f3c0000-0000-0000-0000-000000000001/resourceGroups/talk/providers"
        "/microsoft.communication/communicationservices/alpha"
    }
    world.unsubscribe(server, "subjects")


def test_texts_and_mails_are_told(server, hooks, read):
    kinds = {"SMSReceived", "SMSDeliveryReportReceived", "EmailDeliveryReportReceived"}
    world.subscribe(server, "reports", f"{hooks.base}/good-reports", kinds)
    text = world.send_text(server, "+14255550100")
    mail = world.send_mail(server, "ada@example.com")
    number = world.own_number(server)
    outbox.Outbox(server, "alpha").receive("+14255550177", number, "grüße")
    told = hooks.wait("good-reports", 3, seconds=60)
    made = read("grid", [request.body for request in told])
    assert all(one["known"] and one["dated"] for one in made), made
    by_type = {one["type"].removeprefix(PREFIX): one["data"] for one in made}
    report = by_type["SMSDeliveryReportReceived"]
    assert (report["messageId"], report["deliveryStatus"], report["tag"]) == (text, "Delivered", "blue")
    report = by_type["EmailDeliveryReportReceived"]
    assert (report["messageId"], report["status"], report["recipient"]) == (mail, "Delivered", "ada@example.com")
    received = by_type["SMSReceived"]
    assert (received["from"], received["to"], received["message"]) == ("+14255550177", number, "grüße")
    assert received["segmentCount"] == 1
    (event,) = [e for r in told for e in r.events() if e["eventType"] == f"{PREFIX}SMSReceived"]
    assert event["id"] == received["messageId"] and event["subject"] == f"/phonenumber/{number.lstrip('+')}", event
    world.unsubscribe(server, "reports")


def test_a_webhook_that_hangs_fails_moves_or_is_slow_delays_no_other(server, hooks):
    names = ["hang", "fail", "move", "slow", "good-beside"]
    for name in names:
        world.subscribe(server, name, f"{hooks.base}/{name}", {"ChatMessageReceivedInThread"})
    talk = world.Talk(server, 1)
    owner = talk.at(0, talk.thread())
    began = time.monotonic()
    for n in range(30):
        owner.send_message(str(n))
    told = hooks.wait("good-beside", 30)
    assert [e["data"]["messageBody"] for r in told for e in r.events()] == [str(n) for n in range(30)]
    assert told[-1].at - began < 10, "the others took nothing of its time"
    assert len(hooks.told("hang")) == 1 and len(hooks.told("fail")) == 1, "one subject, one at a time"
    assert not hooks.told("moved"), "no redirect is followed"
    slow = hooks.wait("slow", 30, seconds=60)
    assert [e["data"]["messageBody"] for r in slow for e in r.events()] == [str(n) for n in range(30)]
    for name in names:
        world.unsubscribe(server, name)


def test_who_takes_the_question_and_does_not_answer_is_agreed_for_by_hand(server, hooks):
    url = f"{hooks.base}/manual"
    world.subscribe(server, "by-hand", url, {"ChatThreadCreated"}, want="AwaitingManualAction")
    (asked,) = hooks.told("manual", kind="SubscriptionValidation")
    link = asked.events()[0]["data"]["validationUrl"]
    assert link.startswith(server.endpoint.rsplit(":", 1)[0]) or "localhost" in link
    talk = world.Talk(server, 1)
    talk.thread()
    with urllib.request.urlopen(link, context=ssl.create_default_context(cafile=server.ca_file)) as answer:
        assert answer.status == 200
    world.stands(server, "by-hand", "Succeeded")
    thread = talk.thread()
    (told,) = hooks.wait("manual", 1)
    assert told.events()[0]["data"]["threadId"] == thread, "what came before is not told"
    world.unsubscribe(server, "by-hand")


def test_who_answers_the_question_wrongly_gets_nothing(server, hooks):
    answer = outbox.ask(
        server,
        "PUT",
        world.ARM.format("alpha", "closed"),
        {
            "properties": {
                "destination": {"endpointType": "WebHook", "properties": {"endpointUrl": "http://127.0.0.1:9/x"}}
            }
        },
    )
    assert answer.status == 201
    world.stands(server, "closed", "Failed", seconds=40)
    world.unsubscribe(server, "closed")


def test_what_is_refused_is_a_dead_letter(server, hooks):
    world.subscribe(server, "refuse", f"{hooks.base}/refuse", {"ChatThreadCreated"})
    thread = world.Talk(server, 1).thread()
    hooks.wait("refuse", 1)
    deadline = time.monotonic() + 20
    while not (dead := world.dead_letters(server, "refuse")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    (letter,) = dead
    assert letter["data"]["threadId"] == thread and letter["lastDeliveryOutcome"] == "BadRequest"
    assert letter["deliveryAttempts"] == 1 and letter["deadLetterReason"]
    world.unsubscribe(server, "refuse")

"""Subscriptions made as an operator makes them, and things done with the official SDKs that are told to webhooks."""

import json
import time
import urllib.parse

from azure.communication.chat import (
    ChatClient,
    ChatParticipant,
    ChatThreadClient,
    CommunicationTokenCredential,
)
from azure.communication.email import EmailClient
from azure.communication.identity import CommunicationIdentityClient
from azure.communication.phonenumbers import PhoneNumbersClient
from azure.communication.sms import SmsClient
from support import outbox

PREFIX = "Microsoft.Communication."
ARM = (
    "/subscriptions/7f3c0000-0000-0000-0000-000000000001/resourceGroups/talk/providers/Microsoft.Communication"
    "/communicationServices/{}/providers/Microsoft.EventGrid/eventSubscriptions/{}?api-version=2022-06-15"
)
EVERYTHING_OF_CHAT = {
    "ChatMessageReceived",
    "ChatMessageReceivedInThread",
    "ChatMessageEdited",
    "ChatMessageEditedInThread",
    "ChatMessageDeleted",
    "ChatMessageDeletedInThread",
    "ChatThreadCreated",
    "ChatThreadCreatedWithUser",
    "ChatThreadDeleted",
    "ChatThreadWithUserDeleted",
    "ChatThreadPropertiesUpdated",
    "ChatThreadPropertiesUpdatedPerUser",
    "ChatThreadParticipantAdded",
    "ChatParticipantAddedToThreadWithUser",
    "ChatThreadParticipantRemoved",
    "ChatParticipantRemovedFromThreadWithUser",
    "ChatTypingIndicatorReceivedInThread",
}


def standing(server, name, resource="alpha"):
    answer = outbox.ask(server, "GET", ARM.format(resource, name))
    assert answer.status == 200, (answer.status, answer.body)
    return answer.json()["properties"]["provisioningState"]


def stands(server, name, want, resource="alpha", seconds=20.0):
    deadline = time.monotonic() + seconds
    while (now := standing(server, name, resource)) != want:
        assert time.monotonic() < deadline, f"{name} is {now}, not {want}"
        time.sleep(0.05)


def subscribe(server, name, url, kinds=None, resource="alpha", want="Succeeded", **more):
    """Makes a subscription in the shape of Azure, and waits until its webhook was asked."""
    properties = {
        "destination": {"endpointType": "WebHook", "properties": {"endpointUrl": url}},
        "filter": {"includedEventTypes": kinds and [PREFIX + kind for kind in sorted(kinds)]},
        **more,
    }
    answer = outbox.ask(server, "PUT", ARM.format(resource, name), {"properties": properties})
    assert answer.status == 201, (answer.status, answer.body)
    stands(server, name, want, resource)


def unsubscribe(server, name, resource="alpha"):
    answer = outbox.ask(server, "DELETE", ARM.format(resource, name))
    assert answer.status == 200, (answer.status, answer.body)


class Talk:
    """Some users of a resource and what they do in chat."""

    def __init__(self, server, count, resource="alpha"):
        entry = server.resource(resource)
        self.tls = {"connection_verify": server.ca_file}
        identities = CommunicationIdentityClient.from_connection_string(entry.connection_string, **self.tls)
        made = [identities.create_user_and_token(["chat"]) for _ in range(count)]
        self.endpoint, self.users = entry.endpoint, [user for user, _ in made]
        self.credentials = [CommunicationTokenCredential(token.token) for _, token in made]
        self.clients = [ChatClient(self.endpoint, credential, **self.tls) for credential in self.credentials]

    def thread(self, *members, topic="Plans"):
        people = [ChatParticipant(identifier=self.users[n], display_name=f"User {n}") for n in members]
        made = self.clients[0].create_chat_thread(topic, thread_participants=people)
        return made.chat_thread.id

    def at(self, n, thread):
        return ChatThreadClient(self.endpoint, self.credentials[n], thread, **self.tls)


def everything_of_chat(server):
    """Does everything of which chat tells events, among three users. Returns them and the thread."""
    talk = Talk(server, 3)
    thread = talk.thread(1)
    owner = talk.at(0, thread)
    message = owner.send_message("hello", sender_display_name="Ada", metadata={"k": "v"}).id
    owner.update_message(message, "hello again", metadata={"k": "w"})
    owner.send_typing_notification()
    owner.delete_message(message)
    owner.update_topic("Other plans")
    owner.add_participants([ChatParticipant(identifier=talk.users[2], display_name="User 2")])
    owner.remove_participant(talk.users[2])
    talk.clients[0].delete_chat_thread(thread)
    return talk, thread


def send_text(server, to, resource="alpha"):
    client = SmsClient.from_connection_string(
        server.resource(resource).connection_string, connection_verify=server.ca_file
    )
    (sent,) = client.send("CONTOSO", to, "hello", enable_delivery_report=True, tag="blue")
    assert sent.successful, sent
    return sent.message_id


def own_number(server, resource="alpha"):
    """The number that `dev` gives a resource."""
    client = PhoneNumbersClient.from_connection_string(
        server.resource(resource).connection_string, connection_verify=server.ca_file
    )
    return next(iter(client.list_purchased_phone_numbers())).phone_number


def send_mail(server, to, resource="alpha"):
    client = EmailClient.from_connection_string(
        server.resource(resource).connection_string, connection_verify=server.ca_file
    )
    mail = {
        "senderAddress": f"donotreply@{resource}.chancery.test",
        "content": {"subject": "Hello", "plainText": "a text"},
        "recipients": {"to": [{"address": to}]},
    }
    return client.begin_send(mail, polling_interval=0.2).result(30)["id"]


def dead_letters(server, name, resource="alpha"):
    path = f"/operator/resources/{resource}/events/subscriptions/{urllib.parse.quote(name)}/deadLetters"
    answer = outbox.ask(server, "GET", path)
    assert answer.status == 200, (answer.status, answer.body)
    return json.loads(answer.body)["value"]

"""Plants canaries in every content field of every operation of identity, chat, SMS and email, on the ways that succeed and on the
ways that fail, and reads back what must have been stored: a canary that was never taken in proves nothing."""

import base64
import json
import random
import time

from acs import CHAT, IDENTITY, SMS, Resource, Unexpected, User, escaped


class Canaries:
    """Makes texts that all hold one mark, each told apart by where it was planted."""

    def __init__(self, mark: str):
        self.mark, self.planted, self.numbers = mark, [], []

    def __call__(self, place: str, filler: int = 0) -> str:
        self.planted.append(place)
        return f"{place.replace(' ', '.')}.{self.mark}.{len(self.planted)}" + "x" * filler


class Traffic:
    """One resource's share of the scenario. `sizes` are lengths of messages that only this resource sends."""

    def __init__(self, resource: Resource, canary: Canaries, outward, sizes=()):
        self.resource, self.canary, self.outward, self.sizes = resource, canary, outward, sizes
        self.users, self.threads, self.tokens = [], [], []

    @property
    def ids(self) -> list:
        """Identifiers of mails, texts and searches."""
        return self.outward.ids

    def named(self) -> list:
        """All identifiers that the resource gave out."""
        return self.users + self.threads + self.ids

    def run(self):
        """The whole scenario, with somebody listening for its events."""
        self.outward.subscribe()
        self.identity()
        ada, ben, eve = (self.user() for _ in range(3))
        thread = self.thread(ada, ben)
        self.messages(ada, ben, thread)
        self.participants(ada, ben, eve, thread)
        self.signals(ada, ben, thread)
        self.updates(ada, thread)
        self.refusals(ada, eve, thread)
        self.malformed(ada, thread)
        self.removals(ada, ben)
        self.texts()
        self.mails()
        self.outward.mails()
        self.outward.texts()
        self.outward.events_came()

    def texts(self):
        """Texts with canaries as their words, tags, names and numbers, accepted and refused."""
        canary, signed = self.canary, self.resource.signed
        version = f"api-version={SMS}"
        number = "+14255550100"

        def send(expect, sender="CANARY", to=number, **options):
            asked = {
                "from": sender,
                "smsRecipients": [{"to": to}],
                "message": canary("text"),
                "smsSendOptions": {"enableDeliveryReport": True, "tag": canary("tag"), **options},
            }
            return signed("POST", f"/sms?{version}", asked, expect=expect)

        _, _, sent = send(202)
        message = sent["value"][0]["messageId"]
        _, _, report = signed("GET", f"/deliveryReports/{message}?{version}", expect=200)
        if report["to"] != number or canary.mark not in report["tag"]:
            raise Unexpected(f"a text was not taken in: {report}")
        send(401, sender="+18335550199")
        send(400, to=canary("no number"))
        send(202, to="+112345678901")
        for verb in ("add", "check", "remove", "add"):
            asked = {"from": "55555", "recipients": [{"to": number}]}
            signed("POST", f"/sms/optouts:{verb}?{version}", asked, expect=200)
        send(202, sender="55555")
        signed("GET", f"/deliveryReports/{canary('report')}?{version}", expect=404)

    def mails(self):
        """Mails with canaries in every field, to one recipient who takes them and one at whom they bounce, and refused ones."""
        canary, signed, name = self.canary, self.resource.signed, self.resource.authority.split(".")[0]
        version = "api-version=2025-09-01"

        def send(sender, **more):
            encoded = base64.b64encode(canary("attachment").encode()).decode()
            person = {"address": f"{canary('r')}@example.com", "displayName": canary("display name")}
            asked = {
                "senderAddress": sender,
                "content": {key: canary(key) for key in ("subject", "plainText", "html")},
                "recipients": {
                    "to": [person, {"address": f"bounce+{canary('b')}@example.com"}],
                    "cc": [{"address": f"{canary('cc')}@example.com"}],
                    "bcc": [{"address": f"{canary('bcc')}@example.com"}],
                },
                "replyTo": [{"address": f"{canary('reply')}@example.com"}],
                "headers": {"X-Canary": canary("header")},
                "attachments": [
                    {"name": canary("file") + ".txt", "contentType": "text/plain", "contentInBase64": encoded}
                ],
                **more,
            }
            return signed("POST", f"/emails:send?{version}", asked)

        status, _, made = send(f"donotreply@{name}.chancery.test")
        if status == 202:
            for _ in range(200):
                _, _, found = signed("GET", f"/emails/operations/{made['id']}?{version}", expect=200)
                if found["status"] in ("Succeeded", "Failed"):
                    break
                time.sleep(0.05)
            else:
                raise Unexpected(f"a mail came to no end: {found}")
        elif status != 404:
            raise Unexpected(f"a mail was neither taken nor its sender unknown: {status} {made}")
        status, _, _ = send(f"{canary('sender')}@unlinked.example")
        if status not in (400, 404):
            raise Unexpected(f"a sender of no domain got {status}")
        send(f"donotreply@{name}.chancery.test", attachments=[{"name": canary("bad"), "contentInBase64": "%"}])
        signed("GET", f"/emails/operations/{canary('operation')}?{version}")

    def user(self) -> User:
        """A new user whose token is watched for."""
        user = self.resource.create_user()
        self.users.append(user.id)
        self.tokens.append(user.token)
        return user

    def identity(self):
        """Identity operations, with canaries where free text can go."""
        canary, signed = self.canary, self.resource.signed
        version = f"api-version={IDENTITY}"
        gone = self.user()
        name = escaped(gone.id)
        _, _, issued = signed(
            "POST", f"/identities/{name}/:issueAccessToken?{version}", {"scopes": ["chat"]}, expect=200
        )
        self.tokens.append(issued["token"])
        signed("POST", f"/identities/{name}/:revokeAccessTokens?{version}", expect=204)
        signed("DELETE", f"/identities/{name}?{version}", expect=204)
        bad = escaped(f"8:acs:{canary('foreign identity')}")
        signed("POST", f"/identities/{bad}/:issueAccessToken?{version}", {"scopes": ["chat"]}, expect=(400, 401, 404))
        signed("DELETE", f"/identities/{bad}?{version}", expect=(400, 401, 404))
        for body in (
            {"createTokenWithScopes": [canary("scope")]},
            {"createTokenWithScopes": canary("scope of a wrong type")},
            {"expiresInMinutes": canary("minutes")},
            json.dumps({"createTokenWithScopes": [canary("cut short")]}).encode()[:-2],
            canary("no json").encode(),
        ):
            signed("POST", f"/identities?{version}", body, expect=(400, 422))
        signed("POST", f"/identities?{version}", {canary("unknown property"): canary("its value")}, expect=(201, 400))
        signed("POST", f"/identities?api-version={canary('version')}", {}, expect=400)
        signed("POST", f"/identities?{version}&{canary('query')}={canary('query value')}", {}, expect=(201, 400))
        exchange = {"token": canary("teams token"), "appId": canary("app"), "userId": canary("teams user")}
        signed("POST", f"/teamsUser/:exchangeAccessToken?{version}", exchange, expect=(400, 401, 501))

    def thread(self, ada: User, ben: User) -> str:
        """A thread with everything a thread can be given, created twice under one repeatability id."""
        canary = self.canary
        body = {
            "topic": canary("topic"),
            "metadata": {canary("thread key"): canary("thread value")},
            "retentionPolicy": {"kind": "threadCreationDate", "deleteThreadAfterDays": 60},
            "participants": [
                ada.participant(displayName=canary("own display name")),
                ben.participant(
                    displayName=canary("display name"),
                    shareHistoryTime="1970-01-01T00:00:00Z",
                    metadata={canary("participant key"): canary("participant value")},
                ),
                {
                    "communicationIdentifier": {"rawId": "4:+14255550123", "phoneNumber": {"value": "+14255550123"}},
                    "displayName": canary("phone participant"),
                },
                {"communicationIdentifier": {"rawId": f"8:orgid:{canary('teams participant')}"}},
                {"communicationIdentifier": {"rawId": canary("unknown participant")}},
            ],
        }
        repeat = {"repeatability-request-id": canary("repeatability")}
        status, _, answer = ada.call("POST", "/chat/threads", body, repeat)
        if status == 400:  # a server may refuse the whole request over a participant it cannot read
            body["participants"].pop()
            status, _, answer = ada.call("POST", "/chat/threads", body, repeat)
        if status != 201:
            raise Unexpected(f"create thread: {status}: {answer}")
        thread = answer["chatThread"]["id"]
        _, _, again = ada.call("POST", "/chat/threads", body, repeat, expect=201)
        if again["chatThread"]["id"] != thread:
            raise Unexpected("the repeated request made a second thread")
        self.threads.append(thread)
        _, _, read = ben.call("GET", f"/chat/threads/{escaped(thread)}", expect=200)
        if canary.mark not in read["topic"]:
            raise Unexpected("the topic did not come back")
        return thread

    def messages(self, ada: User, ben: User, thread: str):
        """Messages of every kind: sent, edited, deleted, listed."""
        canary, path = self.canary, f"/chat/threads/{escaped(thread)}/messages"

        def send(**body):
            return ada.call("POST", path, body, expect=201)[2]["id"]

        plain = send(content=canary("text"), type="text", senderDisplayName=canary("sender display name"))
        html = send(content=f"<b>{canary('html')}</b><script>{canary('script')}</script>", type="html")
        rich = send(content=canary("text"), metadata={canary("message key"): canary("message value")})
        doomed = send(content=canary("deleted text"), metadata={"k": canary("deleted value")})
        for size in self.sizes:
            send(content=canary("long text", size))
        send(content="é ❤ \u0001 " + canary("text beyond ascii"))
        edit = {"content": canary("edited text"), "metadata": {canary("edited key"): canary("edited value")}}
        ada.call("PATCH", f"{path}/{plain}", edit, expect=204)
        ada.call("PATCH", f"{path}/{html}", {"metadata": {"k": canary("added value")}}, expect=204)
        ada.call("DELETE", f"{path}/{doomed}", expect=204)
        _, _, read = ben.call("GET", f"{path}/{rich}", expect=200)
        if canary.mark not in read["content"]["message"] or canary.mark not in json.dumps(read["metadata"]):
            raise Unexpected("the message did not come back")
        _, _, listed = ben.call("GET", f"{path}?maxPageSize=3", expect=200)
        while "nextLink" in listed:
            target = listed["nextLink"].split(self.resource.authority, 1)[-1]
            _, _, listed = self.resource.request(
                "GET", target, headers={"Authorization": f"Bearer {ben.token}"}, expect=200
            )
        self.last = rich

    def participants(self, ada: User, ben: User, eve: User, thread: str):
        """Participants added, refused, removed."""
        canary, path = self.canary, f"/chat/threads/{escaped(thread)}/participants"
        added = eve.participant(displayName=canary("added name"), metadata={"k": canary("added participant value")})
        phone = {
            "communicationIdentifier": {"phoneNumber": {"value": "+" + "".join(random.choices("0123456789", k=12))}},
            "displayName": canary("added phone"),
        }
        ada.call("POST", f"{path}/:add", {"participants": [added, phone]}, expect=201)
        _, _, listed = ada.call("GET", path, expect=200)
        if canary.mark not in json.dumps(listed):
            raise Unexpected("display names did not come back")
        ada.call("POST", f"{path}/:remove", added["communicationIdentifier"], expect=204)
        ada.call("POST", f"{path}/:remove", {"rawId": canary("removed id")}, expect=(204, 400, 403, 404))

    def signals(self, ada: User, ben: User, thread: str):
        """Typing and read receipts."""
        canary, path = self.canary, f"/chat/threads/{escaped(thread)}"
        ada.call("POST", f"{path}/typing", {"senderDisplayName": canary("typing name")}, expect=200)
        ben.call("POST", f"{path}/readReceipts", {"chatMessageId": self.last}, expect=200)
        ben.call("POST", f"{path}/readReceipts", {"chatMessageId": canary("receipt")}, expect=(400, 404))
        ada.call("GET", f"{path}/readReceipts", expect=200)

    def updates(self, ada: User, thread: str):
        """The thread's own properties."""
        canary, path = self.canary, f"/chat/threads/{escaped(thread)}"
        change = {"topic": canary("new topic"), "metadata": {canary("new thread key"): canary("new thread value")}}
        ada.call("PATCH", path, change, expect=204)
        _, _, listed = ada.call("GET", "/chat/threads", expect=200)
        if canary.mark not in json.dumps(listed):
            raise Unexpected("the new topic did not come back")

    def refusals(self, ada: User, eve: User, thread: str):
        """Content in requests that are refused for who asks, or for what they ask."""
        canary, path = self.canary, f"/chat/threads/{escaped(thread)}"
        eve.call("POST", f"{path}/messages", {"content": canary("from outside")}, expect=(401, 403, 404))
        eve.call("PATCH", path, {"topic": canary("topic from outside")}, expect=(401, 403, 404))
        ada.call("POST", f"{path}/messages", {"content": canary("too long", 40_000)}, expect=(400, 413))
        ada.call("POST", f"{path}/messages", {"content": canary("bad type"), "type": canary("type")}, expect=400)
        ada.call("POST", f"{path}/messages", {"content": canary("system"), "type": "topicUpdated"}, expect=400)
        ada.call("POST", "/chat/threads", {"topic": canary("long topic", 5_000)}, expect=400)
        ada.call("PATCH", path, {"metadata": {"k": canary("too much metadata", 5_000)}}, expect=400)
        ada.call("GET", f"/chat/threads/{escaped(canary('thread id'))}", expect=(400, 403, 404))
        ada.call("GET", f"{path}/messages/{escaped(canary('message id'))}", expect=(400, 404))
        ada.call("GET", f"{path}/messages?startTime={canary('start time')}", expect=400)
        ada.call("GET", f"{path}/messages?syncState={canary('paging token')}", expect=(200, 400))
        request = self.resource.request
        request(
            "GET",
            f"/chat/threads?api-version={CHAT}",
            headers={"Authorization": f"Bearer {canary('token')}"},
            expect=401,
        )
        request("GET", f"/{canary('path')}?{canary('query')}", expect=(400, 401, 404))
        request(canary("METHOD").replace(".", "-"), "/chat/threads", expect=(400, 401, 404, 405, 501))
        request(
            "GET",
            "/",
            headers={"Host": canary("host"), "User-Agent": canary("agent")},
            expect=(400, 401, 403, 404, 421),
        )
        signature = f"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={canary('signature')}"
        headers = {
            "Authorization": signature,
            "x-ms-date": canary("date"),
            "x-ms-content-sha256": canary("hash"),
            "Content-Type": "application/json",
        }
        request("POST", f"/identities?api-version={IDENTITY}", b"{}", headers, expect=401)
        headers = {
            "x-ms-client-request-id": canary("client request id"),
            "User-Agent": canary("agent"),
            "X-Forwarded-For": canary("forwarded"),
            "Cookie": canary("cookie"),
            "traceparent": canary("trace"),
        }
        ada.call("GET", path, headers=headers, expect=200)

    def malformed(self, ada: User, thread: str):
        """Bytes that are no request, or no JSON."""
        canary, path = self.canary, f"/chat/threads/{escaped(thread)}/messages"
        for body in (
            b'{"content": "' + canary("unfinished").encode(),
            b'{"content": "\xff\xfe ' + canary("not utf-8").encode() + b'"}',
            b'{"content": "a", "content": "' + canary("duplicate key").encode() + b'"}',
            b"[" * 200 + b'"' + canary("deep").encode() + b'"' + b"]" * 200,
            json.dumps({"content": [canary("wrong type")]}).encode(),
            json.dumps({"content": "a"}).encode() + canary("after the end").encode(),
        ):
            ada.call("POST", path, body, expect=(400, 422))
        odd = {"Content-Type": f"text/{canary('media type')}"}
        ada.call("POST", path, canary("other media type").encode(), odd, expect=415)
        head = f"POST {path}?api-version={CHAT} HTTP/1.1\r\nHost: {self.resource.authority}\r\n"
        token = f"Authorization: Bearer {ada.token}\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
        self.resource.raw((head + token + '{"content": "' + canary("half sent")).encode())
        self.resource.raw(f"{canary('no http')}\r\n\r\n".encode())
        self.resource.raw((head + f"X-{canary('header')}: {canary('header value')}\r\nBroken\r\n\r\n").encode())

    def removals(self, ada: User, ben: User):
        """A thread deleted whole, and a user deleted with all that it wrote."""
        canary = self.canary
        doomed = self.thread(ada, ben)
        path = f"/chat/threads/{escaped(doomed)}"
        ada.call("POST", f"{path}/messages", {"content": canary("in a deleted thread")}, expect=201)
        ada.call("DELETE", path, expect=204)
        kept = self.thread(ada, ben)
        path = f"/chat/threads/{escaped(kept)}"
        ben.call("POST", f"{path}/messages", {"content": canary("by a deleted user")}, expect=201)
        self.resource.signed("DELETE", f"/identities/{escaped(ben.id)}?api-version={IDENTITY}", expect=204)

"""Plants canaries in what leaves the house and what comes in: events and their subscriptions, dead letters, mails that wait,
bounce, are reported and are submitted, texts from handsets, numbers, the outbox and its rules. What was planted is read back,
or seen by the peer that it was for."""

import json
import random
import smtplib
import time
from email.message import EmailMessage

from acs import NUMBERS, SIP, SMS, Resource, Unexpected
from peers import Peers, dead_letters_of

USER = "{}|11111111-2222-3333-4444-555555555555|tenant"
REPORT = """From: MAILER-DAEMON@mx.example\r
Subject: {subject}\r
Content-Type: multipart/report; report-type=delivery-status; boundary=b\r
\r
--b\r
Content-Type: text/plain\r
\r
{words}\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.example\r
\r
Final-Recipient: rfc822; {recipient}\r
Action: failed\r
Status: 5.1.1\r
Diagnostic-Code: smtp; 550 5.1.1 {diagnosis}\r
\r
--b--\r
"""


class Outward:
    """One resource's share. `server` knows its doors, `peers` are outside."""

    def __init__(self, resource: Resource, canary, server, peers: Peers):
        self.resource, self.canary, self.server, self.peers = resource, canary, server, peers
        self.name = resource.authority.split(".")[0]
        self.plane = f"/operator/resources/{self.name}"
        # Numbers of people: content too, and no canary fits into them.
        self.numbers, self.ids = [], []

    def ask(self, method, path, body=None, expect=200):
        """What the operator's plane answers."""
        return self.resource.operator(method, path, body, expect)

    def person(self) -> str:
        """The number of a handset that is in no other test."""
        number = f"+1425{random.randint(2_000_000, 9_999_999)}"
        self.numbers.append(number)
        return number

    def until(self, what: str, ready, seconds: float = 40):
        """What `ready()` gives, once it gives something."""
        deadline = time.monotonic() + seconds
        while not (found := ready()):
            if time.monotonic() > deadline:
                raise Unexpected(f"{what} did not happen")
            time.sleep(0.05)
        return found

    # Events.

    def subscribe(self):
        """Subscriptions to a webhook that takes events, one that fails, one that refuses."""
        for kind in ("good", "fail", "refuse"):
            url = f"{self.peers.hooks.base}/{kind}/{self.name}/{self.canary('endpoint')}?code={self.canary('code')}"
            self._subscription(kind, url)
        # Nothing begins so; the words are kept all the same.
        url = f"{self.peers.hooks.base}/good/{self.name}-none"
        words = {"subjectBeginsWith": self.canary("begin"), "subjectEndsWith": self.canary("end")}
        self._subscription("filtered", url, words)

    def _subscription(self, name, url, words=()):
        destination = {"endpointType": "WebHook", "properties": {"endpointUrl": url}}
        properties = {"destination": destination, "filter": dict(words), "eventDeliverySchema": "EventGridSchema"}
        path = f"{self.plane}/events/subscriptions/{name}"
        self.ask("PUT", path, {"properties": properties}, expect=(200, 201))

        def stands():
            return self.ask("GET", path)["properties"]["provisioningState"] == "Succeeded"

        self.until(f"the handshake of {name}", stands)

    def events_came(self):
        """The peer that takes events has canaries; the one that refuses left dead letters; the one that fails is behind."""
        mark, hooks = self.canary.mark.encode(), self.peers.hooks

        def taken(kind):
            return any(mark in request.body for request in hooks.told(f"{kind}/{self.name}/"))

        for kind in ("good", "fail", "refuse"):
            self.until(f"an event with content at the webhook {kind}", lambda kind=kind: taken(kind))
        path = f"{self.plane}/events/subscriptions/refuse/deadLetters"
        self.until("a dead letter", lambda: self.canary.mark in dead_letters_of(self.ask("GET", path)))

    # Mail.

    def domain(self):
        """A domain of the resource that may send, its records found in the DNS; where mail leaves for real."""
        domain = f"{self.canary.mark}-{self.name}.example"
        made = self.ask("PUT", f"{self.plane}/email/domains/{domain}", {}, expect=(200, 201))
        for record in made["records"]:
            if record["type"] == "TXT":
                name = record["name"].rstrip(".").lower()
                self.peers.names.texts.setdefault(name, []).append(record["value"])
        looked = self.ask("POST", f"{self.plane}/email/domains/{domain}:verify", {})
        if not looked["verified"]:
            raise Unexpected(f"the domain was not verified: {looked}")
        return f"donotreply@{domain}"

    def send(self, sender, to, **more):
        """Sends one mail; its id."""
        canary = self.canary
        asked = {
            "senderAddress": sender,
            "content": {key: canary(key) for key in ("subject", "plainText", "html")},
            "recipients": {"to": [{"address": to, "displayName": canary("display name")}]},
            **more,
        }
        _, _, made = self.resource.signed("POST", "/emails:send?api-version=2025-09-01", asked, expect=202)
        self.ids.append(made["id"])
        return made["id"]

    def mails(self):
        """Mail that leaves, bounces, waits for another time, is reported as lost, and is submitted by SMTP."""
        canary, sink = self.canary, self.peers.mail
        real = not self.server.captures
        self.sender = self.domain() if real else f"donotreply@{self.name}.chancery.test"
        reported = f"{canary('reported')}@example.com"
        mail = self.send(self.sender, reported)
        if real:
            back = sink.wait(reported)[0]
        else:
            back = self.until("a captured mail", lambda: self._captured(reported))["mail"]["returnPaths"][0]
        self._fate(mail, reported, "Delivered")
        with smtplib.SMTP("localhost", self.server.doors["reports"], timeout=60) as client:
            words = {key: canary(key) for key in ("subject", "words", "diagnosis")}
            client.sendmail("", [back], REPORT.format(recipient=reported, **words))
        self._fate(mail, reported, "Bounced")
        bounced = f"bounce-{canary('bounced')}@example.com" if real else f"bounce+{canary('bounced')}@example.com"
        self._fate(self.send(self.sender, bounced), bounced, "Bounced")
        if real:
            later = f"later-{canary('later')}@example.com"
            self.send(self.sender, later)
        suppressed = f"{canary('suppressed')}@example.com"
        self.ask("POST", f"{self.plane}/email/suppressions", {"address": suppressed})
        told = json.dumps(self.ask("GET", f"{self.plane}/email/suppressions"))
        if suppressed not in told or reported not in told:
            raise Unexpected(f"addresses are not suppressed: {told}")
        self._submit()

    def _captured(self, recipient):
        listed = self.ask("GET", f"{self.plane}/outbox?kind=mail&recipient={recipient}")["value"]
        return self.ask("GET", f"{self.plane}/outbox/{listed[0]['id']}") if listed else None

    def _fate(self, mail, address, want):
        def fate():
            told = self.ask("GET", f"{self.plane}/email/messages/{mail}")["recipients"]
            return any(each["address"] == address and each["status"] == want for each in told)

        self.until(f"{want} of a mail", fate)

    def _submit(self):
        """A program that only speaks SMTP."""
        canary, user = self.canary, USER.format(self.name)
        password = self.ask("POST", f"{self.plane}/email/smtpUsers", {"username": user}, expect=(200, 201))["password"]
        made = EmailMessage()
        made["From"], made["To"] = self.sender, f"{canary('submitted to')}@example.com"
        made["Subject"], made["X-Canary"] = canary("submitted subject"), canary("submitted header")
        made.set_content(canary("submitted text"))
        made.add_attachment(canary("submitted file").encode(), maintype="a", subtype="b", filename=canary("file"))
        with smtplib.SMTP("localhost", self.server.doors["submission"], timeout=60) as client:
            client.starttls(context=self.resource.context)
            client.login(user, password)
            client.send_message(made)
            for bad in (f"{canary('nobody')}@unlinked.example", f"{canary('no address')}"):
                try:
                    client.sendmail(bad, [bad], canary("refused text"))
                except smtplib.SMTPException:
                    continue
                raise Unexpected("a mail from a foreign domain was taken")

    # Texts and numbers.

    def texts(self):
        """A number bought, texts from handsets and to them, opt-outs, rules of the outbox."""
        canary, signed = self.canary, self.resource.signed
        number = self._buy()
        version = f"api-version={SMS}"
        person = self.person()
        for sender in (number, "55555"):
            asked = {"from": sender, "recipients": [{"to": person}]}
            for verb in ("add", "check"):
                _, _, told = signed("POST", f"/sms/optouts:{verb}?{version}", asked, expect=200)
            if told["value"][0].get("isOptedOut") is not True:
                raise Unexpected(f"nobody was opted out: {told}")
        if self.server.captures:
            for words in (canary("text from a handset"), "STOP", canary("text after stop")):
                self.ask("POST", f"{self.plane}/outbox/receive", {"from": self.person(), "to": number, "text": words})
            patterns = [f"*{canary('pattern')}*@example.com", self.person()]
            rules = [{"match": pattern, "action": "slow", "seconds": 1} for pattern in patterns]
            self.ask("PUT", f"{self.plane}/outbox/rules", {"rules": rules})
            if canary.mark not in json.dumps(self.ask("GET", f"{self.plane}/outbox/rules")):
                raise Unexpected("the rules were not kept")
            self.until("a captured text", lambda: self.ask("GET", f"{self.plane}/outbox?kind=text")["value"])
        self._text(number)
        sip = {
            "trunks": {f"{canary.mark}.example.com": {"sipSignalingPort": 5061}},
            "routes": [
                {
                    "name": canary("route"),
                    "description": canary("description"),
                    "numberPattern": "\\+" + self.person()[1:],
                    "trunks": [],
                }
            ],
        }
        headers = {"Content-Type": "application/merge-patch+json"}
        _, _, kept = signed("PATCH", f"/sip?api-version={SIP}", json.dumps(sip).encode(), headers, expect=200)
        if canary.mark not in json.dumps(kept["routes"]):
            raise Unexpected(f"a route was not kept: {kept}")

    def _text(self, sender):
        """One text to a new handset; its id."""
        asked = {
            "from": sender,
            "smsRecipients": [{"to": self.person()}],
            "message": self.canary("text from a number"),
            "smsSendOptions": {"enableDeliveryReport": True, "tag": self.canary("tag")},
        }
        _, _, sent = self.resource.signed("POST", f"/sms?api-version={SMS}", asked, expect=202)
        if not sent["value"][0]["successful"]:
            raise Unexpected(f"a text was not taken: {sent}")
        self.ids.append(sent["value"][0]["messageId"])
        return sent["value"][0]["messageId"]

    def _buy(self):
        """Loads an inventory, searches it, buys two numbers and gives one back; the other one."""
        signed, version, mark = self.resource.signed, f"api-version={NUMBERS}", self.canary.mark
        begin = f"+1833{random.randint(200, 999)}"
        csv = (
            "number,country,type,sms,calling,area_code,locality,division,division_name\n"
            f"{begin}0000..{begin}0009,US,tollFree,inbound+outbound,inbound,833,{mark},WA,{mark}\n"
        )
        path = f"/operator/cells/{self.resource.geography}/numbers:import"
        self.ask("POST", path, {"csv": csv})
        asked = {
            "phoneNumberType": "tollFree",
            "assignmentType": "application",
            "capabilities": {"calling": "inbound", "sms": "inbound+outbound"},
            "areaCode": "833",
            "quantity": 2,
        }
        found = self._operation("POST", "/availablePhoneNumbers/countries/US/:search", asked)
        search = signed("GET", f"/availablePhoneNumbers/searchResults/{found}?{version}", expect=200)[2]
        self._operation("POST", "/availablePhoneNumbers/:purchase", {"searchId": search["searchId"]})
        self.ids.append(search["searchId"])
        kept, released = search["phoneNumbers"]
        body = {"phoneNumbers": [self.person()], "options": {"includeAdditionalOperatorDetails": False}}
        signed("POST", f"/operatorInformation/:search?{version}", body, expect=(200, 400, 404))
        self._operation("DELETE", f"/phoneNumbers/{released}", None)
        return kept

    def _operation(self, method, path, body):
        """A long-running operation to its end; the id of what it made."""
        version = f"api-version={NUMBERS}"
        sent = b"" if body is None else body
        _, headers, _ = self.resource.signed(method, f"{path}?{version}", sent, expect=202)
        operation, made = headers["operation-id"], headers.get("search-id")

        def ended():
            _, _, told = self.resource.signed("GET", f"/phoneNumbers/operations/{operation}?{version}", expect=200)
            if told["status"] == "failed":
                raise Unexpected(f"{path} failed: {told}")
            return told["status"] == "succeeded"

        self.until(f"the end of {path}", ended)
        return made

    # What waits.

    def waiting(self):
        """With the queues held, one mail and one text, which then wait at rest."""
        self.ask("POST", "/operator/queue/pause", {})
        self.send(self.sender, f"{self.canary('waiting')}@example.com")
        self._text("CANARY")
        told = self.ask("GET", "/operator/queue")["value"]
        held = [each for each in told if each["resource"] == self.name and each["waiting"] and each["paused"]]
        if len(held) < 2:
            raise Unexpected(f"nothing waits: {told}")

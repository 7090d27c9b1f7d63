"""Clients of SMTP that are not ours: what they send arrives, what they must not do is refused."""

import email
import email.policy
import re
import smtplib
import socket
import subprocess
import time
import unittest
from email.message import EmailMessage

from server import Server

SENDER = "donotreply@dev.chancery.test"
USER = "dev|11111111-2222-3333-4444-555555555555|tenant"

BOUNCE = """From: MAILER-DAEMON@mx.example\r
Subject: Undelivered Mail Returned to Sender\r
Content-Type: multipart/report; report-type=delivery-status; boundary=b\r
\r
--b\r
Content-Type: text/plain\r
\r
It came back.\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.example\r
\r
Final-Recipient: rfc822; {recipient}\r
Action: failed\r
Status: 5.1.1\r
Diagnostic-Code: smtp; 550 5.1.1 user unknown\r
\r
--b--\r
"""


def setUpModule():
    global server, password
    server = Server()
    password = server.user(USER)


def tearDownModule():
    server.close()


def connect(login=True):
    """A client under TLS, logged in."""
    client = smtplib.SMTP("localhost", server.submission, timeout=60)
    client.starttls(context=server.tls)
    if login:
        client.login(USER, password)
    return client


def message(to, **headers):
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = SENDER, to, "Grüße aus Zürich"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content("Hällo.\n.leading dot\n")
    return made


class Raw:
    """A socket that says what it likes."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.file = self.socket.makefile("rb")
        self.line()

    def line(self):
        return self.file.readline().decode()

    def reply(self):
        line = self.line()
        while line[3:4] == "-":
            line = self.line()
        return line.rstrip("\r\n")

    def say(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())
        return self.reply()

    def begin(self, to):
        for command in ["EHLO x", "MAIL FROM:<>", f"RCPT TO:<{to}>"]:
            assert self.say(command + "\r\n").startswith("250"), command

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Submission(unittest.TestCase):
    def test_a_mail_with_everything(self):
        mail = message("Ada <ada1@example.com>", X_Campaign="autumn", Cc="bob1@example.com", Reply_To="help@dev.example")
        mail.add_alternative("<p>Hällo <img src='cid:map'></p>", subtype="html")
        mail.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<map>")
        mail.add_attachment(b"%PDF-1", maintype="application", subtype="pdf", filename="plän.pdf")
        with connect() as client:
            refused = client.send_message(mail, to_addrs=["ada1@example.com", "bob1@example.com", "eve1@example.com"])
        self.assertEqual(refused, {})
        [(item, raw)] = server.mails("eve1@example.com")
        got = email.message_from_bytes(raw, policy=email.policy.default)
        self.assertEqual(got["Subject"], "Grüße aus Zürich")
        self.assertEqual((got["To"], got["Cc"]), ("Ada <ada1@example.com>", "bob1@example.com"))
        self.assertNotIn(b"eve1", raw)
        self.assertEqual((got["X-Campaign"], got["Reply-To"]), ("autumn", "help@dev.example"))
        self.assertIn("\n.leading dot", got.get_body(("plain",)).get_content())
        self.assertIn("cid:map", got.get_body(("html",)).get_content())
        files = {part.get_filename(): part.get_content() for part in got.iter_attachments() if part.get_filename()}
        self.assertEqual(files["plän.pdf"], b"%PDF-1")
        self.assertIn(b"DKIM-Signature:", raw)

    def test_eight_bit_text_and_pipelined_recipients(self):
        with connect() as client:
            client.ehlo()
            self.assertTrue(client.has_extn("8bitmime") and client.has_extn("pipelining"))
            text = f"From: {SENDER}\r\nTo: ada2@example.com\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nÄ€\r\n"
            client.sendmail(SENDER, ["ada2@example.com"], text.encode(), mail_options=["BODY=8BITMIME"])
        [(_, raw)] = server.mails("ada2@example.com")
        got = email.message_from_bytes(raw, policy=email.policy.default)
        self.assertEqual(got.get_content().strip(), "Ä€")
        self.assertTrue(all(byte < 128 for byte in raw), "what leaves is ASCII")

    def test_the_words_of_acs(self):
        with connect(login=False) as client:
            with self.assertRaises(smtplib.SMTPAuthenticationError) as caught:
                client.login(USER, "wrong")
            self.assertEqual((caught.exception.smtp_code, caught.exception.smtp_error), (535, b"5.7.3 Authentication unsuccessful"))
        with connect(login=False) as client:
            client.ehlo()
            self.assertEqual(client.docmd("AUTH", "XOAUTH2 dXNlcj0=")[0], 504)
            self.assertEqual(client.docmd("MAIL", f"FROM:<{SENDER}>")[0], 530)
        with connect() as client:
            code, text = client.docmd("MAIL", "FROM:<a@stranger.example>")
            self.assertEqual((code, text), (501, b"5.1.7 The specified sender domain has not been linked."))

    def test_no_password_in_the_clear(self):
        with smtplib.SMTP("localhost", server.submission, timeout=60) as client:
            client.ehlo()
            self.assertFalse(client.has_extn("auth"))
            self.assertEqual(client.docmd("AUTH", "PLAIN AHgAeA==")[0], 538)
            self.assertEqual(client.docmd("MAIL", f"FROM:<{SENDER}>")[0], 530)

    def test_too_large(self):
        with connect() as client:
            client.ehlo()
            most = int(client.esmtp_features["size"])
            self.assertEqual(client.docmd("MAIL", f"FROM:<{SENDER}> SIZE={most + 1}")[0], 552)
            big = b"From: " + SENDER.encode() + b"\r\n\r\n" + b"x" * 76 + b"\r\n"
            with self.assertRaises(smtplib.SMTPDataError) as caught:
                # Without saying so before.
                client.esmtp_features.pop("size")
                client.sendmail(SENDER, ["ada3@example.com"], big + (b"y" * 76 + b"\r\n") * (most // 78))
            self.assertEqual(caught.exception.smtp_code, 552)
            client.send_message(message("ada3@example.com"))
        self.assertEqual(len(server.mails("ada3@example.com")), 1)

    def test_swaks(self):
        for mechanism, to in [("PLAIN", "ada4@example.com"), ("LOGIN", "ada5@example.com")]:
            command = ["swaks", "--server", "localhost", "--port", str(server.submission), "--tls"]
            command += ["--tls-verify", "--tls-ca-path", server.ready["caFile"], "--auth", mechanism]
            command += ["--auth-user", USER, "--auth-password", password, "--from", SENDER, "--to", to]
            done = subprocess.run(command + ["--hide-all"], capture_output=True, timeout=120)
            self.assertEqual(done.returncode, 0, done)
            self.assertIn(b"X-Mailer: swaks", server.mails(to)[0][1])
        done = subprocess.run(command[:-6] + ["--auth-password", "no", "--from", SENDER, "--to", to], capture_output=True, timeout=120)
        self.assertIn(b"535 5.7.3 Authentication unsuccessful", done.stdout)

    def test_one_click(self):
        to = "ada6@example.com"
        with connect() as client:
            client.send_message(message(to, X_Chancery_One_Click_Unsubscribe="true"))
        [(_, raw)] = server.mails(to)
        got = email.message_from_bytes(raw, policy=email.policy.default)
        self.assertEqual(got["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click")
        path = re.fullmatch(r"<https://dev\.localhost:\d+(/.*)>", got["List-Unsubscribe"].strip()).group(1)
        page = server.ask("GET", path, raw=True, token=False)
        self.assertIn(b"<form method=\"post\">", page)
        suppressed = "/operator/resources/dev/email/suppressions:explain"
        for _ in range(100):
            server.ask("POST", path, b"List-Unsubscribe=One-Click", raw=True, token=False, media="application/x-www-form-urlencoded")
            found = server.ask("POST", suppressed, {"address": to})["value"]
            if found:
                break
            time.sleep(0.05)
        self.assertEqual([one["reason"] for one in found], ["Unsubscribed"])


class Reports(unittest.TestCase):
    def test_a_bounce_suppresses(self):
        to = "gone1@example.com"
        with connect() as client:
            client.send_message(message(to))
        [(item, _)] = server.mails(to)
        back = item["mail"]["returnPaths"][0]
        explain = "/operator/resources/dev/email/suppressions:explain"
        for _ in range(100):
            with smtplib.SMTP("localhost", server.reports, timeout=60) as client:
                client.starttls(context=server.tls)
                client.sendmail("", [back], BOUNCE.format(recipient=to))
            found = server.ask("POST", explain, {"address": to})["value"]
            if found:
                break
            time.sleep(0.05)
        self.assertEqual([one["reason"] for one in found], ["HardBounce"])

    def test_nobody_else_is_here(self):
        with smtplib.SMTP("localhost", server.reports, timeout=60) as client:
            client.ehlo()
            self.assertFalse(client.has_extn("auth"))
            for to in ["ada@example.com", "postmaster@localhost", "b-" + "a" * 61 + "@localhost"]:
                client.mail("")
                self.assertEqual(client.rcpt(to)[0], 550, to)
                client.rset()


class Misbehaviour(unittest.TestCase):
    TO = "complaints@localhost"

    def test_smuggling(self):
        for ending in [b"\n.\n", b"\n.\r\n", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r\r\n", b"\r\n\x00.\r\n"]:
            with Raw(server.reports) as raw:
                raw.begin(self.TO)
                self.assertTrue(raw.say("DATA\r\n").startswith("354"))
                second = b"a" + ending + b"MAIL FROM:<>\r\nRCPT TO:<complaints@localhost>\r\nDATA\r\nSubject: x\r\n\r\nb\r\n.\r\n"
                reply = raw.say(second)
                self.assertTrue(reply.startswith("550"), (ending, reply))
                self.assertTrue(raw.say("NOOP\r\n").startswith("250"), "one mail had one reply")

    def test_lone_line_ends_in_commands(self):
        for bad in [b"NOOP\n", b"NO\rOP\r\n", b"NOOP\r\r\n"]:
            with Raw(server.reports) as raw:
                self.assertTrue(raw.say(bad).startswith("521"), bad)
                self.assertEqual(raw.line(), "")

    def test_starttls_injection(self):
        with Raw(server.submission) as raw:
            raw.say("EHLO x\r\n")
            reply = raw.say("STARTTLS\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n")
            self.assertTrue(reply.startswith("503"), reply)
            self.assertEqual(raw.line(), "")

    def test_pipelined_garbage(self):
        with Raw(server.reports) as raw:
            raw.socket.sendall(b"\xff\xfe\x00garbage\r\n" * 50)
            lines = raw.file.read().decode().splitlines()
            self.assertEqual([line[:3] for line in lines], ["500"] * 10 + ["421"])

    def test_text_before_its_time(self):
        with Raw(server.reports) as raw:
            raw.begin(self.TO)
            self.assertTrue(raw.say("DATA\r\nSubject: x\r\n\r\nb\r\n.\r\n").startswith("503"))
            self.assertEqual(raw.line(), "")

    def test_endless_line_and_endless_mail(self):
        with Raw(server.reports) as raw:
            raw.socket.sendall(b"x" * 13000)
            self.assertTrue(raw.reply().startswith("500"))
        with Raw(server.reports) as raw:
            raw.begin(self.TO)
            self.assertTrue(raw.say("DATA\r\n").startswith("354"))
            try:
                for _ in range(1000):
                    raw.socket.sendall(b"x" * 100_000)
            except OSError:
                pass
            else:
                self.fail("it took a hundred megabytes")

    def test_too_many_at_once(self):
        held, refused = [], None
        while refused is None and len(held) <= 20:
            one = socket.create_connection(("127.0.0.1", server.reports), timeout=30)
            said = one.recv(100)
            if said.startswith(b"220"):
                held.append(one)
            else:
                refused = said
                one.close()
        for one in held:
            one.close()
        self.assertEqual(refused, b"421 4.7.0 Too many connections; try again later\r\n")
        self.assertGreater(len(held), 10)


if __name__ == "__main__":
    unittest.main()

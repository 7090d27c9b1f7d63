"""A Postfix of its own: folders, port, certificate and mailboxes, which nobody else uses."""

import email
import email.policy
import pathlib
import pwd
import socket
import subprocess
import time

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = {host}
mydestination =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
mynetworks =
smtpd_relay_restrictions = reject_unauth_destination
smtpd_banner = $myhostname ESMTP
smtpd_tls_cert_file = {folder}/server.pem
smtpd_tls_key_file = {folder}/server.key
smtpd_tls_security_level = {tls}
smtpd_tls_received_header = yes
smtpd_client_connection_rate_limit = 0
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = texthash:{folder}/mailboxes
virtual_mailbox_base = {folder}/mail
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
message_size_limit = 20000000
"""

MASTER = """
{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """Receives mail for `domain` into a mailbox for each of `users`."""

    def __init__(self, folder: pathlib.Path, port: int, host: str, domain: str, users, chain: bytes, key: bytes, tls="may"):
        self.folder, self.port, self.domain = folder, port, domain
        folder.mkdir(parents=True)
        owner = pwd.getpwnam("postfix")
        for name in ("queue", "data", "mail", "etc"):
            (folder / name).mkdir()
        for name in ("data", "mail"):
            subprocess.run(["chown", "postfix", str(folder / name)], check=True)
        (folder / "server.pem").write_bytes(chain)
        (folder / "server.key").write_bytes(key)
        (folder / "server.key").chmod(0o600)
        boxes = "".join(f"{user}@{domain} {user}/\n" for user in users)
        (folder / "mailboxes").write_text(boxes)
        fill = dict(folder=folder, host=host, domain=domain, tls=tls, uid=owner.pw_uid, gid=owner.pw_gid, port=port)
        (folder / "etc" / "main.cf").write_text(MAIN.format(**fill))
        (folder / "etc" / "master.cf").write_text(MASTER.format(**fill))
        # Its daemons are not root: every folder above must let them through.
        for above in [folder, *folder.parents]:
            if above.stat().st_mode & 0o001 == 0:
                above.chmod(above.stat().st_mode | 0o011)
        self.running = False

    def _do(self, what: str) -> None:
        done = subprocess.run(["postfix", "-c", str(self.folder / "etc"), what], capture_output=True, timeout=60)
        assert done.returncode == 0, (what, done.stdout, done.stderr, self.log())

    def start(self) -> None:
        self._do("start")
        self.running = True
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                return
            except OSError:
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.05)

    def stop(self) -> None:
        if self.running:
            self._do("stop")
            self.running = False

    def log(self) -> str:
        log = self.folder / "log"
        return log.read_text(errors="replace")[-4000:] if log.exists() else ""

    def raw(self, user: str) -> list[bytes]:
        """The messages in a mailbox, as they came, oldest first."""
        box = self.folder / "mail" / user / "new"
        files = sorted(box.iterdir(), key=lambda file: file.stat().st_mtime) if box.exists() else []
        # Mailboxes have lone line ends.
        return [file.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for file in files]

    def wait(self, user: str, count: int = 1, seconds: float = 60.0) -> list[bytes]:
        deadline = time.monotonic() + seconds
        while len(found := self.raw(user)) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} mails for {user}; {self.log()}"
            time.sleep(0.05)
        return found


def parsed(raw: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)

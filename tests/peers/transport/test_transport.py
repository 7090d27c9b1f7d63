"""What others see of the server on the network."""

import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest

from world import Hosts, World

# Above LOW (testssl.sh, severities).
TOO_MUCH = ("MEDIUM", "HIGH", "CRITICAL")


def setUpModule():
    global world
    world = World()


def tearDownModule():
    world.stop()


class Scanned(unittest.TestCase):
    """By scanners."""

    def scan(self, port, authority, name):
        """What testssl.sh finds at a port."""
        report = world.folder / f"{name}.json"
        line = ["testssl", "--quiet", "--color", "0", "--ip", "127.0.0.1", "--jsonfile", str(report)]
        line += ["--add-ca", str(authority), f"localhost:{port}"]
        subprocess.run(line, capture_output=True, timeout=600, check=False)
        found = json.loads(report.read_text())
        known = {each["id"]: each for each in found}
        # It looked at all: protocols, the certificate, known weaknesses.
        for wanted in ("TLS1_3", "TLS1_2", "TLS1", "TLS1_1", "cert_chain_of_trust", "heartbleed", "ROBOT", "LUCKY13"):
            self.assertIn(wanted, known)
        for old in ("SSLv2", "SSLv3", "TLS1", "TLS1_1"):
            self.assertIn("not offered", known[old]["finding"], old)
        bad = [f"{each['severity']} {each['id']}: {each['finding']}" for each in found if each["severity"] in TOO_MUCH]
        self.assertEqual(bad, [])

    def test_testssl_finds_nothing_above_low(self):
        self.scan(world.port, world.folder / "ca.pem", "operators")

    def test_testssl_finds_nothing_above_low_at_the_default_listener(self):
        data, ready = world.folder / "dev", world.folder / "dev.json"
        line = [os.environ["CHANCERY_BIN"], "dev", "--data", str(data), "--ready-file", str(ready)]
        line += ["--port", "0", "--smtp-port", "0", "--bounce-port", "0"]
        with open(world.folder / "dev.log", "wb") as log, subprocess.Popen(line, stdout=log, stderr=log) as server:
            try:
                deadline = time.monotonic() + 60
                while not ready.exists() and time.monotonic() < deadline:
                    time.sleep(0.05)
                said = json.loads(ready.read_text())
                self.scan(int(said["endpoint"].rstrip("/").rsplit(":", 1)[1]), said["caFile"], "default")
            finally:
                server.terminate()

    def test_old_protocols_are_refused(self):
        for version in ("-tls1", "-tls1_1"):
            line = ["openssl", "s_client", "-connect", f"127.0.0.1:{world.port}", version, "-cipher", "ALL:@SECLEVEL=0"]
            done = subprocess.run(line, input="", capture_output=True, text=True, timeout=30, check=False)
            self.assertNotEqual(done.returncode, 0, version)
            self.assertNotIn("Cipher is TLS", done.stdout, version)


class Replaced(unittest.TestCase):
    """The certificate, while requests go on."""

    def test_a_new_certificate_costs_no_request(self):
        context = ssl.create_default_context(cafile=str(world.folder / "ca.pem"))
        stop, failed, seen, asked = threading.Event(), [], set(), [0]

        def ask():
            while not stop.is_set():
                try:
                    with socket.create_connection(("127.0.0.1", world.port), 20) as plain:
                        with context.wrap_socket(plain, server_hostname="localhost") as tls:
                            request = "GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                            tls.sendall(request.encode())
                            answer = tls.recv(64)
                            seen.add(int(tls.getpeercert()["serialNumber"], 16))
                    asked[0] += 1
                    if b" 200 " not in answer:
                        failed.append(answer)
                except OSError as fault:
                    failed.append(fault)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        serials = []
        for _ in range(5):
            serials.append(world.authority.issue())
            os.kill(world.process.pid, signal.SIGHUP)
            deadline = time.monotonic() + 30
            while serials[-1] not in seen and time.monotonic() < deadline:
                time.sleep(0.02)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])
        self.assertTrue(set(serials) <= seen, "each new certificate was shown")
        self.assertGreater(asked[0], 50)


@unittest.skipUnless(os.geteuid() == 0, "making hosts needs root")
class Private(unittest.TestCase):
    """A resource that only some hosts may reach."""

    @classmethod
    def setUpClass(cls):
        cls.hosts = Hosts()

    @classmethod
    def tearDownClass(cls):
        cls.hosts.remove()

    def test_a_private_resource_is_reached_from_its_network_alone(self):
        inside, near = self.hosts.of[1]
        outside, far = self.hosts.of[2]
        status, body = world.ask("clinic.localhost", near, within=inside)
        self.assertEqual(status, 401, f"it asks who is there: {body}")
        for within, address in ((outside, far), ((), "127.0.0.1")):
            unknown = world.ask("localhost", address, path="/nowhere", within=within)
            self.assertEqual(unknown[0], 404)
            status, body = world.ask("clinic.localhost", address, within=within)
            self.assertEqual((status, json.loads(body)["error"]["code"]), (404, "ResourceNotFound"))
        for within, address in ((inside, near), (outside, far), ((), "127.0.0.1")):
            self.assertEqual(world.ask("open.localhost", address, within=within)[0], 401)

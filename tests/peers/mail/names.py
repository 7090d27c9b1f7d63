"""A name server that says what a test wants, and nothing else."""

import socketserver
import threading

from dnslib import A, MX, QTYPE, RCODE, RR, TXT, DNSRecord


class Names:
    """Answers for names in `zone`: {(name, type): [data]}; any other name is not there."""

    def __init__(self):
        self.zone = {}
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                data, sock = self.request
                sock.sendto(outer.answer(data), self.client_address)

        self.server = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def answer(self, data: bytes) -> bytes:
        asked = DNSRecord.parse(data)
        reply = asked.reply()
        name, kind = str(asked.q.qname).rstrip(".").lower(), QTYPE[asked.q.qtype]
        for value in self.zone.get((name, kind), []):
            reply.add_answer(RR(asked.q.qname, asked.q.qtype, ttl=1, rdata=self.data(kind, value)))
        if not any(known == name or known.endswith("." + name) for known, _ in self.zone):
            reply.header.rcode = RCODE.NXDOMAIN
        return reply.pack()

    @staticmethod
    def data(kind: str, value):
        if kind == "A":
            return A(value)
        if kind == "MX":
            return MX(value[1], value[0])
        text = value.encode()
        return TXT([text[at : at + 255] for at in range(0, len(text), 255)])

    def texts(self, name: str) -> list[str]:
        return self.zone.get((name.rstrip(".").lower(), "TXT"), [])

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

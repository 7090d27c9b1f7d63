"""Requests that stop half way: 408 within the limit, and the connection is closed."""

import concurrent.futures
import time

from support import raw, shows

# The default limits are 10 s for a head and 30 s for a body; both must be over well before this.
PATIENCE = 45.0
TARGET = f"/identities?{raw.IDENTITY}"


def _wait_for_answer(server, blob: bytes):
    started = time.monotonic()
    with raw.connect(server, "localhost", raw.fresh_address(), PATIENCE) as sock:
        sock.sendall(blob)
        answer = raw.read(sock)
        closed = sock.recv(1) == b""
    return answer, closed, time.monotonic() - started


def test_half_sent_requests_are_408(server, alpha):
    host = ("Host", f"localhost:{server.port}")
    signed = raw.sign(alpha.access_key, "POST", TARGET, f"localhost:{server.port}", b"{" + b" " * 98 + b"}")
    whole_head = raw.compose("POST", TARGET, [host, *signed, *raw.JSON, ("Content-Length", "100")])
    halves = {
        "request line": b"GET /health/li",
        "head": b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Half: ",
        "body": whole_head + b"{" + b" " * 20,
        "no body at all": whole_head,
        "chunked body": raw.compose(
            "POST", TARGET, [host, *signed, *raw.JSON, ("Transfer-Encoding", "chunked")]
        )
        + b"20\r\n{  ",
    }
    with concurrent.futures.ThreadPoolExecutor(len(halves)) as pool:
        waiting = {name: pool.submit(_wait_for_answer, server, blob) for name, blob in halves.items()}
        # All the while, others are served.
        assert raw.request(server, "GET", "/health/live").status == 200
        answers = {name: future.result() for name, future in waiting.items()}
    for name, (answer, closed, seconds) in answers.items():
        assert answer.status == 408, (name, answer.status)
        assert closed and seconds < PATIENCE, name
        if answer.body:
            shows.envelope(answer.body)


def test_a_slow_but_steady_head_does_not_last_for_ever(server):
    """One byte now and then keeps no connection open: the limit is for the whole head."""
    started = time.monotonic()
    with raw.connect(server, "localhost", raw.fresh_address(), 1.0) as sock:
        sock.sendall(b"GET /health/live HTTP/1.1\r\n")
        status = None
        while time.monotonic() - started < PATIENCE:
            try:
                sock.sendall(b"X: y\r\n")
                # Waits up to the socket's own timeout for an answer, which paces the bytes.
                status = raw.read(sock).status
                break
            except TimeoutError:
                continue
            except OSError:
                break
    assert status in (408, 431, None)
    assert time.monotonic() - started < PATIENCE

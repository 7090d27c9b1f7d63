"""What every answer must show, success or error, through an SDK or raw."""

import contextlib
import json
import re

import pytest
from azure.core.exceptions import HttpResponseError

from .expected import CODES

RETRYABLE = {429, 503}
REQUEST_ID = re.compile(r"^[0-9a-fA-F-]{32,36}$")


def trace_headers(headers) -> None:
    """Both ids that a support case would quote."""
    assert REQUEST_ID.match(headers["x-ms-request-id"]), headers
    assert headers["MS-CV"], headers


def envelope(body: bytes | str) -> dict:
    """The error of an ACS error body, its shape checked."""
    document = json.loads(body)
    assert set(document) == {"error"}, document
    error = document["error"]
    assert isinstance(error["code"], str) and error["code"], error
    assert isinstance(error["message"], str) and error["message"], error
    assert set(error) <= {"code", "message", "target", "details", "innererror"}, error
    return error


def error_answer(status: int, headers, body, kind: str | None = None) -> dict:
    """Checks one error answer; `kind` names a row of the codes table."""
    trace_headers(headers)
    assert headers["Content-Type"].startswith("application/json"), headers["Content-Type"]
    error = envelope(body)
    if kind is not None:
        assert error["code"] in CODES[kind], (status, error)
    if status in RETRYABLE:
        assert 1 <= int(headers["Retry-After"]) <= 60, headers
    else:
        for name in ("Retry-After", "retry-after-ms", "x-ms-retry-after-ms"):
            assert name not in headers, f"{name} on the permanent error {status}"
    return error


def raw_error(answer, status: int, kind: str | None = None) -> dict:
    assert answer.status == status, (answer.status, answer.body[:500])
    return error_answer(status, answer.headers, answer.body, kind)


def sdk_error(failure: HttpResponseError, status, kind: str | None = None) -> dict:
    """Checks what an SDK raised: the status, the parsed error, and the answer behind it."""
    allowed = status if isinstance(status, (tuple, set, list)) else (status,)
    assert failure.status_code in allowed, (failure.status_code, failure.message)
    response = failure.response
    error = error_answer(failure.status_code, response.headers, response.text(), kind)
    # The SDK itself must have understood the envelope.
    assert failure.error is not None and failure.error.code == error["code"], failure
    return error


@contextlib.contextmanager
def fails(status, kind: str | None = None):
    """The body must raise an SDK error of this status (or one of these); yields a holder of what it said."""
    seen: dict = {}
    with pytest.raises(HttpResponseError) as info:
        yield seen
    seen["error"] = sdk_error(info.value, status, kind)
    seen["headers"] = info.value.response.headers
    seen["status"] = info.value.status_code


def likeness(seen: dict) -> tuple:
    """All of an error answer that a caller can compare: status, code, message, header names."""
    return (
        seen["status"],
        seen["error"]["code"],
        seen["error"]["message"],
        seen["error"].get("target"),
        frozenset(name.lower() for name in seen["headers"].keys()),
    )

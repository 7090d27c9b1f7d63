"""The expectations both suites share (tests/sdk/shared/expected.json), loaded once."""

import json
import pathlib

_TABLE = json.loads((pathlib.Path(__file__).parents[2] / "shared" / "expected.json").read_text())

CODES: dict[str, list[str]] = _TABLE["codes"]
MESSAGES: dict[str, str] = _TABLE["messages"]
SCOPES: list[str] = _TABLE["scopes"]
OPERATIONS: dict[str, list[str]] = _TABLE["operations"]
LIMITS: dict = _TABLE["limits"]

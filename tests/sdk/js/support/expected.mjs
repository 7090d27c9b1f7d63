// The expectations both suites share (tests/sdk/shared/expected.json).
import { readFileSync } from "node:fs";

const table = JSON.parse(readFileSync(new URL("../../shared/expected.json", import.meta.url), "utf8"));

export const { codes: CODES, messages: MESSAGES, scopes: SCOPES, operations: OPERATIONS, limits: LIMITS } = table;

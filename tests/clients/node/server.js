// The server that is asked, and how a client says that it is content.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const { SERVER_URL, ALGORITHM, AGENT_ID, API_KEY } = process.env;
const { RESOURCE_ID, RESOURCE_SECRET, RESOURCE_AUDIENCE } = process.env;

export const url = SERVER_URL;
export const algorithm = ALGORITHM;
export const agent = { id: AGENT_ID, key: API_KEY };
export const resource = { id: RESOURCE_ID, secret: RESOURCE_SECRET, audience: RESOURCE_AUDIENCE };
export const scopes = [
  "conversations:read",
  "messages:read",
  "messages:write",
  "presence:update",
];
export const lifetime = 3600;

export function sameScopes(found, wanted) {
  assert.deepEqual(found.split(" ").sort(), [...wanted].sort());
}

// Another secret of the same shape: the last character of its checksum differs.
export function wrong(secret) {
  return secret.slice(0, -1) + (secret.endsWith("0") ? "1" : "0");
}

export function content(name, withWhat) {
  const file = new URL(`node_modules/${name}/package.json`, import.meta.url);
  const { version } = JSON.parse(readFileSync(file, "utf8"));
  console.log(`${name} ${version}, ${algorithm}: ${withWhat}`);
}

// openid-client: discovery, tokens, a request, introspection and revocation.

import assert from "node:assert/strict";
import * as client from "openid-client";
import { agent, content, lifetime, resource, sameScopes, scopes, url, wrong } from "./server.js";

// It wants https even on loopback.
const options = { algorithm: "oauth2", execute: [client.allowInsecureRequests] };

function discover(id, secret) {
  const authentication = client.ClientSecretBasic(secret);
  return client.discovery(new URL(url), id, undefined, authentication, options);
}

const config = await discover(agent.id, agent.key);
assert.equal(config.serverMetadata().issuer, url);

const token = await client.clientCredentialsGrant(config);
assert.equal(token.token_type, "bearer");
assert.equal(token.expires_in, lifetime);
sameScopes(token.scope, scopes);

const me = new URL("/api/agents/me", url);
const answer = await client.fetchProtectedResource(config, token.access_token, me, "GET");
assert.equal(answer.status, 200);
assert.equal((await answer.json()).agent_id, agent.id);

const narrow = await client.clientCredentialsGrant(config, { scope: "messages:read" });
assert.equal(narrow.scope, "messages:read");
await assert.rejects(
  client.clientCredentialsGrant(config, { scope: "everything" }),
  (error) => error instanceof client.ResponseBodyError && error.error === "invalid_scope",
);
const stranger = await discover(agent.id, wrong(agent.key));
await assert.rejects(
  client.clientCredentialsGrant(stranger),
  (error) => error instanceof client.WWWAuthenticateChallengeError && error.status === 401,
);

const server = await discover(resource.id, resource.secret);
const seen = await client.tokenIntrospection(server, token.access_token);
assert.equal(seen.active, true);
assert.equal(seen.sub, agent.id);
await client.tokenRevocation(config, token.access_token);
assert.deepEqual(await client.tokenIntrospection(server, token.access_token), { active: false });

content("openid-client", "discovery, token, scopes, refusals, introspection, revocation");

// oauth4webapi, the strictest: every answer goes through its checks, and it stands in for a
// resource server (RFC 9068) and a client that reads whom to ask from one (RFC 9728).

import assert from "node:assert/strict";
import * as oauth from "oauth4webapi";
import { agent, algorithm, content, lifetime, resource, sameScopes, scopes, url } from "./server.js";

// It wants https even on loopback.
const http = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(url);

const described = await oauth.resourceDiscoveryRequest(issuer, http);
const { authorization_servers } = await oauth.processResourceDiscoveryResponse(issuer, described);
assert.deepEqual(authorization_servers, [url]);

const found = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...http });
const as = await oauth.processDiscoveryResponse(issuer, found);

const me = { client_id: agent.id };
const byKey = oauth.ClientSecretBasic(agent.key);
const server = { client_id: resource.id };
const bySecret = oauth.ClientSecretBasic(resource.secret);

async function fetchToken(wanted = {}) {
  const answer = await oauth.clientCredentialsGrantRequest(as, me, byKey, wanted, http);
  if (answer.ok) {
    assert.match(answer.headers.get("cache-control"), /no-store/);
  }
  return oauth.processClientCredentialsResponse(as, me, answer);
}

async function introspect(token) {
  const answer = await oauth.introspectionRequest(as, server, bySecret, token, http);
  return oauth.processIntrospectionResponse(as, server, answer);
}

async function revoke(token, client, authentication) {
  const answer = await oauth.revocationRequest(as, client, authentication, token, http);
  return oauth.processRevocationResponse(answer);
}

function accept(token, audience) {
  const headers = { authorization: `Bearer ${token}` };
  const request = new Request("https://api.example.com/messages", { headers });
  const options = { signingAlgorithms: [algorithm], ...http };
  return oauth.validateJwtAccessToken(as, request, audience, options);
}

const token = await fetchToken();
assert.equal(token.token_type, "bearer");
assert.equal(token.expires_in, lifetime);
sameScopes(token.scope, scopes);

const claims = await accept(token.access_token, url);
assert.equal(claims.sub, agent.id);
assert.equal(claims.client_id, agent.id);
assert.equal(claims.exp - claims.iat, lifetime);
sameScopes(claims.scope, scopes);
await assert.rejects(accept(token.access_token, resource.audience));

// The resource server was added for one scope, and is told of no other.
const seen = await introspect(token.access_token);
assert.deepEqual(
  [seen.active, seen.sub, seen.client_id, seen.scope, seen.token_type, seen.jti, seen.exp, seen.iat],
  [true, agent.id, agent.id, "messages:read", "Bearer", claims.jti, claims.exp, claims.iat],
);

// A token for that resource server alone (RFC 8707).
const bound = await fetchToken({ resource: resource.audience, scope: "messages:read" });
assert.equal((await accept(bound.access_token, resource.audience)).sub, agent.id);
await assert.rejects(accept(bound.access_token, url));
assert.equal((await introspect(bound.access_token)).aud, resource.audience);
await assert.rejects(
  fetchToken({ resource: "https://other.example" }),
  (error) => error instanceof oauth.ResponseBodyError && error.error === "invalid_target",
);

// Who may revoke: the client, the resource server, and whoever has the token.
await revoke(token.access_token, me, byKey);
assert.deepEqual(await introspect(token.access_token), { active: false });
await revoke(bound.access_token, server, bySecret);
assert.deepEqual(await introspect(bound.access_token), { active: false });
const lost = await fetchToken();
await revoke(lost.access_token, me, oauth.None());
assert.deepEqual(await introspect(lost.access_token), { active: false });
await revoke("no token of this server", me, byKey);
await assert.rejects(
  revoke(token.access_token, me, oauth.ClientSecretBasic("no key")),
  (error) => error instanceof oauth.WWWAuthenticateChallengeError && error.status === 401,
);

content("oauth4webapi", "discovery, token, resource, RFC 9068, introspection, revocation");

// oauth4webapi, as an agent that knows one address: from a refusal over both documents to the place
// where agents sign up, and from there to a token.

import assert from "node:assert/strict";
import * as oauth from "oauth4webapi";
import { algorithm, content, url } from "./server.js";

// It wants https even on loopback.
const http = { [oauth.allowInsecureRequests]: true };

// The refusal tells where the resource is described (RFC 9728 §5).
function look(token) {
  const me = new URL("/api/agents/me", url);
  return oauth.protectedResourceRequest(token, "GET", me, undefined, undefined, http);
}

const refused = await look("mistaken").then(assert.fail, (error) => error);
assert.ok(refused instanceof oauth.WWWAuthenticateChallengeError, refused);
assert.equal(refused.status, 401);
const [{ scheme, parameters }, ...others] = refused.cause;
assert.deepEqual([scheme, parameters.error, others], ["bearer", "invalid_token", []]);

// RFC 9728: the same place as the library makes from the resource's name.
const resource = new URL(url);
const described = await oauth.resourceDiscoveryRequest(resource, http);
assert.equal(described.url, parameters.resource_metadata);
const protectedResource = await oauth.processResourceDiscoveryResponse(resource, described);
const [server, ...noOther] = protectedResource.authorization_servers;
assert.deepEqual([server, noOther], [url, []]);

// RFC 8414
const issuer = new URL(server);
const found = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...http });
const as = await oauth.processDiscoveryResponse(issuer, found);
assert.ok(as.grant_types_supported.includes("client_credentials"));
assert.deepEqual(as.scopes_supported, protectedResource.scopes_supported);

// auth.md: every place is one of this server.
const { agent_auth: signUp } = as;
for (const [member, value] of Object.entries(signUp)) {
  if (typeof value === "string") {
    assert.ok(value.startsWith(`${url}/`), member);
  }
}
assert.equal(signUp.skill, protectedResource.resource_documentation);
assert.ok(signUp.identity_types_supported.includes("anonymous"));
assert.ok(signUp.anonymous.credential_types_supported.includes("api_key"));

const body = JSON.stringify({ type: "anonymous", requested_credential_type: "api_key" });
const headers = { "content-type": "application/json" };
const answer = await fetch(signUp.registration_endpoint, { method: "POST", headers, body });
assert.equal(answer.status, 200);
const { agent_id, credential, scopes } = await answer.json();

const me = { client_id: agent_id };
const byKey = oauth.ClientSecretBasic(credential);

async function fetchToken() {
  const granted = await oauth.clientCredentialsGrantRequest(as, me, byKey, {}, http);
  return oauth.processClientCredentialsResponse(as, me, granted);
}

const token = await fetchToken();
assert.deepEqual(token.scope.split(" "), scopes);
assert.ok(scopes.every((scope) => as.scopes_supported.includes(scope)));
const authorization = { authorization: `Bearer ${token.access_token}` };
const request = new Request("https://api.example.com/messages", { headers: authorization });
const options = { signingAlgorithms: [algorithm], ...http };
const claims = await oauth.validateJwtAccessToken(as, request, protectedResource.resource, options);
assert.deepEqual([claims.sub, claims.client_id, claims.scope], [agent_id, agent_id, token.scope]);
assert.equal((await (await look(token.access_token)).json()).agent_id, agent_id);

// What was given out can be given back.
const revoked = await oauth.revocationRequest(as, me, oauth.None(), credential, http);
await oauth.processRevocationResponse(revoked);
await assert.rejects(
  fetchToken(),
  (error) => error instanceof oauth.WWWAuthenticateChallengeError && error.status === 401,
);

content("oauth4webapi", "refusal, RFC 9728, RFC 8414, agent_auth, sign-up, token");

// The TypeScript SDK of the Model Context Protocol: from a refusal to the documents and to a token.

import assert from "node:assert/strict";
import * as client from "@modelcontextprotocol/sdk/client/auth.js";
import { ClientCredentialsProvider } from "@modelcontextprotocol/sdk/client/auth-extensions.js";
import { OAuthMetadataSchema, OAuthProtectedResourceMetadataSchema } from "@modelcontextprotocol/sdk/shared/auth.js";
import { agent, content, lifetime, sameScopes, scopes, url } from "./server.js";

async function document(name) {
  const answer = await fetch(`${url}/.well-known/${name}`);
  assert.equal(answer.status, 200);
  return answer.json();
}

// What it wants of every server, while RFC 8414 §2 does so only where a grant uses the endpoint.
// There is no such grant; with the first one this is empty, and what stands below fails.
const lacking = ["authorization_endpoint"];

function complaints({ issues }) {
  return issues.map(({ code, path }) => [code, path.join(".")]);
}

// Without credentials and with bad ones, the refusal tells where to begin.
const me = new URL("/api/agents/me", url);
const refused = await fetch(me);
assert.equal(refused.status, 401);
const told = client.extractWWWAuthenticateParams(refused);
assert.deepEqual([told.scope, told.error], [undefined, undefined]);
assert.deepEqual(client.extractResourceMetadataUrl(refused), told.resourceMetadataUrl);
const mistaken = await fetch(me, { headers: { authorization: "Bearer mistaken" } });
assert.equal(client.extractWWWAuthenticateParams(mistaken).error, "invalid_token");

// RFC 9728: what is told leads where a client that was told nothing looks, and every member passes.
const protectedResource = await document("oauth-protected-resource");
assert.deepEqual(OAuthProtectedResourceMetadataSchema.parse(protectedResource), protectedResource);
const { resourceMetadataUrl } = told;
for (const hints of [{ resourceMetadataUrl }, {}]) {
  const found = await client.discoverOAuthProtectedResourceMetadata(me, hints);
  assert.deepEqual(found, protectedResource);
}
assert.deepEqual(protectedResource.authorization_servers, [url]);

// RFC 8414: it complains of nothing else. The issuer it leaves to be looked at by others.
const metadata = await document("oauth-authorization-server");
assert.equal(metadata.issuer, url);
const parsed = OAuthMetadataSchema.safeParse(metadata);
assert.equal(parsed.success, false, "it is content now: tell so here and in the README");
const wanted = lacking.map((member) => ["invalid_type", member]);
assert.deepEqual(complaints(parsed.error), wanted);
const completed = { ...metadata, authorization_endpoint: `${url}/authorize` };
assert.deepEqual(OAuthMetadataSchema.parse(completed), completed);
await assert.rejects(client.discoverAuthorizationServerMetadata(url), (error) => {
  assert.deepEqual(complaints(error), wanted);
  return true;
});

// A client that hands it the document gets by with what is published, token and all.
class Informed extends ClientCredentialsProvider {
  discoveryState() {
    return { authorizationServerUrl: url, authorizationServerMetadata: metadata };
  }
}

const credentials = { clientId: agent.id, clientSecret: agent.key, expectedIssuer: url };
const provider = new Informed(credentials);
assert.equal(await client.auth(provider, { serverUrl: me, resourceMetadataUrl }), "AUTHORIZED");
const token = provider.tokens();
assert.equal(token.expires_in, lifetime);
sameScopes(token.scope, scopes);
const authorization = `${token.token_type} ${token.access_token}`;
const answer = await fetch(me, { headers: { authorization } });
assert.equal((await answer.json()).agent_id, agent.id);

content(
  "@modelcontextprotocol/sdk",
  `refusal, RFC 9728, RFC 8414 but for ${lacking.join()}, token with the document at hand`,
);

// jose: a service that verifies a token by the published keys.

import assert from "node:assert/strict";
import { createRemoteJWKSet, errors, jwtVerify } from "jose";
import { agent, algorithm, content, lifetime, sameScopes, scopes, url, wrong } from "./server.js";

const answer = await fetch(`${url}/oauth2/token`, {
  method: "POST",
  headers: { authorization: `Basic ${btoa(`${agent.id}:${agent.key}`)}` },
  body: new URLSearchParams({ grant_type: "client_credentials" }),
});
assert.equal(answer.status, 200);
const { access_token: token } = await answer.json();

const keys = createRemoteJWKSet(new URL("/.well-known/jwks.json", url));
const expected = {
  issuer: url,
  audience: url,
  typ: "at+jwt",
  algorithms: [algorithm],
  requiredClaims: ["sub", "client_id", "iat", "exp", "jti"],
};

const { payload } = await jwtVerify(token, keys, expected);
assert.equal(payload.sub, agent.id);
assert.equal(payload.client_id, agent.id);
assert.equal(payload.exp - payload.iat, lifetime);
sameScopes(payload.scope, scopes);

for (const claim of ["issuer", "audience"]) {
  const other = { ...expected, [claim]: "https://other.example" };
  await assert.rejects(jwtVerify(token, keys, other), errors.JWTClaimValidationFailed);
}
const [head, body, signature] = token.split(".");
const forged = [head, body, wrong(signature.slice(0, 1)) + signature.slice(1)].join(".");
await assert.rejects(jwtVerify(forged, keys, expected), errors.JWSSignatureVerificationFailed);

content("jose", "signature, issuer, audience, type, claims");

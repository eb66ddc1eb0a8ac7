"""Authlib: discovery, tokens, a request, introspection, revocation, and RFC 9068 at a resource server."""

import os

# It wants https even on loopback.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from authlib.integrations.requests_client import OAuth2Session, OAuthError
from authlib.oauth2.rfc6750.errors import InsufficientScopeError, InvalidTokenError
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc.jwk import KeySet
from server import AGENT, ALGORITHM, KEY, LIFETIME, METADATA, RESOURCE, RESOURCE_SECRET, SCOPES
from server import URL, content, refusal, wrong

metadata = requests.get(METADATA, timeout=30).json()
assert metadata["issuer"] == URL and metadata["response_types_supported"] == [], metadata
# A server without an authorization endpoint has no types to name; Authlib takes that for a gap.
AuthorizationServerMetadata({**metadata, "response_types_supported": ["none"]}).validate()
endpoint = metadata["token_endpoint"]


def fetch(key=KEY, **wanted):
    session = OAuth2Session(AGENT, key, token_endpoint=endpoint)
    session.fetch_token(grant_type="client_credentials", **wanted)
    return session


session = fetch()
token = session.token
assert token["token_type"] == "Bearer" and token["expires_in"] == LIFETIME, token
assert set(token["scope"].split()) == SCOPES, token
assert "refresh_token" not in token, token
me = session.get(f"{URL}/api/agents/me")
assert me.status_code == 200 and me.json()["agent_id"] == AGENT, me.text

assert fetch(scope="messages:read").token["scope"] == "messages:read"
assert refusal(OAuthError, lambda: fetch(scope="everything")).error == "invalid_scope"
assert refusal(OAuthError, lambda: fetch(key=wrong(KEY))).error == "invalid_client"


class Validator(JWTBearerTokenValidator):
    def get_jwks(self):
        return KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=30).json())


def accept(token, audience=URL, scopes=("messages:read",)):
    validator = Validator(issuer=URL, resource_server=audience)
    claims = validator.authenticate_token(token)
    validator.validate_token(claims, list(scopes), None)
    return claims


def serve_resource(token):
    claims = accept(token)
    assert claims["sub"] == claims["client_id"] == AGENT, claims
    refusal(InvalidTokenError, lambda: accept(token, audience="https://other.example"))
    refusal(InsufficientScopeError, lambda: accept(token, scopes=["everything"]))


# Authlib's resource server takes the algorithms that joserfc allows unasked; EdDSA is not one.
is_resource_server = ALGORITHM != "EdDSA"
if is_resource_server:
    serve_resource(token["access_token"])

resource = OAuth2Session(RESOURCE, RESOURCE_SECRET)


def introspect():
    answer = resource.introspect_token(metadata["introspection_endpoint"], token=token["access_token"])
    assert answer.status_code == 200, answer.text
    return answer.json()


assert introspect()["sub"] == AGENT
answer = session.revoke_token(metadata["revocation_endpoint"], token=token["access_token"])
assert answer.status_code == 200, answer.text
assert introspect() == {"active": False}
assert session.get(f"{URL}/api/agents/me").status_code == 401

seen = "metadata, token, scopes, refusals, introspection, revocation"
content("Authlib", f"{seen}, RFC 9068" if is_resource_server else seen)

"""requests-oauthlib: tokens and a request with them."""

import os

# It wants https even on loopback.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

from oauthlib.oauth2 import BackendApplicationClient, InvalidClientError, InvalidScopeError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session
from server import AGENT, KEY, LIFETIME, SCOPES, URL, content, refusal, wrong


def fetch(key=KEY, scope=None):
    session = OAuth2Session(client=BackendApplicationClient(client_id=AGENT, scope=scope))
    session.fetch_token(f"{URL}/oauth2/token", auth=HTTPBasicAuth(AGENT, key))
    return session


session = fetch()
token = session.token
assert token["token_type"] == "Bearer" and token["expires_in"] == LIFETIME, token
assert set(token["scope"]) == SCOPES, token
me = session.get(f"{URL}/api/agents/me")
assert me.status_code == 200 and me.json()["agent_id"] == AGENT, me.text

assert fetch(scope=["messages:read"]).token["scope"] == ["messages:read"]
refusal(InvalidScopeError, lambda: fetch(scope=["everything"]))
assert refusal(InvalidClientError, lambda: fetch(key=wrong(KEY))).status_code == 401

content("requests-oauthlib", "token, scopes, refusals, a request")

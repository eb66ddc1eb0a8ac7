"""PyJWT: a service that verifies a token by the published keys."""

import jwt
import requests
from server import AGENT, ALGORITHM, KEY, LIFETIME, SCOPES, URL, content, refusal, wrong

answer = requests.post(
    f"{URL}/oauth2/token",
    data={"grant_type": "client_credentials"},
    auth=(AGENT, KEY),
    timeout=30,
)
assert answer.status_code == 200, answer.text
token = answer.json()["access_token"]

header = jwt.get_unverified_header(token)
assert header["alg"] == ALGORITHM and header["typ"] == "at+jwt", header
key = jwt.PyJWKClient(f"{URL}/.well-known/jwks.json").get_signing_key_from_jwt(token)


def verify(token, audience=URL, issuer=URL):
    required = ["iss", "aud", "sub", "client_id", "iat", "exp", "jti"]
    options = {"require": required, "strict_aud": True}
    return jwt.decode(
        token, key, algorithms=[ALGORITHM], audience=audience, issuer=issuer, options=options
    )


claims = verify(token)
assert claims["sub"] == claims["client_id"] == AGENT, claims
assert claims["exp"] - claims["iat"] == LIFETIME, claims
assert set(claims["scope"].split()) == SCOPES, claims

refusal(jwt.InvalidAudienceError, lambda: verify(token, audience="https://other.example"))
refusal(jwt.InvalidIssuerError, lambda: verify(token, issuer="https://other.example"))
head, body, signature = token.split(".")
forged = f"{head}.{body}.{wrong(signature[:1])}{signature[1:]}"
refusal(jwt.InvalidSignatureError, lambda: verify(forged))

content("PyJWT", "signature, issuer, audience, claims")

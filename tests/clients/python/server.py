"""The server that is asked, and how a client says that it is content."""

import os
from importlib.metadata import version

URL = os.environ["SERVER_URL"]
ALGORITHM = os.environ["ALGORITHM"]
AGENT, KEY = os.environ["AGENT_ID"], os.environ["API_KEY"]
RESOURCE, RESOURCE_SECRET = os.environ["RESOURCE_ID"], os.environ["RESOURCE_SECRET"]

METADATA = f"{URL}/.well-known/oauth-authorization-server"
SCOPES = {"messages:read", "messages:write", "conversations:read", "presence:update"}
LIFETIME = 3600


def wrong(secret):
    """Another secret of the same shape: the last character of its checksum differs."""
    return secret[:-1] + ("0" if secret[-1] != "0" else "1")


def refusal(kind, call):
    """The error that the call must end with."""
    try:
        answer = call()
    except kind as error:
        return error
    raise AssertionError(f"this should have been refused: {answer!r}")


def content(package, with_what):
    print(f"{package} {version(package)}, {ALGORITHM}: {with_what}", flush=True)

"""The Python SDK of the Model Context Protocol: from a refusal to the documents."""

import asyncio

import httpx2
from mcp.client.auth import utils
from mcp.shared.auth import OAuthMetadata, ProtectedResourceMetadata
from mcp.shared.auth_utils import check_resource_allowed
from pydantic import ValidationError
from server import METADATA, URL, content, refusal

# What it wants of every server, while RFC 8414 §2 does so only where a grant uses the endpoint.
# There is no such grant; with the first one this is empty, and what stands below fails.
LACKING = ["authorization_endpoint"]

ME = f"{URL}/api/agents/me"
RESOURCE = f"{URL}/.well-known/oauth-protected-resource"


def written(model, names):
    """The members of those names, as the model would write them."""
    return model.model_dump(mode="json", include=set(names), exclude_unset=True)


async def discover(client):
    async def fetch(url):
        return await client.send(utils.create_oauth_metadata_request(url))

    async def first(urls, handle):
        """What the first document holds that the SDK takes."""
        for url in urls:
            found = await handle(await fetch(url))
            if found:
                return url, found
        return None, None

    # Without credentials and with bad ones, the refusal tells where to begin.
    refused = await client.get(ME)
    assert refused.status_code == 401, refused.text
    told = utils.extract_resource_metadata_from_www_auth(refused)
    assert told == RESOURCE and utils.extract_scope_from_www_auth(refused) is None, told
    mistaken = await client.get(ME, headers={"Authorization": "Bearer mistaken"})
    assert utils.extract_field_from_www_auth(mistaken, "error") == "invalid_token", mistaken.headers
    assert utils.extract_resource_metadata_from_www_auth(mistaken) == told

    # RFC 9728: what is told leads where a client that was told nothing looks, and every member passes.
    document = (await fetch(told)).json()
    for hint in (told, None):
        urls = utils.build_protected_resource_metadata_discovery_urls(hint, ME)
        found, resource = await first(urls, utils.handle_protected_resource_response)
        assert found == told, urls
        assert written(resource, document) == document, resource
    assert isinstance(resource, ProtectedResourceMetadata)
    assert check_resource_allowed(ME, str(resource.resource))
    servers = [str(server) for server in resource.authorization_servers]
    assert servers == [URL], servers

    # RFC 8414: it complains of nothing else.
    urls = utils.build_oauth_authorization_server_metadata_discovery_urls(servers[0], ME)
    assert urls[0] == METADATA, urls
    answer = await fetch(METADATA)
    complaint = refusal(ValidationError, lambda: OAuthMetadata.model_validate_json(answer.content))
    found = [(error["type"], *error["loc"]) for error in complaint.errors()]
    assert found == [("missing", member) for member in LACKING], complaint
    assert await utils.handle_auth_metadata_response(answer) == (True, None)

    # With the member every other one passes, and what the SDK knows is as it was sent.
    document = answer.json() | {"authorization_endpoint": f"{URL}/authorize"}
    metadata = OAuthMetadata.model_validate(document)
    known = {name: value for name, value in document.items() if name in OAuthMetadata.model_fields}
    assert written(metadata, known) == known, metadata
    utils.validate_metadata_issuer(metadata, servers[0])


async def main():
    async with httpx2.AsyncClient() as client:
        await discover(client)


asyncio.run(main())
content("mcp", f"refusal, RFC 9728, RFC 8414 but for {','.join(LACKING)}")

use serde_json::Value;

use super::{
    endpoints,
    fetch::{Fetch, origin_of, well_known},
    finding::Notes,
    protected_resource::{document, readable, texts},
};

/// Reads the metadata of an authorization server (RFC 8414) and what it says of agents (auth.md).
pub(super) fn examine(fetch: &dyn Fetch, issuer: &str, notes: &mut Notes) {
    let place = well_known(issuer, "oauth-authorization-server");
    let Some(document) = document(fetch, &place, notes) else { return };
    let told = text(&document, "issuer").unwrap_or_default();
    // RFC 8414 §3.3: else the document must not be used.
    notes.expect(
        told == issuer,
        &place,
        format!("issuer is {told:?}, and clients must not use the document of {issuer} then (RFC 8414 §3.3)"),
    );
    notes.expect(
        document.get("response_types_supported").is_some_and(Value::is_array),
        &place,
        "lacks response_types_supported, which RFC 8414 §2 requires; standard clients refuse the document",
    );
    match text(&document, "token_endpoint") {
        Some(endpoint) => endpoints::token(fetch, endpoint, notes),
        None => notes.stumble(&place, "lacks token_endpoint: no agent can get an access token"),
    }
    match text(&document, "jwks_uri") {
        Some(uri) => keys(fetch, uri, notes),
        None => notes.stumble(&place, "lacks jwks_uri: no API can check tokens by itself"),
    }
    match document.get("agent_auth").filter(|member| member.is_object()) {
        Some(agents) => agent_auth(fetch, &place, agents, notes),
        None => notes.stumble(&place, "lacks agent_auth: an agent cannot sign itself up (auth.md)"),
    }
}

fn agent_auth(fetch: &dyn Fetch, place: &str, agents: &Value, notes: &mut Notes) {
    let member = |name: &str| format!("{place} agent_auth.{name}");
    let types = texts(agents, "identity_types_supported").unwrap_or_default();
    if types.is_empty() {
        notes.stumble(&member("identity_types_supported"), "names no way to sign up");
    } else {
        notes.good(&member("identity_types_supported"), types.join(", "));
    }
    for (name, probe) in endpoints::OF_AGENTS {
        match text(agents, name) {
            None => notes.stumble(&member(name), "is not there"),
            Some(endpoint) => {
                if let Ok(origin) = origin_of(endpoint)
                    && !origin.is_safe
                {
                    notes.stumble(&member(name), format!("{endpoint} is plain http"));
                }
                probe(fetch, endpoint, notes);
            }
        }
    }
    match text(agents, "manifest_url").or_else(|| text(agents, "skill")) {
        None => notes.hint(
            &member("manifest_url"),
            "is not there: an agent that reads words has no page to read",
        ),
        Some(page) => manifest(fetch, page, agents, notes),
    }
}

fn manifest(fetch: &dyn Fetch, page: &str, agents: &Value, notes: &mut Notes) {
    let Some(answer) = readable(fetch, page, notes) else { return };
    let media_type = answer.media_type();
    if media_type != "text/markdown" && media_type != "text/plain" {
        notes.stumble(
            page,
            format!("is {media_type:?}: an agent reads text/markdown, and no page for browsers"),
        );
    }
    let endpoint = text(agents, "registration_endpoint").unwrap_or_default();
    if notes.expect(
        answer.body.contains(endpoint),
        page,
        format!("does not name {endpoint}, where agents register"),
    ) {
        notes.good(page, "tells where to register");
    }
}

fn keys(fetch: &dyn Fetch, uri: &str, notes: &mut Notes) {
    let Some(document) = document(fetch, uri, notes) else { return };
    let keys = document.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
    if keys.is_empty() {
        return notes.stumble(uri, "holds no keys: nobody can check a token");
    }
    let private = |key: &Value| ["d", "p", "q", "k"].iter().any(|name| key.get(name).is_some());
    if keys.iter().any(private) {
        return notes.stumble(
            uri,
            "holds a private key: whoever read it can make tokens. Replace it at once",
        );
    }
    let named = keys.iter().all(|key| key.get("kid").is_some_and(Value::is_string));
    if notes.expect(named, uri, "holds a key without kid, which clients cannot choose") {
        notes.good(uri, format!("holds {} public keys", keys.len()));
    }
}

fn text<'d>(document: &'d Value, name: &str) -> Option<&'d str> {
    document.get(name).and_then(Value::as_str)
}

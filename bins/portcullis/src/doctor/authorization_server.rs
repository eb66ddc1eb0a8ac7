use serde_json::Value;

use super::{
    endpoints,
    fetch::{Fetch, origin_of, well_known},
    finding::Notes,
    protected_resource::{document, for_everybody, readable, texts},
};

/// Reads the metadata of an authorization server (RFC 8414) and what it says of agents (auth.md).
pub(super) fn examine(fetch: &dyn Fetch, issuer: &str, notes: &mut Notes) {
    match origin_of(issuer) {
        Err(why) => return notes.stumble(issuer, why),
        Ok(origin) if !origin.is_safe => notes.stumble(
            issuer,
            "is plain http: an agent that gets a key there shows it to everybody on the way",
        ),
        Ok(_) => {}
    }
    let place = well_known(issuer, "oauth-authorization-server");
    let Some(answer) = readable(fetch, &place, notes) else { return };
    let Some(document) = document(&answer, &place, notes) else { return };
    for_everybody(&answer, &place, notes);
    let told = text(&document, "issuer").unwrap_or_default();
    // RFC 8414 §3.3: else the document must not be used.
    notes.expect(
        told == issuer,
        &place,
        format!("issuer is {told:?}, and agents that were sent to {issuer} must not use the document then (RFC 8414 §3.3): name the same address in both documents"),
    );
    notes.expect(
        document.get("response_types_supported").is_some_and(Value::is_array),
        &place,
        "lacks response_types_supported, which RFC 8414 §2 requires; standard clients refuse the document",
    );
    let (token, jwks) = (text(&document, "token_endpoint"), text(&document, "jwks_uri"));
    notes.expect(token.is_some(), &place, "lacks token_endpoint: no agent can get an access token");
    notes.expect(jwks.is_some(), &place, "lacks jwks_uri: no API can check tokens by itself");
    let agents = document.get("agent_auth").filter(|member| member.is_object());
    let signs_up = "lacks agent_auth: an agent cannot sign itself up (auth.md)";
    notes.expect(agents.is_some(), &place, signs_up);
    notes.good(&place, format!("is the document of {issuer}"));
    if let Some(endpoint) = token {
        endpoints::token(fetch, endpoint, notes);
    }
    if let Some(uri) = jwks {
        keys(fetch, uri, notes);
    }
    if let Some(agents) = agents {
        agent_auth(fetch, &place, agents, notes);
    }
}

fn agent_auth(fetch: &dyn Fetch, place: &str, agents: &Value, notes: &mut Notes) {
    let member = |name: &str| format!("{place} agent_auth.{name}");
    let types = texts(agents, "identity_types_supported").unwrap_or_default();
    if types.is_empty() {
        notes.stumble(&member("identity_types_supported"), "names no way to sign up");
    } else {
        let text = format!("an agent may sign up as {}", types.join(" or "));
        notes.good(&member("identity_types_supported"), text);
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
    for_everybody(&answer, page, notes);
    let media_type = answer.media_type();
    if media_type != "text/markdown" && media_type != "text/plain" {
        notes.stumble(
            page,
            format!("is {media_type:?}: an agent reads text/markdown, and no page for browsers"),
        );
    }
    // What is missing was told already.
    let Some(endpoint) = text(agents, "registration_endpoint") else { return };
    notes.expect(
        answer.body.contains(endpoint),
        page,
        format!("does not name {endpoint}, where agents register"),
    );
    notes.good(page, format!("names {endpoint} as the place to register"));
}

fn keys(fetch: &dyn Fetch, uri: &str, notes: &mut Notes) {
    let Some(answer) = readable(fetch, uri, notes) else { return };
    let Some(document) = document(&answer, uri, notes) else { return };
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
    notes.expect(named, uri, "holds a key without kid, which clients cannot choose");
    notes.good(uri, format!("public keys to check tokens with: {}", keys.len()));
}

fn text<'d>(document: &'d Value, name: &str) -> Option<&'d str> {
    document.get(name).and_then(Value::as_str)
}

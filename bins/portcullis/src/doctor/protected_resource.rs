use serde_json::Value;

use super::{
    fetch::{Answer, Fetch, origin_of, well_known},
    finding::Notes,
};

const NAME: &str = "oauth-protected-resource";

/// Reads the metadata of the resource (RFC 9728); gives the authorization servers that it names.
pub(super) fn examine(fetch: &dyn Fetch, url: &str, notes: &mut Notes) -> Vec<String> {
    let place = well_known(url, NAME);
    let Some(document) = document(fetch, &place, notes) else { return Vec::new() };
    let resource = document.get("resource").and_then(Value::as_str).unwrap_or_default();
    // RFC 9728 §3.3: else the document must not be used.
    notes.expect(
        resource.trim_end_matches('/') == url,
        &place,
        format!("resource is {resource:?}, and clients must not use the document of {url} then (RFC 9728 §3.3)"),
    );
    let methods = texts(&document, "bearer_methods_supported");
    notes.expect(
        methods.as_ref().is_none_or(|methods| methods.iter().any(|method| method == "header")),
        &place,
        "bearer_methods_supported lacks \"header\", the one way in which every agent sends a key",
    );
    if texts(&document, "scopes_supported").is_none_or(|scopes| scopes.is_empty()) {
        notes.hint(
            &place,
            "scopes_supported names no scopes, so that an agent cannot tell what to ask for",
        );
    }
    let servers = texts(&document, "authorization_servers").unwrap_or_default();
    let named = notes.expect(
        !servers.is_empty(),
        &place,
        "authorization_servers names none, so that an agent does not know where to get a key",
    );
    if named {
        notes.good(&place, format!("names {}", servers.join(", ")));
    }
    servers
}

/// Tries a path that needs a credential without one.
pub(super) fn challenge(fetch: &dyn Fetch, url: &str, path: &str, notes: &mut Notes) {
    let place = match origin_of(url) {
        Ok(origin) if path.starts_with('/') => format!("{}{path}", origin.text),
        _ => path.to_owned(),
    };
    let answer = match fetch.get(&place) {
        Ok(answer) => answer,
        Err(error) => return notes.stumble(&place, format!("cannot be read: {error:#}")),
    };
    if !notes.expect(
        answer.status == 401,
        &place,
        format!("answers {} to a request without a credential; 401 would lead an agent to the documents", answer.status),
    ) {
        return;
    }
    let header = answer.header("www-authenticate");
    let wanted = format!("resource_metadata=\"{}\"", well_known(url, NAME));
    if notes.expect(
        header.contains(&wanted),
        &place,
        format!("its 401 does not lead to the documents: WWW-Authenticate must hold {wanted} (RFC 9728 §5.1) and is {header:?}"),
    ) {
        notes.good(&place, "its 401 leads to the documents");
    }
}

/// A JSON object that everybody may read.
pub(super) fn document(fetch: &dyn Fetch, place: &str, notes: &mut Notes) -> Option<Value> {
    let answer = readable(fetch, place, notes)?;
    let media_type = answer.media_type();
    notes.expect(
        media_type == "application/json",
        place,
        format!("is {media_type:?}, not application/json"),
    );
    let parsed = serde_json::from_str::<Value>(&answer.body).ok().filter(Value::is_object);
    notes.expect(parsed.is_some(), place, "is no JSON object");
    if answer.header("access-control-allow-origin") != "*" {
        notes.hint(
            place,
            "lacks Access-Control-Allow-Origin: *, so that agents in browsers cannot read it",
        );
    }
    if !answer.header("cache-control").contains("max-age") {
        notes.hint(place, "lacks Cache-Control with max-age, so that every agent asks each time");
    }
    parsed
}

/// An answer that is there.
pub(super) fn readable(fetch: &dyn Fetch, place: &str, notes: &mut Notes) -> Option<Answer> {
    match fetch.get(place) {
        Err(error) => {
            notes.stumble(place, format!("cannot be read: {error:#}"));
            None
        }
        Ok(answer) if answer.status == 200 => Some(answer),
        Ok(answer) => {
            let moved = answer.header("location");
            let moved = if moved.is_empty() { String::new() } else { format!(" (to {moved})") };
            notes.stumble(
                place,
                format!("answers {}{moved}; it must answer 200 itself", answer.status),
            );
            None
        }
    }
}

/// The texts of a list.
pub(super) fn texts(document: &Value, name: &str) -> Option<Vec<String>> {
    let list = document.get(name)?.as_array()?;
    Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

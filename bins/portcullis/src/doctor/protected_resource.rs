use serde_json::Value;

use super::{
    fetch::{Answer, Fetch, Origin, origin_of, unreachable, well_known},
    finding::Notes,
};

const NAME: &str = "oauth-protected-resource";

/// Reads the metadata of the resource (RFC 9728); gives the authorization servers that it names.
pub(super) fn examine(fetch: &dyn Fetch, url: &str, notes: &mut Notes) -> Vec<String> {
    let place = well_known(url, NAME);
    let Some(answer) = readable(fetch, &place, notes) else {
        route_instead(url, notes);
        return Vec::new();
    };
    let Some(document) = document(&answer, &place, notes) else { return Vec::new() };
    for_everybody(&answer, &place, notes);
    let resource = document.get("resource").and_then(Value::as_str).unwrap_or_default();
    // RFC 9728 §3.3: else the document must not be used.
    notes.expect(
        resource.trim_end_matches('/') == url,
        &place,
        format!("resource is {resource:?}, and agents that were told {url} must not use the document then (RFC 9728 §3.3): make public_url, or the guard's resource, the address that agents are told"),
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
    notes.expect(
        !servers.is_empty(),
        &place,
        "authorization_servers names none, so that an agent does not know where to get a key",
    );
    notes.good(&place, format!("sends agents to {} for a key", servers.join(", ")));
    servers
}

/// Whoever gave a route of an API learns how it is asked about.
fn route_instead(url: &str, notes: &mut Notes) {
    if let Ok(origin) = origin_of(url)
        && !origin.path.is_empty()
    {
        let (api, path) = (origin.text, origin.path);
        let text =
            format!("if this is a route of an API: portcullis doctor {api} --protected {path}");
        notes.hint(url, text);
    }
}

/// Tries a path that needs a credential without one.
pub(super) fn challenge(fetch: &dyn Fetch, url: &str, path: &str, notes: &mut Notes) {
    let Ok(Origin { text: origin, .. }) = origin_of(url) else { return };
    if path.contains("://") {
        let text = format!("must be a path of {origin}, such as /v1/balance, not {path:?}");
        return notes.stumble("--protected", text);
    }
    let place = format!("{origin}/{}", path.trim_start_matches('/'));
    let answer = match fetch.get(&place) {
        Ok(answer) => answer,
        Err(error) => return notes.stumble(&place, unreachable(&place, &error)),
    };
    if !notes.expect(
        answer.status == 401,
        &place,
        format!(
            "answers {} to a GET without a credential; a 401 would lead an agent to the documents",
            answer.status
        ),
    ) {
        return;
    }
    let header = answer.header("www-authenticate");
    let wanted = format!("resource_metadata=\"{}\"", well_known(url, NAME));
    notes.expect(
        header.contains(&wanted),
        &place,
        format!("its 401 does not lead to the documents: WWW-Authenticate must hold {wanted} (RFC 9728 §5.1) and is {header:?}"),
    );
    notes.good(&place, "its 401 leads to the documents");
}

/// The JSON object that a document must be.
pub(super) fn document(answer: &Answer, place: &str, notes: &mut Notes) -> Option<Value> {
    let media_type = answer.media_type();
    let Some(parsed) = serde_json::from_str::<Value>(&answer.body).ok().filter(Value::is_object)
    else {
        notes.stumble(place, format!("is no JSON object, but {media_type:?}"));
        return None;
    };
    notes.expect(
        media_type == "application/json",
        place,
        format!("is sent as {media_type:?}, not as application/json"),
    );
    Some(parsed)
}

/// What a document that agents look for is sent with.
pub(super) fn for_everybody(answer: &Answer, place: &str, notes: &mut Notes) {
    if answer.header("access-control-allow-origin") != "*" {
        notes.hint(
            place,
            "lacks Access-Control-Allow-Origin: *, so that agents in browsers cannot read it",
        );
    }
    if !answer.header("cache-control").contains("max-age") {
        notes.hint(place, "lacks Cache-Control with max-age, so that every agent asks each time");
    }
}

/// An answer that is there.
pub(super) fn readable(fetch: &dyn Fetch, place: &str, notes: &mut Notes) -> Option<Answer> {
    match fetch.get(place) {
        Err(error) => {
            notes.stumble(place, unreachable(place, &error));
            None
        }
        Ok(answer) if answer.status == 200 => Some(answer),
        Ok(answer) => {
            let text = match (answer.status, answer.header("location")) {
                (404, _) => "answers 404: an agent looks for this document, and it is not there; is it the right address?".to_owned(),
                (status, to) if to.is_empty() => format!("answers {status}; it must answer 200"),
                (status, to) => {
                    format!("answers {status} (to {to}); it must answer 200 itself, as agents follow no redirects here")
                }
            };
            notes.stumble(place, text);
            None
        }
    }
}

/// The texts of a list.
pub(super) fn texts(document: &Value, name: &str) -> Option<Vec<String>> {
    let list = document.get(name)?.as_array()?;
    Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

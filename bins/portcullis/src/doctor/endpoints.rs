//! Endpoints, tried with requests that can change nothing.

use serde_json::Value;

use super::{
    fetch::{Answer, Body, Fetch, unreachable},
    finding::Notes,
};

type Probe = fn(&dyn Fetch, &str, &mut Notes);

/// The endpoints for agents, by their names in `agent_auth`.
pub(super) const OF_AGENTS: [(&str, Probe); 4] = [
    ("registration_endpoint", wants_members),
    ("claim_endpoint", wants_members),
    ("claim_complete_endpoint", wants_members),
    ("revocation_endpoint", wants_credential),
];

/// An empty object lacks what is needed: 400, as a problem (RFC 9457).
fn wants_members(fetch: &dyn Fetch, endpoint: &str, notes: &mut Notes) {
    let Some(answer) = post(fetch, endpoint, Body::EmptyObject, notes) else { return };
    if refused(&answer, &[400, 422], endpoint, notes) && is_problem(&answer, endpoint, notes) {
        notes.good(endpoint, "refuses an empty request, and says why");
    }
}

/// Without a credential there is nothing to revoke: 401.
fn wants_credential(fetch: &dyn Fetch, endpoint: &str, notes: &mut Notes) {
    let Some(answer) = post(fetch, endpoint, Body::Nothing, notes) else { return };
    if refused(&answer, &[400, 401, 415], endpoint, notes) {
        notes.good(endpoint, "revokes nothing without a credential");
    }
}

/// Without a credential there is no token: 400 or 401, in the form of RFC 6749 §5.2.
pub(super) fn token(fetch: &dyn Fetch, endpoint: &str, notes: &mut Notes) {
    let Some(answer) = post(fetch, endpoint, Body::TokenForm, notes) else { return };
    if !refused(&answer, &[400, 401], endpoint, notes) {
        return;
    }
    let parsed = serde_json::from_str::<Value>(&answer.body).unwrap_or_default();
    let told = parsed.get("error").is_some_and(Value::is_string);
    if notes.expect(
        told,
        endpoint,
        "refuses without a member `error` (RFC 6749 §5.2); standard clients cannot read that",
    ) {
        notes.good(endpoint, "gives no token without a credential, and says why");
    }
}

fn post(fetch: &dyn Fetch, endpoint: &str, body: Body, notes: &mut Notes) -> Option<Answer> {
    match fetch.post(endpoint, body) {
        Ok(answer) if answer.status == 429 => {
            notes.hint(endpoint, "answers 429: too many requests came from here; try again later");
            None
        }
        Ok(answer) => Some(answer),
        Err(error) => {
            notes.stumble(endpoint, unreachable(endpoint, &error));
            None
        }
    }
}

fn refused(answer: &Answer, wanted: &[u16], endpoint: &str, notes: &mut Notes) -> bool {
    let text = match answer.status {
        200..=299 => "accepts a request without anything in it".to_owned(),
        404 | 405 | 501 => format!("answers {} to a POST: it is not there", answer.status),
        status => format!(
            "answers {status} to a POST that lacks everything; wanted is {}",
            any_of(wanted)
        ),
    };
    notes.expect(wanted.contains(&answer.status), endpoint, text)
}

fn any_of(statuses: &[u16]) -> String {
    let texts: Vec<_> = statuses.iter().map(u16::to_string).collect();
    texts.join(" or ")
}

fn is_problem(answer: &Answer, endpoint: &str, notes: &mut Notes) -> bool {
    let media_type = answer.media_type();
    notes.expect(
        media_type == "application/problem+json",
        endpoint,
        format!("refuses as {media_type:?}; auth.md says application/problem+json"),
    )
}

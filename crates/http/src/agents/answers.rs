//! What routes of this surface may answer besides their success, for the description of every route.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{Content, Ref, RefOr, Response, ResponseBuilder},
};

/// What any route may answer.
pub(super) struct Limited;

/// What any route that reads a body may answer.
pub(super) struct Reads;

/// What any route for a credential may answer.
pub(super) struct Authenticated;

impl IntoResponses for Limited {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        described(&[("429", "`RATE_LIMIT_EXCEEDED`"), ("503", "`SERVICE_UNAVAILABLE`")])
    }
}

impl IntoResponses for Reads {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut answers =
            described(&[("413", "`PAYLOAD_TOO_LARGE`"), ("415", "`UNSUPPORTED_MEDIA_TYPE`")]);
        answers.extend(Limited::responses());
        answers
    }
}

impl IntoResponses for Authenticated {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        described(&[
            ("401", "`UNAUTHORIZED`: no credential, or one that is wrong, expired or revoked."),
            (
                "403",
                "`FORBIDDEN`: the agent is suspended, the credential is not for the client's \
                 network, or it is of another agent than the path names.",
            ),
        ])
    }
}

fn described(answers: &[(&str, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let answer = |(status, text): &(&str, &str)| {
        let content = Content::new(Some(Ref::from_schema_name("AgentError")));
        let answer = ResponseBuilder::new().description(*text);
        let answer = answer.content("application/json", content).build();
        ((*status).to_owned(), RefOr::T(answer))
    };
    answers.iter().map(answer).collect()
}

//! What pages and forms may answer besides themselves, for the description of every route.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{RefOr, Response, ResponseBuilder},
};

/// What any page may answer besides itself.
pub(crate) struct Reads;

/// The same of a page that is not limited.
pub(crate) struct UnlimitedReads;

/// What any form may be answered besides its success.
pub(crate) struct FormAnswers;

impl IntoResponses for Reads {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut answers = described(&[("429", "Too many requests.")]);
        answers.extend(UnlimitedReads::responses());
        answers
    }
}

impl IntoResponses for UnlimitedReads {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        described(&[("503", "Try again after `Retry-After` seconds.")])
    }
}

impl IntoResponses for FormAnswers {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut answers = described(&[
            ("400", "A field breaks a rule: the form, with what is wrong."),
            ("403", "Another site sent the form, or it carries no token of this browser."),
            ("408", "The form did not arrive in time."),
            ("413", "The form is over 64 KiB."),
            ("415", "It is not `application/x-www-form-urlencoded`."),
        ]);
        answers.extend(Reads::responses());
        answers
    }
}

fn described(answers: &[(&str, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let answer = |(status, text): &(&str, &str)| {
        ((*status).to_owned(), RefOr::T(ResponseBuilder::new().description(*text).build()))
    };
    answers.iter().map(answer).collect()
}

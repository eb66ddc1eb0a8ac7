use actix_web::http::{
    StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    },
};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context, syntax::SyntaxConfig};
use portcullis_kernel::{ExposeSecret as _, causes};

use super::Refusal;

/// The media type of every page.
pub(crate) const HTML: &str = "text/html; charset=utf-8";

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";
/// What is said when not even the page of an error can be made.
const BARE: &str = "<!doctype html><html lang=\"en\"><title>Error</title><h1>Something went wrong";

/// The pages: every template, and what all of them say.
pub(crate) struct Html(Environment<'static>);

impl Html {
    /// The templates under their names; `site` is what each of them can ask for under that name.
    pub(crate) fn new(templates: &[(&'static str, &'static str)], site: Value) -> Self {
        let mut environment = Environment::new();
        // A tag on a line of its own leaves no empty line.
        if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
            environment.set_syntax(syntax);
        }
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.add_global("site", site);
        for (name, source) in templates {
            if let Err(error) = environment.add_template(name, source) {
                tracing::error!(template = *name, cause = causes(&error), "not a template");
            }
        }
        Self(environment)
    }

    /// A page.
    pub(crate) fn render(&self, name: &str, context: Value) -> Result<String, Refusal> {
        let template = self.0.get_template(name);
        let page = template.and_then(|template| template.render(context));
        page.map_err(|error| Refusal::internal(causes(&error)))
    }

    /// The page that tells of a refusal: the one that its handler made, or one for its status.
    pub(super) fn refusal(&self, refusal: &Refusal, request_id: &str) -> String {
        if let Some(page) = &refusal.page {
            return page.expose_secret().to_owned();
        }
        let (title, text) = words(refusal);
        let status = refusal.status.as_u16();
        let context = context! { title, text, status, wait => wait(refusal), request_id };
        self.render("error.html", context).unwrap_or_else(|_| BARE.to_owned())
    }
}

/// What a person is told to wait for, such as `in 3 minutes`.
pub(crate) fn wait(refusal: &Refusal) -> Option<String> {
    let seconds = refusal.retry_after?;
    let minutes = seconds.div_ceil(60);
    Some(match (seconds, minutes) {
        (0..=5, _) => "in a few seconds".to_owned(),
        (_, 1) => "in a minute".to_owned(),
        (_, 2..=119) => format!("in {minutes} minutes"),
        _ => format!("in {} hours", minutes.div_ceil(60)),
    })
}

fn words(refusal: &Refusal) -> (&'static str, &str) {
    match refusal.status {
        StatusCode::BAD_REQUEST => (
            "That did not work",
            "What your browser sent could not be read. Go back and try again.",
        ),
        StatusCode::FORBIDDEN => ("That is not possible", refusal.message.as_str()),
        StatusCode::NOT_FOUND => {
            ("There is no such page", "The address may be mistyped, or the page may be gone.")
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            ("This page cannot be opened like that", "It is where a form is sent to.")
        }
        StatusCode::PAYLOAD_TOO_LARGE => ("That was too long", "Send less, and try again."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ("That did not work", "This page takes what a form of a browser sends.")
        }
        StatusCode::TOO_MANY_REQUESTS => {
            ("Please wait a little", "There were too many tries from your network.")
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            ("We cannot answer right now", "Nothing is wrong on your side.")
        }
        status if status.is_server_error() => {
            ("Something went wrong", "The fault is on our side. Try again in a little while.")
        }
        _ => ("That did not work", "Go back and try again."),
    }
}

/// Adds what every page must have, unless its handler said otherwise.
pub(super) fn set_page_headers(headers: &mut HeaderMap) {
    if !headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
        return;
    }
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (OPENER_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
    ] {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_words() {
        for (seconds, words) in [
            (2, "in a few seconds"),
            (6, "in a minute"),
            (60, "in a minute"),
            (61, "in 2 minutes"),
            (900, "in 15 minutes"),
            (7200, "in 2 hours"),
            (7201, "in 3 hours"),
        ] {
            let mut refusal = Refusal::unavailable("");
            refusal.retry_after = Some(seconds);
            assert_eq!(wait(&refusal).as_deref(), Some(words), "{seconds}");
        }
    }
}

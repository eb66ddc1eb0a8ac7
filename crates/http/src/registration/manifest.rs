//! The page from which an agent learns to sign up.

use actix_web::{
    HttpResponse,
    http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL},
    web::Bytes,
};
use portcullis_flows::AgentRegistrationOptions;
use portcullis_kernel::words::span;

use crate::kit::{Answer, Call, Routes};

/// The page, with the places that [`manifest`] fills.
const TEXT: &str = include_str!("auth.md");

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_auth_md, auth_md);
}

/// The page of a service that clients know by `url`.
pub(crate) fn manifest(url: &str, service: &str, options: &AgentRegistrationOptions) -> Bytes {
    let places = [
        ("{url}", url.to_owned()),
        ("{service}", service.to_owned()),
        ("{pre_scopes}", options.pre_claim_scopes.to_string()),
        ("{post_scopes}", options.post_claim_scopes.to_string()),
        ("{claim_span}", span(options.claim)),
        ("{code_span}", span(options.code)),
        ("{code_tries}", options.code_tries.to_string()),
        ("{most_codes}", options.most_codes.to_string()),
    ];
    let filled =
        places.iter().fold(TEXT.to_owned(), |text, (place, value)| text.replace(place, value));
    filled.into()
}

/// Tells agents how to sign up, in words.
#[utoipa::path(get, path = "/auth.md", tag = "discovery",
    responses((status = 200, description = "The page.", body = String,
        content_type = "text/markdown; charset=utf-8")))]
async fn auth_md(call: Call) -> Answer {
    call.quiet();
    Ok(HttpResponse::Ok()
        .content_type("text/markdown; charset=utf-8")
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .body(call.discovery().manifest.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_filled_from_the_settings() {
        let options = AgentRegistrationOptions {
            pre_claim_scopes: "see".parse().unwrap(),
            post_claim_scopes: "see touch".parse().unwrap(),
            ..AgentRegistrationOptions::default()
        };
        let page = manifest("https://auth.example.com", "Example", &options);
        let page = std::str::from_utf8(&page).unwrap();
        assert!(page.starts_with("# Example: how an agent signs up\n"));
        for told in ["It may do: `see`.", "may do: `see touch`.", "You have 24 hours", "10 minutes"]
        {
            assert!(page.contains(told), "{told}");
        }
        assert!(page.contains("POST https://auth.example.com/v1/auth/agent/claim/complete\n"));
        assert!(!page.contains("{url}") && !page.contains("_scopes}") && !page.contains("{code"));
    }
}

use utoipa::openapi::{
    Info, OpenApiBuilder, RefOr,
    security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
};

use crate::{admin, agents, credits, kit::Routes, meta, oauth, pages, people, registration};

/// Every surface; a new one adds a line. Order matters where one prefix holds another.
pub(crate) fn routes() -> Routes {
    let info = Info::new("Portcullis", env!("CARGO_PKG_VERSION"));
    let mut routes = Routes::new(OpenApiBuilder::new().info(info).build());
    meta::mount(&mut routes);
    people::mount(&mut routes);
    agents::mount(&mut routes);
    registration::mount(&mut routes);
    oauth::mount(&mut routes);
    credits::mount(&mut routes);
    pages::mount(&mut routes);
    admin::mount(&mut routes);
    routes
}

/// The OpenAPI 3.1 document of every route, as JSON.
pub fn openapi() -> String {
    let mut document = routes().document();
    document.info.description =
        Some("Accounts, sessions and tokens for people and AI agents.".to_owned());
    let scheme = |scheme, description: &str| {
        let mut http = Http::new(scheme);
        http.description = Some(description.to_owned());
        RefOr::T(SecurityScheme::Http(http))
    };
    let (bearer, basic) = (HttpAuthScheme::Bearer, HttpAuthScheme::Basic);
    let schemes = [
        ("access_token", scheme(bearer.clone(), "A person's access token.")),
        ("agent_token", scheme(bearer.clone(), "An agent's access token.")),
        ("bearer_key", scheme(bearer, "An API key of an agent, or an access token got for it.")),
        ("api_key", scheme(basic.clone(), "An agent's id and one of its API keys.")),
        ("recovery_key", scheme(basic.clone(), "An agent's id and its recovery key.")),
        ("resource_server", scheme(basic, "A resource server's id and secret.")),
        ("webhook", signed()),
    ];
    let components = document.components.get_or_insert_default();
    components.security_schemes.extend(schemes.map(|(name, scheme)| (name.to_owned(), scheme)));
    document.to_json().unwrap_or_else(|_| "{}".to_owned())
}

/// How a payment system authenticates what it tells.
fn signed() -> RefOr<SecurityScheme> {
    let description = "A signature as Standard Webhooks says.";
    let signature = ApiKeyValue::with_description("webhook-signature", description);
    RefOr::T(SecurityScheme::ApiKey(ApiKey::Header(signature)))
}

/// The same of the routes that are there in development only.
pub fn development_openapi() -> String {
    routes().hidden().to_json().unwrap_or_else(|_| "{}".to_owned())
}

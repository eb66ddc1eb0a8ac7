use utoipa::openapi::{
    Info, OpenApiBuilder, RefOr,
    security::{Http, HttpAuthScheme, SecurityScheme},
};

use crate::{admin, kit::Routes, meta, pages, people};

/// Every surface; a new one adds a line. Order matters where one prefix holds another.
pub(crate) fn routes() -> Routes {
    let info = Info::new("Portcullis", env!("CARGO_PKG_VERSION"));
    let mut routes = Routes::new(OpenApiBuilder::new().info(info).build());
    meta::mount(&mut routes);
    people::mount(&mut routes);
    pages::mount(&mut routes);
    admin::mount(&mut routes);
    routes
}

/// The OpenAPI 3.1 document of every route, as JSON.
pub fn openapi() -> String {
    let mut document = routes().document();
    document.info.description =
        Some("Accounts, sessions and tokens for people and AI agents.".to_owned());
    let bearer = RefOr::T(SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let components = document.components.get_or_insert_default();
    components.security_schemes.insert("access_token".to_owned(), bearer);
    document.to_json().unwrap_or_else(|_| "{}".to_owned())
}

/// The same of the routes that are there in development only.
pub fn development_openapi() -> String {
    routes().hidden().to_json().unwrap_or_else(|_| "{}".to_owned())
}

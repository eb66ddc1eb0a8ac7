use std::collections::BTreeMap;

use actix_web::{
    FromRequest, Handler, Responder,
    guard::{GuardContext, fn_guard},
    http::{Method, StatusCode},
    web::{self, ServiceConfig},
};
use portcullis_kernel::codes;
use utoipa::openapi::{
    OpenApi, RefOr, ResponseBuilder, Schema,
    path::{HttpMethod, Operation},
};

use super::Refusal;

/// The routes of the server, each taken with its method and path from its own OpenAPI description:
/// what is not described is not served.
pub(crate) struct Routes {
    resources: BTreeMap<String, Resource>,
    document: OpenApi,
    /// Of what is not there for everybody.
    hidden: OpenApi,
}

/// One path.
#[derive(Default)]
struct Resource {
    methods: Vec<(Method, actix_web::Route)>,
    guard: Option<Guard>,
}

/// Says whether a path is there for a request at all.
pub(crate) type Guard = fn(&GuardContext<'_>) -> bool;

impl Routes {
    pub(crate) fn new(document: OpenApi) -> Self {
        Self { resources: BTreeMap::new(), document, hidden: OpenApi::default() }
    }

    /// Adds a handler under the method and path that `#[utoipa::path]` on it says. A `GET` route
    /// also answers `HEAD`.
    pub(crate) fn add<P, H, Args>(&mut self, _described: P, handler: H)
    where
        P: utoipa::Path + utoipa::__dev::Tags<'static> + utoipa::__dev::SchemaReferences,
        H: Handler<Args>,
        Args: FromRequest + 'static,
        H::Output: Responder + 'static,
    {
        self.serve::<P, H, Args>(handler);
        let mut operation = with_general_answers(P::operation());
        operation.tags = Some(P::tags().into_iter().map(str::to_owned).collect());
        self.document.paths.add_path_operation(P::path(), P::methods(), operation);
        let mut schemas: Vec<(String, RefOr<Schema>)> = Vec::new();
        P::schemas(&mut schemas);
        let components = self.document.components.get_or_insert_default();
        components.schemas.extend(schemas);
    }

    /// Adds a handler under a path that is there only for requests that `guard` lets through, and that
    /// the public description does not tell of.
    pub(crate) fn add_behind<P, H, Args>(&mut self, guard: Guard, _described: P, handler: H)
    where
        P: utoipa::Path,
        H: Handler<Args>,
        Args: FromRequest + 'static,
        H::Output: Responder + 'static,
    {
        self.serve::<P, H, Args>(handler).guard = Some(guard);
        let operation = with_general_answers(P::operation());
        self.hidden.paths.add_path_operation(P::path(), P::methods(), operation);
    }

    fn serve<P, H, Args>(&mut self, handler: H) -> &mut Resource
    where
        P: utoipa::Path,
        H: Handler<Args>,
        Args: FromRequest + 'static,
        H::Output: Responder + 'static,
    {
        let resource = self.resources.entry(P::path()).or_default();
        for method in P::methods().iter().flat_map(served) {
            let route = web::route().method(method.clone()).to(handler.clone());
            resource.methods.push((method, route));
        }
        resource
    }

    /// Mounts every route; a wrong method is answered with those that a path has.
    pub(crate) fn mount(self, config: &mut ServiceConfig) {
        for (path, Resource { methods, guard }) in self.resources {
            let names: Vec<&str> = methods.iter().map(|(method, _)| method.as_str()).collect();
            let allow = names.join(", ");
            let mut resource = web::resource(path);
            if let Some(guard) = guard {
                resource = resource.guard(fn_guard(guard));
            }
            for (_, route) in methods {
                resource = resource.route(route);
            }
            config.service(resource.default_service(web::to(move || {
                let refusal = wrong_method(&allow);
                async move { Err::<String, Refusal>(refusal) }
            })));
        }
    }

    /// The document of every route that is there for everybody.
    pub(crate) fn document(self) -> OpenApi {
        self.document
    }

    /// The document of the others.
    pub(crate) fn hidden(self) -> OpenApi {
        self.hidden
    }
}

/// Adds the answers that any route may give.
fn with_general_answers(mut operation: Operation) -> Operation {
    let mut add = |status: &str, description: &str| {
        let answer = ResponseBuilder::new().description(description).build();
        operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(answer));
    };
    add("500", "A fault of the server; `X-Request-Id` names its log entry.");
    if operation.request_body.is_some() {
        add("408", "The body did not arrive in time.");
    }
    operation
}

fn wrong_method(allow: &str) -> Refusal {
    let mut refusal = Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        codes::METHOD_NOT_ALLOWED,
        format!("This path answers {allow}."),
    );
    refusal.allow = Some(allow.to_owned());
    refusal
}

fn served(method: &HttpMethod) -> Vec<Method> {
    match method {
        HttpMethod::Get => vec![Method::GET, Method::HEAD],
        HttpMethod::Post => vec![Method::POST],
        HttpMethod::Put => vec![Method::PUT],
        HttpMethod::Delete => vec![Method::DELETE],
        HttpMethod::Patch => vec![Method::PATCH],
        HttpMethod::Options | HttpMethod::Head | HttpMethod::Trace => Vec::new(),
    }
}

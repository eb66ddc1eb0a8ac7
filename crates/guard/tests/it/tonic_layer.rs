//! The layer before a service of tonic, as a client of tonic sees it.

use std::net::Ipv4Addr;

use portcullis_guard::{Cost, Guard, OperationId, Principal, Unguarded, tower::GuardLayer};
use serde_json::json;
use tokio::net::TcpListener;
use tonic::{
    Code, Request, Response, Status,
    codegen::BoxStream,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};

use crate::support::{AGENT, API_KEY, Api};

/// A service that charges who asks for anything by name.
struct Metered(Guard);

#[tonic::async_trait]
impl Health for Metered {
    type WatchStream = BoxStream<HealthCheckResponse>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let principal = request.extensions().get::<Principal>().ok_or(Unguarded)?;
        assert_eq!(principal.subject.to_string(), AGENT);
        let service = &request.get_ref().service;
        if !service.is_empty() {
            let operation = OperationId::of(principal, "Check", service);
            self.0.charge(principal, Cost::of::<1>(), &operation).await?;
        }
        Ok(Response::new(HealthCheckResponse { status: 1 }))
    }

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("nothing to watch"))
    }
}

async fn served(api: &Api) -> HealthClient<Channel> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let layer = GuardLayer::new(&api.guard).requiring("api.read".parse().unwrap());
    let service = HealthServer::new(Metered(api.guard.clone()));
    let server = Server::builder().layer(layer).add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    HealthClient::new(endpoint.connect().await.unwrap())
}

fn question(token: Option<&str>, service: &str) -> Request<HealthCheckRequest> {
    let mut request = Request::new(HealthCheckRequest { service: service.to_owned() });
    if let Some(token) = token {
        let header = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", header);
    }
    request
}

#[tokio::test]
async fn a_client_is_served_or_told_why_not() {
    let api = Api::new();
    let mut client = served(&api).await;
    let answer = client.check(question(Some(&api.token()), "")).await.unwrap();
    assert_eq!(answer.into_inner().status, 1);
    let poor = api.issuer.claiming(json!({ "scope": "other" }));
    let metadata = "resource_metadata=\"https://api.example/.well-known/oauth-protected-resource\"";
    for (token, code, message, challenge) in [
        (None, Code::Unauthenticated, "no access token or API key", metadata),
        (Some("x"), Code::Unauthenticated, "not good here", "error=\"invalid_token\""),
        (Some(poor.as_str()), Code::PermissionDenied, "a scope is missing", "scope=\"api.read\""),
    ] {
        let status = client.check(question(token, "")).await.unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains(message), "{status}");
        let told = status.metadata().get("www-authenticate").unwrap().to_str().unwrap();
        assert!(told.starts_with("Bearer ") && told.contains(challenge), "{told}");
    }
    api.server.go_down();
    let status = client.check(question(Some(API_KEY), "")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(status.metadata().get("retry-after").unwrap(), "1");
    // Refusals have not cost the connection, nor the service.
    client.check(question(Some(&api.token()), "")).await.unwrap();
}

#[tokio::test]
async fn a_service_answers_with_a_refusal() {
    let api = Api::new();
    let mut client = served(&api).await;
    let token = api.token();
    client.check(question(Some(&token), "")).await.unwrap();
    for (status, code) in
        [(402, Code::FailedPrecondition), (409, Code::AlreadyExists), (503, Code::Unavailable)]
    {
        api.server.answer(status, &[("WWW-Authenticate", "Payment id=\"x\"")], "{\"required\":1}");
        let told = client.check(question(Some(&token), "notes")).await.unwrap_err();
        assert_eq!(told.code(), code, "{told}");
        if status == 402 {
            assert_eq!(told.metadata().get("www-authenticate").unwrap(), "Payment id=\"x\"");
        }
    }
    api.server.answer(200, &[], "{}");
    client.check(question(Some(&token), "notes")).await.unwrap();
}

#[tokio::test]
async fn a_service_without_the_layer_serves_nobody_who_wants_a_principal() {
    let api = Api::new();
    let status = Metered(api.guard.clone()).check(question(None, "")).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
}

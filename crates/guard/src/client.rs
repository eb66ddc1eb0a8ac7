//! An HTTPS client on hyper and rustls.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, crypto::ring::default_provider};

use crate::{Answering, MOST_BYTES, Transport, TransportError, url};

/// How long a connection waits for its next request. Shorter than auth servers and proxies wait.
const IDLE: Duration = Duration::from_secs(4);
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);

/// The guard's own client: HTTP/1.1 over TLS by rustls and ring, with the root certificates of Mozilla or
/// your own; without TLS to loopback addresses only. It follows no redirect, knows no proxy and keeps
/// connections for four seconds.
#[derive(Clone, Debug)]
pub struct HttpsClient(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl HttpsClient {
    /// A client that trusts the root certificates of Mozilla.
    ///
    /// # Errors
    /// When rustls cannot be set up.
    pub fn new() -> Result<Self, TransportError> {
        let tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TransportError::new)?;
        Ok(Self::with_tls(tls.with_webpki_roots().with_no_client_auth()))
    }

    /// A client that trusts what this configuration trusts, such as a certificate authority of your own.
    pub fn with_tls(mut tls: ClientConfig) -> Self {
        tls.alpn_protocols.clear();
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE);
        Self(builder.build(connector))
    }
}

impl Transport for HttpsClient {
    fn send(&self, request: Request<Vec<u8>>) -> Answering {
        let client = self.0.clone();
        Box::pin(async move {
            if !url::is_private(request.uri()) {
                return Err(TransportError::new("http goes to loopback addresses only"));
            }
            let request = request.map(|body| Full::new(Bytes::from(body)));
            let answer = client.request(request).await.map_err(cause)?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, MOST_BYTES).collect().await;
            let body = body.map_err(TransportError::new)?.to_bytes();
            Ok(Response::from_parts(head, body.to_vec()))
        })
    }
}

/// An error with what it came from: hyper's own says little.
fn cause(error: hyper_util::client::legacy::Error) -> TransportError {
    let mut told = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        told = format!("{told}: {error}");
        source = error.source();
    }
    TransportError::new(told)
}

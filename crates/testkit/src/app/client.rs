use std::{future::IntoFuture, net::IpAddr, pin::Pin};

use actix_web::{
    http::{Method, header::CONTENT_TYPE},
    test::TestRequest,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{Reply, TestApp, checks};

/// Somebody who calls the server from one address.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    app: &'a TestApp,
    address: IpAddr,
}

impl<'a> Client<'a> {
    pub(crate) fn new(app: &'a TestApp, address: IpAddr) -> Self {
        Self { app, address }
    }

    /// Where the client is.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// A request without headers or body.
    ///
    /// # Panics
    /// When the method is none.
    pub fn request(&self, method: &str, path: &str) -> Request<'a> {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let inner = TestRequest::with_uri(path).method(method.clone());
        let inner = inner.peer_addr((self.address, 40_000).into());
        Request {
            app: self.app,
            method,
            path: path.to_owned(),
            inner,
            secrets: Vec::new(),
            tolerates_500: false,
        }
    }

    /// A `GET`.
    pub fn get(&self, path: &str) -> Request<'a> {
        self.request("GET", path)
    }

    /// A `POST`.
    pub fn post(&self, path: &str) -> Request<'a> {
        self.request("POST", path)
    }

    /// A `PUT`.
    pub fn put(&self, path: &str) -> Request<'a> {
        self.request("PUT", path)
    }

    /// A `DELETE`.
    pub fn delete(&self, path: &str) -> Request<'a> {
        self.request("DELETE", path)
    }
}

/// A request that is sent when it is awaited.
pub struct Request<'a> {
    app: &'a TestApp,
    method: Method,
    path: String,
    inner: TestRequest,
    secrets: Vec<String>,
    tolerates_500: bool,
}

impl Request<'_> {
    /// Adds a header; one that stands already stays.
    ///
    /// # Panics
    /// When the value cannot stand in a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let value = actix_web::http::header::HeaderValue::from_bytes(value.as_ref());
        self.inner = self.inner.append_header((name, value.expect("a header's value")));
        self
    }

    /// Adds an access token.
    #[must_use]
    pub fn bearer(mut self, token: &str) -> Self {
        self.secrets.push(token.to_owned());
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Adds an id and its secret.
    #[must_use]
    pub fn basic(mut self, id: &str, secret: &str) -> Self {
        self.secrets.push(secret.to_owned());
        self.header("authorization", format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))))
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Sets a body of this media type.
    #[must_use]
    pub fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.inner = self.inner.insert_header((CONTENT_TYPE, media_type)).set_payload(body.into());
        self
    }

    /// A 500 is what the test is after; in any other it is a failure.
    #[must_use]
    pub fn tolerating_500(mut self) -> Self {
        self.tolerates_500 = true;
        self
    }

    /// Sets a body without saying what it is.
    #[must_use]
    pub fn untyped(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.inner = self.inner.set_payload(body.into());
        self
    }
}

impl IntoFuture for Request<'_> {
    type Output = Reply;
    type IntoFuture = Pin<Box<dyn Future<Output = Reply>>>;

    fn into_future(self) -> Self::IntoFuture {
        let answer = self.app.call(self.inner);
        Box::pin(async move {
            let reply = answer.await;
            if !(self.tolerates_500 && reply.status == 500) {
                checks::check(self.method.as_str(), &self.path, &reply);
            }
            for secret in self.secrets.iter().filter(|secret| secret.len() > 8) {
                assert!(!reply.text().contains(secret.as_str()), "{} repeats a secret", self.path);
            }
            reply
        })
    }
}

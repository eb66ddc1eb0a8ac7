use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::AUTHORIZATION};
use http_body_util::{Either, Full};
use portcullis_kernel::Scopes;
use tower_layer::Layer;
use tower_service::Service;

use crate::{Guard, Presented, Refusal, grpc};

/// A layer that lets requests pass whose token or key has the wanted scopes, with their
/// [`Principal`](crate::Principal) among the request's extensions, and answers every other one: a call
/// of gRPC with a status of gRPC.
///
/// Put a layer that answers CORS preflights around it, not inside: they show no token.
#[derive(Clone, Debug)]
pub struct GuardLayer {
    guard: Guard,
    wanted: Arc<Scopes>,
}

/// A service behind a [`GuardLayer`].
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    inner: S,
    guard: Guard,
    wanted: Arc<Scopes>,
}

/// The body of an answer: the service's, or that of a refusal.
pub type GuardedBody<B> = Either<B, Full<Bytes>>;

impl GuardLayer {
    /// A layer that wants a good token or key, with whatever scopes.
    pub fn new(guard: &Guard) -> Self {
        Self { guard: guard.clone(), wanted: Arc::default() }
    }

    /// A layer that wants each of these scopes.
    #[must_use]
    pub fn requiring(self, scopes: Scopes) -> Self {
        Self { wanted: Arc::new(scopes), ..self }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, guard: self.guard.clone(), wanted: Arc::clone(&self.wanted) }
    }
}

impl<S, B, R> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<GuardedBody<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was asked whether it is ready serves; its copy waits for the next request.
        let copy = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, copy);
        let (guard, wanted) = (self.guard.clone(), Arc::clone(&self.wanted));
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            let values = head.headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
            let presented = Presented::read(values);
            let is_grpc = grpc::is_call(&head.headers);
            match guard.admit(presented, &wanted).await {
                Ok(principal) => head.extensions.insert(principal),
                Err(refusal) => return Ok(answer(refusal, is_grpc).map(Either::Right)),
            };
            let response = inner.call(Request::from_parts(head, body)).await?;
            Ok(response.map(Either::Left))
        })
    }
}

fn answer(refusal: Refusal, is_grpc: bool) -> Response<Full<Bytes>> {
    if is_grpc { refusal.to_grpc() } else { refusal.into_http() }
}

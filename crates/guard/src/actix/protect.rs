use std::{
    future::{Ready, ready},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use actix_web::{
    Error, HttpMessage as _,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
    http::header::{AUTHORIZATION, HeaderValue},
};
use portcullis_kernel::Scopes;

use super::answers::answer;
use crate::{Guard, Presented};

/// A middleware that lets requests pass whose token or key has the wanted scopes, with their
/// [`Principal`](crate::Principal) for handlers to take, and answers every other one. It wraps a route, a
/// resource, a scope or the app.
///
/// A middleware that answers CORS preflights stands around it, not inside: they show no token.
#[derive(Clone, Debug)]
pub struct Protect {
    guard: Guard,
    wanted: Arc<Scopes>,
}

/// A service behind [`Protect`].
pub struct Protected<S> {
    inner: Rc<S>,
    guard: Guard,
    wanted: Arc<Scopes>,
}

impl Protect {
    /// A middleware that wants a good token or key, with whatever scopes.
    pub fn new(guard: &Guard) -> Self {
        Self { guard: guard.clone(), wanted: Arc::default() }
    }

    /// A middleware that wants each of these scopes.
    #[must_use]
    pub fn requiring(self, scopes: Scopes) -> Self {
        Self { wanted: Arc::new(scopes), ..self }
    }
}

impl<S, B> Transform<S, ServiceRequest> for Protect
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = Protected<S>;
    type InitError = ();
    type Future = Ready<Result<Protected<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        let (guard, wanted) = (self.guard.clone(), Arc::clone(&self.wanted));
        ready(Ok(Protected { inner: Rc::new(inner), guard, wanted }))
    }
}

impl<S, B> Service<ServiceRequest> for Protected<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let inner = Rc::clone(&self.inner);
        let (guard, wanted) = (self.guard.clone(), Arc::clone(&self.wanted));
        Box::pin(async move {
            let values = request.headers().get_all(AUTHORIZATION).map(HeaderValue::as_bytes);
            let admitted = guard.admit(Presented::read(values), &wanted).await;
            match admitted {
                Ok(principal) => request.extensions_mut().insert(principal),
                Err(refusal) => {
                    return Ok(request.into_response(answer(&refusal)).map_into_right_body());
                }
            };
            Ok(inner.call(request).await?.map_into_left_body())
        })
    }
}

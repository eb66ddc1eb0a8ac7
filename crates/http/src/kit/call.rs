use std::{
    cell::{Cell, RefCell},
    future::Ready,
    rc::Rc,
    sync::Arc,
};

use actix_web::{
    FromRequest, HttpMessage as _, HttpRequest, HttpResponse,
    dev::Payload,
    http::header::{AUTHORIZATION, HeaderValue},
    web::{Bytes, Data},
};
use portcullis_flows::{Admission, AdmitError, Engine, LimitClass, LimitError, people::Caller};
use portcullis_kernel::Origin;
use portcullis_limits::Standing;

use super::{
    AppState, JsonBody, Query, Refusal,
    body::{MediaType, read_bytes},
    unread::Unread,
};

/// What a handler gives.
pub(crate) type Answer = Result<HttpResponse, Refusal>;

/// What [`super::finish`] notes of a request before its handler runs, and reads after it.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) origin: Origin,
    pub(super) standing: Rc<Cell<Option<Standing>>>,
    pub(super) unread: Unread,
    /// A success is logged at debug level only.
    pub(super) quiet: Rc<Cell<bool>>,
    /// `Set-Cookie`, whatever the answer is.
    pub(super) cookies: Rc<RefCell<Vec<HeaderValue>>>,
}

/// One request, as handlers see it: limits, body and credential in the order in which refusals come
/// (429 by address, 413, 415, 401, 400).
pub(crate) struct Call {
    pub(super) request: HttpRequest,
    pub(super) state: Data<AppState>,
    pub(super) context: Context,
}

impl FromRequest for Call {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = request.app_data::<Data<AppState>>().cloned();
        let context = request.extensions().get::<Context>().cloned();
        std::future::ready(match state.zip(context) {
            Some((state, context)) => Ok(Self { request: request.clone(), state, context }),
            None => Err(Refusal::internal("a route is mounted without state or `finish`")),
        })
    }
}

impl Call {
    pub(crate) fn engine(&self) -> &Engine {
        &self.state.engine
    }

    /// Keeps a success out of the log at its usual level: machines ask for this all the time.
    pub(crate) fn quiet(&self) {
        self.context.quiet.set(true);
    }

    /// The description of every route.
    pub(crate) fn openapi(&self) -> &str {
        &self.state.openapi
    }

    /// A segment of the path, by its name in the route.
    pub(crate) fn segment(&self, name: &str) -> String {
        self.request.match_info().get(name).unwrap_or_default().to_owned()
    }

    /// The parameters of the query string.
    pub(crate) fn query(&self) -> Query {
        Query::parse(self.request.query_string())
    }

    /// Counts the request towards its client address, asking memory first and the database only
    /// when memory cannot tell.
    pub(crate) async fn limit(&self, class: LimitClass) -> Result<(), Refusal> {
        let Some(client) = self.context.origin.client else { return Ok(()) };
        let standing = match self.engine().admit(class, client) {
            Admission::Granted(standing) => standing,
            Admission::Refused(standing) => {
                return Err(self.limited(LimitError::Exceeded(standing)));
            }
            Admission::Ask(charge) => {
                let charged = self.hop(move |engine, origin| engine.charge(&charge, origin));
                charged.await?.map_err(|error| self.limited(error))?
            }
        };
        self.show(standing);
        Ok(())
    }

    /// Refuses the request when memory knows that its client address is over the limit.
    pub(super) fn refuse_exhausted(&self, class: LimitClass) -> Result<(), Refusal> {
        let client = self.context.origin.client;
        match client.and_then(|ip| self.engine().exhausted(class, ip)) {
            Some(standing) => Err(self.limited(LimitError::Exceeded(standing))),
            None => Ok(()),
        }
    }

    /// Reads a JSON object whose members of interest are `known`.
    pub(crate) async fn json(&mut self, known: &[&str]) -> Result<JsonBody, Refusal> {
        JsonBody::parse(&self.bytes(MediaType::Json).await?, known)
    }

    /// Reads the body of a route that wants a credential, without looking into it: what is wrong
    /// inside is told only to callers with a good one. A client address over its limit is refused
    /// before; a body that is refused counts towards it, as no credential was looked at.
    pub(crate) async fn bytes_before_bearer(&mut self) -> Result<Bytes, Refusal> {
        self.bytes_before_credential(MediaType::Json).await
    }

    pub(super) async fn bytes_before_credential(
        &mut self,
        wanted: MediaType,
    ) -> Result<Bytes, Refusal> {
        self.refuse_exhausted(LimitClass::Anonymous)?;
        let read = self.bytes(wanted).await;
        if read.is_err() {
            self.limit(LimitClass::Anonymous).await?;
        }
        read
    }

    pub(super) async fn bytes(&mut self, wanted: MediaType) -> Result<Bytes, Refusal> {
        let mut payload = self.context.unread.take();
        let read = read_bytes(&self.request, &mut payload, wanted).await;
        if read.is_err() {
            self.context.unread.put_back(payload);
        }
        read
    }

    /// Runs `work` on a blocking thread.
    pub(crate) async fn hop<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine, &Origin) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let (engine, origin) = (Arc::clone(&self.state.engine), self.context.origin.clone());
        self.state.blocking.run(move || work(&engine, &origin)).await
    }

    /// Runs `work`, which hashes a password, once a hash permit is free.
    pub(crate) async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine, &Origin) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (engine, origin) = (Arc::clone(&self.state.engine), self.context.origin.clone());
        self.state.hashes.run(move || work(&engine, &origin)).await?
    }

    /// Accepts the bearer token, counts the request, and runs `work` for its user, all in one hop.
    pub(crate) async fn as_user<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine, Caller, &Origin) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let token = bearer(&self.request);
        let token_sent = token.is_some();
        let Some(client) = self.context.origin.client else {
            return Err(Refusal::internal("a request without a client address"));
        };
        let admitted = self.hop(move |engine, origin| {
            let admitted = engine.admit_bearer(token.as_deref(), client, origin)?;
            Ok((admitted.standing, work(engine, admitted.caller, origin)))
        });
        match admitted.await? {
            Ok((standing, done)) => {
                self.show(standing);
                done
            }
            Err(AdmitError::Limit(error)) => Err(self.limited(error)),
            Err(AdmitError::Unauthenticated(error, standing)) => {
                self.show(standing);
                let mut refusal = Refusal::of(error);
                refusal.token_refused = token_sent;
                Err(refusal)
            }
            Err(error) => Err(Refusal::internal(error.to_string())),
        }
    }

    /// Of all buckets that the request was charged to, the one nearest to empty is shown.
    pub(super) fn show(&self, standing: Option<Standing>) {
        let shown = self.context.standing.get();
        let nearest = shown.into_iter().chain(standing).min_by_key(|standing| standing.remaining);
        self.context.standing.set(nearest);
    }

    pub(super) fn limited(&self, error: LimitError) -> Refusal {
        Refusal::of_limited(error, self.engine().now())
    }
}

/// The token of `Authorization: Bearer`, in the header and nowhere else (RFC 6750 §2.1). A header
/// that stands twice gives a token that nobody has.
fn bearer(request: &HttpRequest) -> Option<String> {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let header = headers.next()?.to_str().ok()?;
    let (scheme, token) = header.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    Some(if headers.next().is_some() { String::new() } else { token.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_one_bearer_header_is_a_token() {
        let read = |values: &[&str]| {
            let request = values
                .iter()
                .fold(TestRequest::default(), |r, v| r.append_header((AUTHORIZATION, *v)));
            bearer(&request.to_http_request())
        };
        assert_eq!(read(&["Bearer a.b.c"]).as_deref(), Some("a.b.c"));
        assert_eq!(read(&["bEaReR  a.b.c "]).as_deref(), Some("a.b.c"));
        assert_eq!(read(&["Bearer a.b.c", "Bearer a.b.c"]).as_deref(), Some(""));
        for none in ["", "Bearer", "bearer ", "Basic YTpi", "a.b.c"] {
            assert_eq!(read(&[none]), None, "{none}");
        }
    }
}

use std::{
    cell::{Cell, RefCell},
    future::Ready,
    net::IpAddr,
    rc::Rc,
    sync::Arc,
};

use actix_web::{
    FromRequest, HttpMessage as _, HttpRequest, HttpResponse,
    dev::Payload,
    http::{
        Method, StatusCode,
        header::{ACCEPT, HeaderValue},
    },
    web::{Bytes, Data},
};
use portcullis_flows::{
    Admission, AdmitError, Engine, LimitClass, LimitError,
    agents::{AdmitAgentError, AdmittedAgent, AgentCaller, AgentLimit, PresentedBasic},
    credits::Holder,
    people::Caller,
};
use portcullis_identity::Agent;
use portcullis_kernel::{Origin, SecretString};
use portcullis_limits::Standing;

use super::{
    AppState, JsonBody, Query, Refusal,
    accept::prefers_html,
    body::{MediaType, read_bytes},
    credential::{Challenge, basic, bearer},
    unread::Unread,
};
use crate::oauth::Discovery;

/// What a handler gives.
pub(crate) type Answer = Result<HttpResponse, Refusal>;

/// What [`super::finish`] notes of a request before its handler runs, and reads after it.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) origin: Origin,
    pub(super) standing: Rc<Cell<Option<Standing>>>,
    /// Buckets that have headers of their own.
    pub(super) named: Rc<RefCell<Vec<(&'static str, Standing)>>>,
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

    /// The documents that describe this server.
    pub(crate) fn discovery(&self) -> &Discovery {
        &self.state.discovery
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

    /// The same, and shows the bucket under `X-RateLimit-IP-*`, too.
    pub(crate) async fn limit_shown_by_address(&self, class: LimitClass) -> Result<(), Refusal> {
        let limited = self.limit(class).await;
        let standing = match &limited {
            Ok(()) => self.context.standing.get(),
            Err(refusal) => refusal.standing,
        };
        self.show_named("ip", standing);
        limited
    }

    /// Shows a bucket under `X-RateLimit-<Name>-*`.
    pub(crate) fn show_named(&self, name: &'static str, standing: Option<Standing>) {
        self.context.named.borrow_mut().extend(standing.map(|standing| (name, standing)));
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
        self.bytes_before_credential(MediaType::Json, LimitClass::Anonymous).await
    }

    /// The same of a route that wants an agent's credential.
    pub(crate) async fn bytes_before_agent(&mut self) -> Result<Bytes, Refusal> {
        self.bytes_before_credential(MediaType::Json, LimitClass::AgentAnonymous).await
    }

    /// The same of a route of credits.
    pub(crate) async fn bytes_before_credits(&mut self) -> Result<Bytes, Refusal> {
        self.bytes_before_credential(MediaType::Json, LimitClass::Credits).await
    }

    /// The same of a form for OAuth.
    pub(crate) async fn form_before_client(&mut self) -> Result<Bytes, Refusal> {
        self.bytes_before_credential(MediaType::Form, LimitClass::OAuthAnonymous).await
    }

    pub(super) async fn bytes_before_credential(
        &mut self,
        wanted: MediaType,
        class: LimitClass,
    ) -> Result<Bytes, Refusal> {
        self.refuse_exhausted(class)?;
        let read = self.bytes(wanted).await;
        if read.is_err() {
            self.limit(class).await?;
        }
        read
    }

    /// Reads a body that may be JSON or a form, or nothing; says whether it is a form.
    pub(crate) async fn json_or_form(&mut self) -> Result<(Bytes, bool), Refusal> {
        let bytes = self.bytes(MediaType::JsonOrForm).await?;
        Ok((bytes, MediaType::Form.is_of(&self.request)))
    }

    /// Reads a form.
    pub(crate) async fn form_bytes(&mut self) -> Result<Bytes, Refusal> {
        self.bytes(MediaType::Form).await
    }

    pub(super) async fn bytes(&mut self, wanted: MediaType) -> Result<Bytes, Refusal> {
        let mut payload = self.context.unread.take();
        let read = read_bytes(&self.request, &mut payload, wanted).await;
        if read.is_err() {
            self.context.unread.put_back(payload);
        }
        read
    }

    /// Whether the request says that its body is the token of an identity provider's event.
    pub(crate) fn has_event_token(&self) -> bool {
        MediaType::EventToken.is_of(&self.request)
    }

    /// Reads that token.
    pub(crate) async fn event_token(&mut self) -> Result<Bytes, Refusal> {
        self.bytes(MediaType::EventToken).await
    }

    /// A path under the origin that clients know.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.state.origin)
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
        let client = self.client()?;
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

    /// Accepts an agent's access token, counts the request, and runs `work` for the agent, all in one
    /// hop.
    pub(crate) async fn as_agent<T: Send + 'static>(
        &self,
        limit: AgentLimit,
        work: impl FnOnce(&Engine, AgentCaller, &Origin) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let token = bearer(&self.request);
        let (sent, client) = (token.is_some(), self.client()?);
        let done = self.hop(move |engine, origin| {
            let admitted = engine.admit_agent(token.as_deref(), limit, client, origin)?;
            let AdmittedAgent { caller, standing } = admitted;
            Ok((standing, work(engine, caller, origin)))
        });
        self.admitted(done.await?, sent, Challenge::Bearer)
    }

    /// Accepts an agent's API key or access token, or a person's, counts the request, and runs `work` for
    /// its holder, all in one hop.
    pub(crate) async fn as_holder<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine, Holder, &Origin) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let token = bearer(&self.request).map(SecretString::from);
        let (sent, client) = (token.is_some(), self.client()?);
        let done = self.hop(move |engine, origin| {
            let AdmittedAgent { caller, standing } = engine.admit_holder(token, client, origin)?;
            Ok((standing, work(engine, caller, origin)))
        });
        self.admitted(done.await?, sent, Challenge::Bearer)
    }

    /// Accepts an agent's recovery key, counts the request, and runs `work` for the agent, all in one
    /// hop.
    pub(crate) async fn as_recovery<T: Send + 'static>(
        &self,
        limit: AgentLimit,
        work: impl FnOnce(&Engine, Agent, &Origin) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (presented, client) = (self.basic(), self.client()?);
        let done = self.hop(move |engine, origin| {
            let admitted = engine.admit_recovery(presented, limit, client, origin)?;
            let AdmittedAgent { caller, standing } = admitted;
            Ok((standing, work(engine, caller, origin)))
        });
        self.admitted(done.await?, false, Challenge::Basic)
    }

    fn admitted<T>(
        &self,
        done: Result<(Option<Standing>, Result<T, Refusal>), AdmitAgentError>,
        token_sent: bool,
        challenge: Challenge,
    ) -> Result<T, Refusal> {
        let refusal = match done {
            Ok((standing, done)) => {
                self.show(standing);
                return done.map_err(|mut refusal| {
                    // It was good a moment ago.
                    refusal.token_refused |=
                        token_sent && refusal.status == StatusCode::UNAUTHORIZED;
                    refusal.challenging(challenge)
                });
            }
            Err(AdmitAgentError::Limit(error)) => self.limited(error),
            Err(AdmitAgentError::Auth(error, standing)) => {
                self.show(standing);
                let mut refusal = Refusal::of(error);
                refusal.token_refused = token_sent;
                refusal
            }
            Err(error) => Refusal::internal(error.to_string()),
        };
        Err(refusal.challenging(challenge))
    }

    /// Id and secret, where the request has them.
    pub(crate) fn basic(&self) -> Option<PresentedBasic> {
        basic(&self.request)
    }

    /// The bearer token, where the request has one.
    pub(crate) fn bearer(&self) -> Option<String> {
        bearer(&self.request)
    }

    /// Whether the request has a credential at all, be it one that cannot be read.
    pub(crate) fn has_credential(&self) -> bool {
        self.request.headers().contains_key(actix_web::http::header::AUTHORIZATION)
    }

    /// The text of a header; empty when it is missing, stands twice, or is no text.
    pub(crate) fn header(&self, name: &str) -> String {
        let mut values = self.request.headers().get_all(name);
        let (first, more) = (values.next(), values.next().is_some());
        let text = first.filter(|_| !more).and_then(|value| value.to_str().ok());
        text.unwrap_or_default().to_owned()
    }

    /// The client's address.
    pub(crate) fn client(&self) -> Result<IpAddr, Refusal> {
        let client = self.context.origin.client;
        client.ok_or_else(|| Refusal::internal("a request without a client address"))
    }

    /// Whether only the head of the answer is wanted, which must have no effect.
    pub(crate) fn is_head(&self) -> bool {
        self.request.method() == Method::HEAD
    }

    /// Whether the client would rather read a page than JSON.
    pub(crate) fn prefers_html(&self) -> bool {
        let values = self.request.headers().get_all(ACCEPT);
        prefers_html(values.filter_map(|value| value.to_str().ok()))
    }

    /// Of all buckets that the request was charged to, the one nearest to empty is shown.
    pub(crate) fn show(&self, standing: Option<Standing>) {
        let shown = self.context.standing.get();
        let nearest = shown.into_iter().chain(standing).min_by_key(|standing| standing.remaining);
        self.context.standing.set(nearest);
    }

    pub(crate) fn limited(&self, error: LimitError) -> Refusal {
        Refusal::of_limited(error, self.engine().now())
    }
}

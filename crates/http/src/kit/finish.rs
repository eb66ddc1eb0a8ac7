use std::{net::IpAddr, rc::Rc, time::Instant as Stopwatch};

use actix_web::{
    Error, HttpMessage as _, HttpResponse,
    body::{BodySize, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        ConnectionType,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use portcullis_kernel::Origin;
use portcullis_limits::Standing;

use super::{
    AppState, Connection, Refusal,
    call::Context,
    credential::Challenge,
    envelope::Envelope,
    html::set_page_headers,
    unread::{AnswerBody, Unread},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Where this server describes how to get at what it protects.
pub(crate) const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What every answer gets: the envelope of its path when it is an error, request id, security and
/// limit headers, and a log line.
pub async fn finish<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<AnswerBody>, Error> {
    let started = Stopwatch::now();
    let Some(state) = request.app_data::<Data<AppState>>().cloned() else {
        return Err(Refusal::internal("a route is mounted without state").into());
    };
    let context = Context {
        origin: origin(&request, &state),
        standing: Rc::default(),
        named: Rc::default(),
        unread: Unread::new(request.take_payload()),
        quiet: Rc::default(),
        cookies: Rc::default(),
    };
    request.extensions_mut().insert(context.clone());
    let response = next.call(request).await?;

    let path = response.request().path().to_owned();
    // As the router reads it: an encoded letter is that letter (RFC 3986 §6.2.2.2).
    let envelope = Envelope::of(response.request().match_info().as_str());
    let mut shown = context.standing.get();
    let status = response.status();
    let mut response = if status.is_client_error() || status.is_server_error() {
        let (request, inner) = response.into_parts();
        let fallback = Refusal::from_status(status);
        let refusal = inner.error().and_then(|error| error.as_error::<Refusal>());
        let refusal = refusal.unwrap_or(&fallback);
        shown = refusal.standing.or(shown);
        log_cause(refusal, &context.origin);
        let told_in = refusal.told_in.unwrap_or(envelope);
        let body = body(refusal, told_in, &state, &context.origin);
        let rendered = render(refusal, told_in, body, &state);
        ServiceResponse::new(request, rendered)
    } else {
        response.map_into_boxed_body()
    };
    let body = match response.response().body().size() {
        BodySize::Sized(bytes) => bytes,
        BodySize::None | BodySize::Stream => 0,
    };
    let connection = response.request().conn_data::<Connection>();
    let last = connection.is_some_and(|connection| connection.is_spent_by(body));
    if last || state.stopping() {
        // The header alone would tell the client, and not actix.
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let headers = response.headers_mut();
    set_headers(headers, &context.origin, &state);
    set_page_headers(headers);
    for cookie in context.cookies.take() {
        headers.append(header::SET_COOKIE, cookie);
    }
    if let Some(standing) = shown {
        set_limit_headers(headers, "", standing);
    }
    for (name, standing) in context.named.take() {
        set_limit_headers(headers, name, standing);
    }
    let quiet = context.quiet.get() && !status.is_server_error();
    log_answer(&response, quiet, &path, &context.origin, started);
    Ok(response.map_body(|_, body| AnswerBody::new(body, context.unread.clone())))
}

fn origin(request: &ServiceRequest, state: &AppState) -> Origin {
    let headers = request.headers();
    let peer = request.peer_addr().map(|peer| peer.ip());
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let trusted = peer.is_some_and(|peer| state.proxies.contains(peer));
    let given = text(&REQUEST_ID).filter(|id| trusted && is_request_id(id));
    let id = given.map_or_else(|| new_request_id(state), str::to_owned);
    // No peer means no socket: a test that calls the routes directly.
    let peer = peer.unwrap_or(IpAddr::from([127, 0, 0, 1]));
    let lines = headers.get_all(FORWARDED_FOR).map(HeaderValue::as_bytes);
    let client = state.proxies.client(peer, lines);
    let user_agent = headers.get(header::USER_AGENT).map(HeaderValue::as_bytes);
    let user_agent = user_agent.map(String::from_utf8_lossy);
    Origin::new(id, client, user_agent.as_deref())
}

fn is_request_id(id: &str) -> bool {
    let symbol = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (8..=64).contains(&id.len()) && id.bytes().all(symbol)
}

fn new_request_id(state: &AppState) -> String {
    let mut random = [0; 20];
    match state.entropy.fill(&mut random) {
        Ok(()) => portcullis_kernel::crockford(&random),
        Err(_) => "no-entropy".into(),
    }
}

fn body(refusal: &Refusal, envelope: Envelope, state: &AppState, origin: &Origin) -> String {
    if envelope == Envelope::Html {
        return state.html.refusal(refusal, origin.request_id.as_deref().unwrap_or_default());
    }
    envelope.render(refusal).to_string()
}

fn render(refusal: &Refusal, envelope: Envelope, body: String, state: &AppState) -> HttpResponse {
    let mut answer = HttpResponse::build(refusal.status);
    answer.content_type(envelope.content_type());
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    if let Some(seconds) = refusal.retry_after {
        answer.insert_header((header::RETRY_AFTER, seconds));
    }
    if let Some(allow) = &refusal.allow {
        answer.insert_header((header::ALLOW, allow.as_str()));
    }
    if refusal.status == actix_web::http::StatusCode::UNAUTHORIZED {
        for challenge in challenges(refusal, &state.origin) {
            answer.append_header((header::WWW_AUTHENTICATE, challenge));
        }
    }
    if let Some(payment) = &refusal.payment {
        answer.insert_header((header::WWW_AUTHENTICATE, payment.challenge.as_str()));
    }
    answer.body(body)
}

/// How to authenticate (RFC 9110 §11.6.1), and where to read about it (RFC 9728 §5.1). An error is named
/// only when a token was sent (RFC 6750 §3.1).
fn challenges(refusal: &Refusal, origin: &str) -> Vec<String> {
    let mut bearer = format!("Bearer resource_metadata=\"{origin}{PROTECTED_RESOURCE}\"");
    if refusal.token_refused {
        bearer.push_str(", error=\"invalid_token\"");
    }
    let basic = "Basic realm=\"agents\", charset=\"UTF-8\"".to_owned();
    match refusal.challenge {
        Challenge::Bearer => vec![bearer],
        Challenge::Basic => vec![basic],
        Challenge::Either => vec![basic, bearer],
    }
}

fn set_headers(headers: &mut HeaderMap, origin: &Origin, state: &AppState) {
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let id = origin.request_id.as_deref().unwrap_or_default();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    if state.https {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    // What may be kept says so itself.
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// `X-RateLimit-*`, or `X-RateLimit-<Name>-*`.
fn set_limit_headers(headers: &mut HeaderMap, name: &str, standing: Standing) {
    let reset = standing.reset;
    let reset = reset.unix_timestamp() + i64::from(reset.nanosecond() > 0);
    let dash = if name.is_empty() { "" } else { "-" };
    let values = [
        ("limit", i64::from(standing.limit)),
        ("remaining", i64::from(standing.remaining)),
        ("reset", reset),
    ];
    for (what, value) in values {
        let header = format!("x-ratelimit-{name}{dash}{what}");
        if let Ok(header) = HeaderName::try_from(header) {
            headers.insert(header, HeaderValue::from(value));
        }
    }
}

fn log_cause(refusal: &Refusal, origin: &Origin) {
    let Some(cause) = &refusal.cause else { return };
    let request_id = origin.request_id.as_deref().unwrap_or_default();
    let status = refusal.status.as_u16();
    if refusal.status == actix_web::http::StatusCode::SERVICE_UNAVAILABLE {
        tracing::warn!(request_id, status, cause, "a request could not be served");
    } else {
        tracing::error!(request_id, status, cause, "a request failed by a fault of ours");
    }
}

/// Path without query: a query may hold a token.
fn log_answer<B>(
    response: &ServiceResponse<B>,
    quiet: bool,
    path: &str,
    origin: &Origin,
    since: Stopwatch,
) {
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                request_id = origin.request_id.as_deref().unwrap_or_default(),
                client = origin.client.map(tracing::field::display),
                method = start_of(response.request().method().as_str(), 16),
                path = start_of(path, 256),
                status = response.status().as_u16(),
                duration_us = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX),
                "answered"
            )
        };
    }
    if quiet { line!(debug) } else { line!(info) }
}

/// What a client chose is cut, so that a log line has an end.
fn start_of(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_from_outside_has_a_narrow_form() {
        for id in ["abcdefgh", "A-1_b-2_c", &"x".repeat(64)] {
            assert!(is_request_id(id), "{id}");
        }
        for id in ["", "short", &"x".repeat(65), "abcdefg h", "abcdefgh\u{e9}", "abc\r\ndefg"] {
            assert!(!is_request_id(id), "{id}");
        }
    }
}

use std::{net::IpAddr, time::Duration};

use anyhow::{Error, Result};
use ureq::{Agent, http::Response};

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most of a body that is read.
const MOST_BYTES: u64 = 256 * 1024;

/// What a server answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    #[cfg(test)]
    pub(super) fn of(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let owned = |(name, value): &(&str, &str)| (name.to_lowercase(), (*value).to_owned());
        Self { status, headers: headers.iter().map(owned).collect(), body: body.to_owned() }
    }

    /// The values of a header, joined as RFC 9110 §5.3 says.
    pub(super) fn header(&self, name: &str) -> String {
        let values = self.headers.iter().filter(|(known, _)| known == name);
        values.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The media type, without parameters.
    pub(super) fn media_type(&self) -> String {
        let header = self.header("content-type");
        header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

/// What is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// An empty JSON object.
    EmptyObject,
    /// A form that asks for a token, without a credential.
    TokenForm,
    /// Nothing.
    Nothing,
}

/// Asks servers.
pub(crate) trait Fetch {
    /// The answer to a GET.
    fn get(&self, url: &str) -> Result<Answer>;

    /// The answer to a POST.
    fn post(&self, url: &str, body: Body) -> Result<Answer>;
}

/// Asks over the network, with no redirects followed.
pub(crate) struct Client(Agent);

impl Client {
    pub(crate) fn new() -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("portcullis-doctor/", env!("CARGO_PKG_VERSION")))
            .build();
        Self(config.into())
    }
}

impl Fetch for Client {
    fn get(&self, url: &str) -> Result<Answer> {
        read(self.0.get(url).call()?)
    }

    fn post(&self, url: &str, body: Body) -> Result<Answer> {
        let request = self.0.post(url);
        read(match body {
            Body::EmptyObject => request.content_type("application/json").send("{}")?,
            Body::TokenForm => request
                .content_type("application/x-www-form-urlencoded")
                .send("grant_type=client_credentials")?,
            Body::Nothing => request.send_empty()?,
        })
    }
}

fn read(mut response: Response<ureq::Body>) -> Result<Answer> {
    let status = response.status().as_u16();
    let value = |value: &ureq::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into();
    let headers =
        response.headers().iter().map(|(name, it)| (name.as_str().to_owned(), value(it))).collect();
    let body =
        response.body_mut().with_config().limit(MOST_BYTES).lossy_utf8(true).read_to_string()?;
    Ok(Answer { status, headers, body })
}

/// Why an address gives no answer, in the words of whoever looks into it.
pub(super) fn unreachable(url: &str, error: &Error) -> String {
    let cause = format!("{error:#}");
    // What rustls says of an answer that is no TLS.
    let plain = url.starts_with("https:") && cause.contains("InvalidContentType");
    let more = if plain { "; the other side speaks no TLS, but perhaps http" } else { "" };
    format!("gives no answer: {cause}{more}")
}

/// The origin of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// `https://host:port`
    pub(super) text: String,
    /// Where the path begins, or nothing.
    pub(super) path: String,
    /// Whether nobody on the way can read along: https, or this machine itself.
    pub(super) is_safe: bool,
}

/// Takes an address apart.
pub(super) fn origin_of(url: &str) -> Result<Origin, String> {
    let wrong = || format!("must be an address such as https://auth.example.com, not {url:?}");
    let uri: ureq::http::Uri = url.parse().map_err(|_| wrong())?;
    let (scheme, authority) = uri.scheme_str().zip(uri.authority()).ok_or_else(wrong)?;
    if !matches!(scheme, "http" | "https") || authority.as_str().contains('@') {
        return Err(wrong());
    }
    let host = authority.host().trim_matches(['[', ']']);
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    Ok(Origin {
        text: format!("{scheme}://{authority}"),
        path: uri.path().trim_end_matches('/').to_owned(),
        is_safe: scheme == "https" || loopback,
    })
}

/// Where a well-known document of an address is: between its origin and its path (RFC 8414 §3.1).
pub(super) fn well_known(url: &str, name: &str) -> String {
    match origin_of(url) {
        Ok(origin) => format!("{}/.well-known/{name}{}", origin.text, origin.path),
        Err(_) => format!("{url}/.well-known/{name}"),
    }
}

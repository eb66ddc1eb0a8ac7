//! Charging for a request (402).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{
    HeaderMap, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use portcullis_kernel::{Entropy, EntropyError, TokenDigest, codes};
use serde::{Deserialize, Serialize};

use crate::{
    Cost, Principal, Reason, Refusal,
    refusal::Refusals,
    server::{AuthServer, Away},
};

const PATH: &str = "/v1/meter/charge";
const JSON: &str = "application/json";

/// What one charge is known by: however often it is asked for, it is charged once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationId(String);

/// A charge that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Charged {
    /// What is left, if the auth server tells.
    pub balance: Option<i64>,
}

#[derive(Serialize)]
struct Question<'q> {
    token: &'q str,
    cost: u32,
    operation_id: &'q str,
}

#[derive(Deserialize)]
struct Answered {
    balance: Option<i64>,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
}

impl OperationId {
    /// An id of 128 random bits: every request is charged.
    ///
    /// # Errors
    /// When there is no entropy.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut random = [0; 16];
        entropy.fill(&mut random)?;
        Ok(Self(format!("r-{}", URL_SAFE_NO_PAD.encode(random))))
    }

    /// The id of what a client calls `key`, in an `Idempotency-Key` header, at this route: a second request
    /// with it is not charged again. No client can name an operation of another one.
    ///
    /// The charge alone is made once. An API that takes keys from clients has to remember its answers by
    /// them, too, or a client that repeats a key is served again for nothing.
    pub fn of(principal: &Principal, route: &str, key: &str) -> Self {
        let subject = principal.subject.to_string();
        // Lengths in front, so that no two different triples make one text.
        let text = format!("{}:{subject}{}:{route}{key}", subject.len(), route.len());
        Self(format!("k-{}", URL_SAFE_NO_PAD.encode(TokenDigest::of(&text).as_bytes())))
    }

    /// The text on the wire: at most 45 letters, digits, `-` and `_`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AuthServer {
    /// Charges the holder of a token or key.
    pub(crate) async fn charge(
        &self,
        refusals: &Refusals,
        principal: &Principal,
        cost: Cost,
        operation: &OperationId,
    ) -> Result<Charged, Refusal> {
        if !self.has_credentials() {
            tracing::error!(
                "Guard::charge needs GuardOptions::credentials: nothing can be charged."
            );
            return Err(Refusals::no_credentials());
        }
        let away = |away: Away| Refusals::unavailable(away.retry_after);
        let token = principal.presented();
        let question = Question { token, cost: cost.credits(), operation_id: operation.as_str() };
        let body = serde_json::to_vec(&question).map_err(|error| away(self.away(PATH, error)))?;
        let answer = match self.post(PATH, JSON, body.clone()).await {
            // It may have been charged, and only the answer was lost: the operation's name makes it safe to
            // ask again, and else the client would pay for what it did not get.
            Err(_) => self.post(PATH, JSON, body).await.map_err(away)?,
            Ok(answer) => answer,
        };
        match answer.status() {
            status if status.is_success() => Ok(charged(&answer)),
            StatusCode::PAYMENT_REQUIRED => Err(passed_on(answer)),
            StatusCode::CONFLICT => Err(Refusals::conflict()),
            // The token's: 401 is for the credentials of this resource server.
            StatusCode::NOT_FOUND if is_of_the_token(&answer) => Err(refusals.invalid()),
            _ => Err(away(self.refused(PATH, &answer))),
        }
    }
}

/// Whatever else the answer says: it has been charged.
fn charged(answer: &Response<Vec<u8>>) -> Charged {
    let read = serde_json::from_slice::<Answered>(answer.body());
    Charged { balance: read.ok().and_then(|read| read.balance) }
}

/// Whether the meter knows the path, and not the token.
fn is_of_the_token(answer: &Response<Vec<u8>>) -> bool {
    let problem = serde_json::from_slice::<Problem>(answer.body());
    problem.is_ok_and(|problem| problem.code == codes::INVALID_TOKEN)
}

fn passed_on(answer: Response<Vec<u8>>) -> Refusal {
    let (head, body) = answer.into_parts();
    let mut headers = HeaderMap::new();
    for (name, value) in &head.headers {
        if [&CONTENT_TYPE, &WWW_AUTHENTICATE, &CACHE_CONTROL, &RETRY_AFTER].contains(&name) {
            headers.append(name, value.clone());
        }
    }
    Refusal::passed_on(Reason::PaymentRequired, head.status, headers, Bytes::from(body))
}

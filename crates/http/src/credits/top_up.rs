use actix_web::{HttpResponse, http::StatusCode};
use portcullis_flows::credits::{Given, PresentedDelivery, TopUpInput, WebhookError};
use portcullis_kernel::{Field, codes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::kit::{Answer, Call, JsonBody, Problem, ProblemReads, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_top_up, top_up);
}

/// An event that says that credits were paid for.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads field by field
struct TopUpBody {
    /// `credits.topup`
    #[schema(example = "credits.topup")]
    r#type: String,
    data: TopUpDataBody,
}

/// What was paid for.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // as above
struct TopUpDataBody {
    /// The id of a user or agent. What is meant for an agent that belongs to a user is the user's.
    #[schema(example = "agt_0123456789abcdef0123456789abcdef")]
    account: String,
    /// How many credits: 1 to 1,000,000,000,000.
    #[schema(example = 1000)]
    amount: i64,
    /// What the ledger says about it; 1 to 200 characters.
    note: Option<String>,
}

/// Credits that were recorded, now or by an earlier delivery of the same event.
#[derive(Serialize, ToSchema)]
struct ToppedUpBody {
    /// Whose ledger they are in: a user or agent.
    account: String,
    /// How many.
    #[schema(example = 1000)]
    credited: i64,
    /// The balance right after it.
    #[schema(example = 1095)]
    balance: i64,
}

impl From<Given> for ToppedUpBody {
    fn from(Given { account, credits, balance }: Given) -> Self {
        Self { account: account.to_string(), credited: credits, balance }
    }
}

/// Records credits that were paid for elsewhere, as told by a payment system that signs its deliveries as
/// Standard Webhooks says: an HMAC over `webhook-id`, `webhook-timestamp` (within 5 minutes) and the exact
/// body. An event is recorded once, whatever the number of its deliveries.
#[utoipa::path(post, path = "/v1/credits/topups", tag = "credits",
    request_body = TopUpBody,
    params(
        ("webhook-id" = String, Header, description = "The event: 1 to 128 printable ASCII characters."),
        ("webhook-timestamp" = String, Header, description = "When it was sent, in seconds since 1970."),
        ("webhook-signature" = String, Header, description = "`v1,<base64>`; several with spaces between."),
    ),
    security(("webhook" = [])),
    responses(
        (status = 200, description = "It is recorded, once.", body = ToppedUpBody),
        (status = 400, description = "`invalid_request`", body = Problem,
            content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`: not signed by the secret of this endpoint, or too \
            long ago.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: no such user or agent; or no top-ups are heard, since \
            the operator set no secret.", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "`conflict`: `webhook-id` was used for another top-up, or the account \
            would have more than 1,000,000,000,000,000 credits.", body = Problem,
            content_type = "application/problem+json"),
        ProblemReads,
    ))]
async fn top_up(mut call: Call) -> Answer {
    if !call.engine().hears_top_ups() {
        return Err(Refusal::from_status(StatusCode::NOT_FOUND));
    }
    let bytes = call.bytes_before_credits().await?;
    let (delivery, client) = (delivery_of(&call), call.client()?);
    let done = call.hop(move |engine, origin| {
        let standing = engine.admit_top_up(&delivery, &bytes, client, origin)?;
        let given = input_in(&bytes).and_then(|input| {
            let new = delivery.check(input).map_err(Refusal::of)?;
            engine.top_up(&new, origin).map_err(Refusal::of)
        });
        Ok((standing, given))
    });
    match done.await? {
        Ok((standing, given)) => {
            call.show(standing);
            Ok(HttpResponse::Ok().json(ToppedUpBody::from(given?)))
        }
        Err(WebhookError::Limit(error)) => Err(call.limited(error)),
        Err(WebhookError::Refused(standing)) => {
            call.show(standing);
            let told = WebhookError::Refused(None).to_string();
            Err(Refusal::new(StatusCode::UNAUTHORIZED, codes::UNAUTHORIZED, told))
        }
        Err(error) => Err(Refusal::internal(error.to_string())),
    }
}

fn delivery_of(call: &Call) -> PresentedDelivery {
    PresentedDelivery {
        id: call.header("webhook-id"),
        timestamp: call.header("webhook-timestamp"),
        signature: call.header("webhook-signature"),
    }
}

fn input_in(bytes: &[u8]) -> Result<TopUpInput, Refusal> {
    let mut body = JsonBody::parse(bytes, &["type", "data"])?;
    let kind = body.string("type");
    Ok(match body.object("data") {
        Field::Given(mut data) => TopUpInput {
            kind,
            account: data.string("account"),
            amount: data.integer("amount"),
            note: data.string("note"),
        },
        Field::Absent => TopUpInput { kind, ..TopUpInput::default() },
        Field::Invalid(why) => TopUpInput {
            kind,
            account: Field::Invalid(format!("cannot be read: data {why}")),
            ..TopUpInput::default()
        },
    })
}

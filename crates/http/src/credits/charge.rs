use actix_web::HttpResponse;
use portcullis_flows::{
    credits::{ChargeError, ChargeInput, Charged},
    oauth::ServerLimit,
};
use portcullis_kernel::codes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::PaymentProblem;
use crate::{
    kit::{Answer, Call, JsonBody, Problem, ProblemReads, Refusal, Routes},
    oauth::as_server,
};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_charge, charge);
}

/// One call of a metered route.
#[derive(Deserialize, ToSchema)]
#[allow(dead_code)] // the description of what the handler reads field by field
struct ChargeBody {
    /// The API key or access token that the resource server was called with.
    token: String,
    /// What the call costs, in credits: 1 to 1,000,000.
    #[schema(example = 5)]
    cost: i64,
    /// What the resource server calls this charge: 1 to 128 printable ASCII characters. The same one again
    /// is charged once.
    #[schema(example = "req-4711")]
    operation_id: String,
}

/// A charge that was made, now or by an earlier request with the same `operation_id`.
#[derive(Serialize, ToSchema)]
struct ChargedBody {
    /// What was charged, in credits.
    #[schema(example = 5)]
    charged: i64,
    /// The balance right after it.
    #[schema(example = 95)]
    balance: i64,
}

impl From<Charged> for ChargedBody {
    fn from(Charged { cost, balance }: Charged) -> Self {
        Self { charged: cost, balance }
    }
}

/// Charges who called a resource server. The answer 402 is made to be passed on to that caller, headers and
/// all; a refused charge is not remembered, and may be tried again under the same `operation_id`.
#[utoipa::path(post, path = "/v1/meter/charge", tag = "credits",
    request_body = ChargeBody,
    security(("resource_server" = [])),
    responses(
        (status = 200, description = "It is charged, once.", body = ChargedBody),
        (status = 400, description = "`invalid_request`", body = Problem,
            content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`: the resource server's own credential.",
            body = Problem, content_type = "application/problem+json"),
        (status = 402, description = "`payment_required`: the balance does not cover it. \
            `WWW-Authenticate: Payment` says what is to be paid, and where.", body = PaymentProblem,
            content_type = "application/problem+json"),
        (status = 404, description = "`invalid_token`: the token is unknown, dead, or none that the \
            resource server may see; its caller is to be answered with 401.", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "`conflict`: `operation_id` was used for another charge.",
            body = Problem, content_type = "application/problem+json"),
        ProblemReads,
    ))]
async fn charge(mut call: Call) -> Answer {
    let bytes = call.bytes_before_credits().await?;
    let charged = as_server(&call, ServerLimit::Charge, move |engine, server, _| {
        let order = charge_in(&bytes)?.check().map_err(Refusal::of)?;
        engine.charge_credits(&server, &order).map_err(refused)
    });
    let charged = charged.await.map_err(|mut refusal| {
        // The OAuth surface has a name of its own for this.
        if refusal.code == codes::INVALID_CLIENT {
            refusal.code = codes::UNAUTHORIZED;
        }
        refusal
    })?;
    Ok(HttpResponse::Ok().json(ChargedBody::from(charged)))
}

fn charge_in(bytes: &[u8]) -> Result<ChargeInput, Refusal> {
    let mut body = JsonBody::parse(bytes, &["token", "cost", "operation_id"])?;
    Ok(ChargeInput {
        token: body.secret("token"),
        cost: body.integer("cost"),
        operation_id: body.string("operation_id"),
    })
}

fn refused(error: ChargeError) -> Refusal {
    let payment = match &error {
        ChargeError::Payment(payment) => Some(payment.clone()),
        _ => None,
    };
    let mut refusal = Refusal::of(error);
    refusal.payment = payment;
    refusal
}

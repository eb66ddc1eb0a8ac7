use actix_web::HttpResponse;
use portcullis_credits::{Entry, Ledger, Note, OperationId, Reason};
use serde::Serialize;
use utoipa::ToSchema;

use crate::kit::{Answer, Call, Problem, Refusal, Routes, epoch_millis};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_balance, balance);
}

/// A balance and how it came about.
#[derive(Serialize, ToSchema)]
struct BalanceBody {
    /// In credits.
    #[schema(example = 95)]
    balance: i64,
    /// The newest entries, newest first; at most 10.
    ledger: Vec<EntryBody>,
}

/// A change of the balance.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EntryBody {
    /// By how much, in credits; below zero for a charge.
    #[schema(example = -5)]
    delta: i64,
    reason: ReasonBody,
    /// What the resource server or the payment system called it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "req-4711")]
    operation_id: Option<String>,
    /// What was said about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// When, in milliseconds since 1970.
    #[schema(example = 1_773_568_800_000_i64)]
    created_at: i64,
}

/// Why it changed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ReasonBody {
    /// An operator gave it.
    Grant,
    /// It was paid for.
    Topup,
    /// A resource server charged for a call.
    Charge,
    /// A charge was given back.
    Refund,
}

impl From<Reason> for ReasonBody {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Grant => Self::Grant,
            Reason::Topup => Self::Topup,
            Reason::Charge => Self::Charge,
            Reason::Refund => Self::Refund,
        }
    }
}

impl From<Entry> for EntryBody {
    fn from(Entry { posting, .. }: Entry) -> Self {
        Self {
            delta: posting.delta,
            reason: posting.reason.into(),
            operation_id: posting.operation.as_ref().map(OperationId::as_str).map(str::to_owned),
            note: posting.note.as_ref().map(Note::as_str).map(str::to_owned),
            created_at: epoch_millis(posting.at),
        }
    }
}

impl From<Ledger> for BalanceBody {
    fn from(ledger: Ledger) -> Self {
        let entries = ledger.entries.into_iter().map(EntryBody::from).collect();
        Self { balance: ledger.balance, ledger: entries }
    }
}

/// Tells the caller's balance and newest entries: those of the user for the user's agents, an agent's own
/// for one that belongs to nobody.
#[utoipa::path(get, path = "/v1/balance", tag = "credits",
    security(("access_token" = []), ("agent_token" = []), ("bearer_key" = [])),
    responses(
        (status = 200, description = "The balance.", body = BalanceBody),
        (status = 401, description = "`unauthorized`", body = Problem,
            content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: the API key is not for this network.",
            body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate_limited`", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "`service_unavailable`", body = Problem,
            content_type = "application/problem+json"),
    ))]
async fn balance(call: Call) -> Answer {
    let told =
        call.as_holder(|engine, holder, _| engine.ledger(holder.account()).map_err(Refusal::of));
    Ok(HttpResponse::Ok().json(BalanceBody::from(told.await?)))
}

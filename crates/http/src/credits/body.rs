//! What the routes of this surface answer alike.

use actix_web::{HttpResponse, http::header::CACHE_CONTROL};
use serde::Serialize;
use utoipa::ToSchema;

/// An error of this surface (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(super) struct CreditsProblem {
    #[schema(example = "about:blank")]
    r#type: String,
    #[schema(example = "Bad Request")]
    title: String,
    #[schema(example = 400)]
    status: u16,
    /// For people.
    #[schema(example = "cost must be 1 to 1000000.")]
    detail: String,
    /// Stable.
    #[schema(example = "invalid_request")]
    code: String,
    /// The same as `code`.
    #[schema(example = "invalid_request")]
    error: String,
}

/// A charge that the balance does not cover.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)] // the description of what the envelope renders
pub(super) struct PaymentProblem {
    #[schema(example = "https://paymentauth.org/problems/payment-required")]
    r#type: String,
    #[schema(example = "Payment Required")]
    title: String,
    #[schema(example = 402)]
    status: u16,
    /// For people.
    #[schema(example = "This call costs 5 credits, and the balance is 3.")]
    detail: String,
    /// What it costs, in credits.
    #[schema(example = 5)]
    required: i64,
    /// What there is, in credits.
    #[schema(example = 3)]
    balance: i64,
    /// Where credits are got; absent when the operator named no place.
    #[schema(example = "https://pay.example.com/credits")]
    topup_url: Option<String>,
    #[schema(example = "payment_required")]
    code: String,
    /// The same as `code`.
    #[schema(example = "payment_required")]
    error: String,
}

/// An answer that no cache keeps: a balance is old at once.
pub(super) fn fresh(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(body)
}

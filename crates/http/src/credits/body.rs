//! What the routes of this surface answer alike.

use serde::Serialize;
use utoipa::ToSchema;

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

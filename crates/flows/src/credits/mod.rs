//! Credits: balances, charges by resource servers, and what operators and payment systems give.

mod account;
mod admit;
mod charge;
mod give;
mod top_up;

pub use account::{CreditAccount, FindAccountError};
pub use admit::Holder;
pub use charge::{ChargeError, ChargeInput, ChargeOrder, Charged, PaymentRequired};
pub use give::{GiveError, Given, GrantInput, NewGrant};
pub use top_up::{NewTopUp, PresentedDelivery, TopUpError, TopUpInput, WebhookError};

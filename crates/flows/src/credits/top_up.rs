use std::net::IpAddr;

use portcullis_audit::{Action, Actor};
use portcullis_credits::{AccountId, Amount, Delivery, Note, OperationId, Posting, verify};
use portcullis_kernel::{CreditEntryId, Field, Origin, codes};
use portcullis_limits::{BucketKey, Standing};

use super::give::{GiveError, Given};
use crate::{
    Engine, Fault, LimitClass, LimitError,
    agents::{InvalidInput, Judge},
};

/// The only kind of event that is heard.
const TOP_UP: &str = "credits.topup";
/// Whom deliveries count towards: there is one sender.
const SENDER: &str = "credits.topups";

/// The headers of a signed delivery, as far as they were sent.
#[derive(Clone, Debug, Default)]
pub struct PresentedDelivery {
    /// `webhook-id`
    pub id: String,
    /// `webhook-timestamp`
    pub timestamp: String,
    /// `webhook-signature`
    pub signature: String,
}

/// Why a delivery was not let through.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// It is not signed by the sender, or too long ago; the standing is that of the client address.
    #[error("webhook-signature is not one of this endpoint's secret for this body, id and time.")]
    Refused(Option<Standing>),
    /// Over a limit, or it could not be told.
    #[error(transparent)]
    Limit(#[from] LimitError),
}

/// A top-up as it came in.
#[derive(Clone, Debug, Default)]
pub struct TopUpInput {
    /// The kind of event.
    pub kind: Field<String>,
    /// The id of a user or agent.
    pub account: Field<String>,
    /// How many credits.
    pub amount: Field<i64>,
    /// What for.
    pub note: Field<String>,
}

/// A top-up that keeps every rule.
#[derive(Clone, Debug)]
pub struct NewTopUp {
    event: OperationId,
    account: AccountId,
    amount: Amount,
    note: Option<Note>,
}

/// Why nothing was topped up.
pub type TopUpError = GiveError;

impl PresentedDelivery {
    /// Judges what the delivery says. To be asked after its signature was.
    ///
    /// # Errors
    /// [`InvalidInput`] names every broken field.
    pub fn check(&self, input: TopUpInput) -> Result<NewTopUp, InvalidInput> {
        let mut judge = Judge::default();
        let code = codes::VALIDATION_ERROR;
        let id = Field::Given(self.id.clone());
        let event = judge.required("webhook-id", code, id, |raw| OperationId::parse(&raw));
        judge.required("type", code, input.kind, |kind| {
            if kind == TOP_UP { Ok(()) } else { Err("must be credits.topup") }
        });
        let account = judge.required("data.account", code, input.account, |raw| {
            raw.parse().map_err(|_| "must be the id of a user or agent")
        });
        let amount = judge.required("data.amount", code, input.amount, Amount::new);
        let note = judge.optional("data.note", code, input.note, |raw| Note::parse(&raw));
        let read = event.zip(account).zip(amount);
        judge.finish(read.map(|((event, account), amount)| NewTopUp {
            event,
            account,
            amount,
            note,
        }))
    }
}

impl Engine {
    /// Whether top-ups are heard at all: only with a secret.
    pub fn hears_top_ups(&self) -> bool {
        !self.options.credits.webhook_secrets.is_empty()
    }

    /// Accepts a delivery that the sender signed, over its exact bytes, and counts it: an accepted one
    /// towards the sender, any other towards the client address, which is looked at first.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub fn admit_top_up(
        &self,
        delivery: &PresentedDelivery,
        body: &[u8],
        client: IpAddr,
        origin: &Origin,
    ) -> Result<Option<Standing>, WebhookError> {
        self.refuse_exhausted_address(LimitClass::Credits, client)?;
        let PresentedDelivery { id, timestamp, signature } = delivery;
        let shown = Delivery { id, timestamp, signature };
        if verify(&self.options.credits.webhook_secrets, &shown, body, self.now()).is_ok() {
            let policy = self.options.limits.credits.top_up;
            return Ok(self.count(BucketKey::principal(&policy, SENDER), policy, origin)?);
        }
        Err(WebhookError::Refused(self.admit_address(LimitClass::Credits, client, origin)?))
    }

    /// Records credits that were paid for elsewhere, once for each event: the same one again is answered as
    /// before.
    ///
    /// # Errors
    /// [`TopUpError`]; the event is then not remembered.
    pub fn top_up(&self, new: &NewTopUp, origin: &Origin) -> Result<Given, TopUpError> {
        let now = self.now();
        let id = CreditEntryId::generate(self.entropy.as_ref()).map_err(Fault::from)?;
        let posting = Posting::top_up(id, new.account, new.amount, new.event.clone(), now);
        let posting = Posting { note: new.note.clone(), ..posting };
        self.give(&posting, Action::CreditsToppedUp, Actor::System, origin)
    }
}

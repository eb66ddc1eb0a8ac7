use minijinja::context;
use portcullis_email::RequestKind;
use portcullis_flows::mail::AddressInput;

use crate::kit::{Answer, Filled, FormBody, PageCall, Refusal};

/// The pages of a mail that can be asked for by an address.
pub(super) struct Asking {
    pub(super) kind: RequestKind,
    /// The form.
    pub(super) form: &'static str,
    /// What is said afterwards, whether a mail goes out or not.
    pub(super) asked: &'static str,
}

impl Asking {
    /// The form; `dead` when a link brought the person here that no longer works.
    pub(super) fn show(&self, page: &PageCall) -> Answer {
        page.show(self.form, context! { form => Filled::default(), dead => false })
    }

    /// The form, instead of what a link was for.
    pub(super) fn dead(&self, page: &PageCall, refusal: Refusal) -> Answer {
        page.refuse(self.form, refusal, context! { form => Filled::default(), dead => true })
    }

    /// Asks for the mail.
    pub(super) async fn ask(&self, page: &PageCall, form: FormBody) -> Answer {
        let filled = Filled::default().with("email", form.text("email"));
        let input = AddressInput { email: form.filled("email") };
        let ask = match page.engine().check_ask_for_mail(self.kind, input) {
            Ok(ask) => ask,
            Err(invalid) => {
                let refusal = Refusal::of(invalid);
                return page.again(self.form, filled, refusal, context! { dead => false });
            }
        };
        let asked = page.call.hop(move |engine, origin| engine.ask_for_mail(&ask, origin)).await?;
        asked.map_err(Refusal::of)?;
        page.show(self.asked, context! {})
    }
}

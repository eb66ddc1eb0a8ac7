use portcullis_flows::registration::ClaimView;
use portcullis_kernel::Scopes;
use serde::Serialize;

use crate::kit::Moment;

/// A claim as the person behind its link is shown it. Addresses are masked: others may have the link, too.
#[derive(Serialize)]
pub(super) struct ShownClaim {
    agent: String,
    asked: Moment,
    asked_from: Option<String>,
    until: Moment,
    /// What it may do now; nothing while it has no key.
    may: Vec<String>,
    will: Vec<String>,
    only_for: Option<String>,
    mailed: Option<Mailed>,
}

/// A code that may be on its way.
#[derive(Serialize)]
struct Mailed {
    to: String,
    until: Moment,
}

impl From<&ClaimView> for ShownClaim {
    fn from(view: &ClaimView) -> Self {
        let registration = &view.registration;
        Self {
            agent: registration.agent.to_string(),
            asked: registration.created_at.into(),
            asked_from: registration.asked_from.clone(),
            until: registration.expires_at.into(),
            may: view.scopes.as_ref().map(names).unwrap_or_default(),
            will: names(&view.post_claim_scopes),
            only_for: registration.kind.address().map(masked),
            mailed: view
                .attempt
                .as_ref()
                .map(|(to, until)| Mailed { to: masked(to), until: Moment::from(*until) }),
        }
    }
}

fn names(scopes: &Scopes) -> Vec<String> {
    scopes.iter().map(str::to_owned).collect()
}

/// An address by which its owner knows it, and nobody else learns it: `j…@example.com`.
fn masked(address: &str) -> String {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let first: String = local.chars().take(1).collect();
    format!("{first}…@{domain}")
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn of_an_address_the_first_letter_and_the_domain_are_told() {
        for (address, told) in [
            ("jane@example.com", "j…@example.com"),
            ("j@example.com", "j…@example.com"),
            ("\u{e9}va@example.com", "\u{e9}…@example.com"),
            ("", "…@"),
        ] {
            assert_eq!(masked(address), told);
        }
    }
}

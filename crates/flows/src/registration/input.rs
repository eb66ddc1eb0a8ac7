use portcullis_credentials::PlainCode;
use portcullis_identity::EmailAddress;
use portcullis_kernel::{ExposeSecret, Field, SecretString, codes};
use portcullis_registration::{PlainClaimToken, PlainUnclaimToken, PlainViewToken};

use crate::{
    Engine,
    agents::{InvalidInput, Judge},
};

/// A registration of an agent by itself, as it came in.
#[derive(Clone, Debug, Default)]
pub struct SignUpInput {
    /// `anonymous` or `identity_assertion`.
    pub kind: Field<String>,
    /// Of an assertion: `verified_email`.
    pub assertion_type: Field<String>,
    /// Of an assertion: the address.
    pub assertion: Field<String>,
    /// `api_key`, which is the default.
    pub credential_type: Field<String>,
}

/// A registration that keeps every rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignUp {
    /// The agent names nobody.
    Anonymous,
    /// The agent names the address of its person.
    Email(EmailAddress),
}

/// A wish to have a code mailed, as it came in.
#[derive(Clone, Debug, Default)]
pub struct ClaimInput {
    /// The claim token, or the view token.
    pub token: Field<SecretString>,
    /// The address of the person.
    pub email: Field<String>,
}

/// The code that a person read to the agent, as it came in.
#[derive(Clone, Debug, Default)]
pub struct CompleteInput {
    /// The claim token.
    pub token: Field<SecretString>,
    /// Six digits.
    pub code: Field<SecretString>,
}

/// A token that shows a registration to a person, or undoes a claim, as it came in.
#[derive(Clone, Debug, Default)]
pub struct ViewInput {
    /// The token.
    pub token: Field<SecretString>,
}

/// A claim token that somebody presented; it holds none when the text cannot be one.
#[derive(Clone, Debug)]
pub struct PresentedClaim(pub(super) Option<PlainClaimToken>);

/// A view token that somebody presented; it holds none when the text cannot be one.
#[derive(Clone, Debug)]
pub struct PresentedView(pub(super) Option<PlainViewToken>);

/// A token that undoes a claim, as somebody presented it; it holds none when the text cannot be one.
#[derive(Clone, Debug)]
pub struct PresentedUndo(pub(super) Option<PlainUnclaimToken>);

/// A wish to have a code mailed that keeps every rule.
#[derive(Clone, Debug)]
pub struct StartClaim<T> {
    pub(super) token: T,
    pub(super) email: EmailAddress,
}

/// A code with the claim token; it holds no code when the text cannot be one.
#[derive(Debug)]
pub struct CompleteClaim {
    pub(super) token: PresentedClaim,
    pub(super) code: Option<PlainCode>,
}

impl SignUpInput {
    fn judge(self, judge: &mut Judge, address: impl FnOnce(String) -> Address) -> Option<SignUp> {
        let kind = judge.required("type", codes::UNSUPPORTED_TYPE, self.kind, |raw| {
            one_of(raw, &["anonymous", "identity_assertion"])
        });
        let code = codes::UNSUPPORTED_CREDENTIAL_TYPE;
        judge.optional("requested_credential_type", code, self.credential_type, |raw| {
            one_of(raw, &["api_key"])
        });
        if kind? == "anonymous" {
            return Some(SignUp::Anonymous);
        }
        let code = codes::UNSUPPORTED_ASSERTION_TYPE;
        judge.required("assertion_type", code, self.assertion_type, |raw| {
            one_of(raw, &["verified_email"])
        })?;
        judge
            .required("assertion", codes::INVALID_EMAIL, self.assertion, address)
            .map(SignUp::Email)
    }
}

type Address = Result<EmailAddress, portcullis_identity::InvalidEmail>;

impl Engine {
    /// Judges a registration. Asks nothing outside memory.
    ///
    /// # Errors
    /// [`InvalidInput`] names every broken field.
    pub fn check_sign_up(&self, input: SignUpInput) -> Result<SignUp, InvalidInput> {
        let mut judge = Judge::default();
        let rules = self.options.email;
        let sign_up = input.judge(&mut judge, |raw| EmailAddress::parse(&raw, rules));
        judge.finish(sign_up)
    }

    /// Judges a wish of an agent to have a code mailed. Asks nothing outside memory.
    ///
    /// # Errors
    /// [`InvalidInput`] names every broken field.
    pub fn check_start_claim(
        &self,
        input: ClaimInput,
    ) -> Result<StartClaim<PresentedClaim>, InvalidInput> {
        self.judge_start("claim_token", input, claim_token)
    }

    /// The same for a person who was shown the registration.
    ///
    /// # Errors
    /// [`InvalidInput`] names every broken field.
    pub fn check_start_claim_by_view(
        &self,
        input: ClaimInput,
    ) -> Result<StartClaim<PresentedView>, InvalidInput> {
        self.judge_start("token", input, view_token)
    }

    fn judge_start<T>(
        &self,
        name: &str,
        input: ClaimInput,
        parse: impl FnOnce(SecretString) -> Result<T, &'static str>,
    ) -> Result<StartClaim<T>, InvalidInput> {
        let mut judge = Judge::default();
        let rules = self.options.email;
        let token = judge.required(name, codes::VALIDATION_ERROR, input.token, parse);
        let email = judge.required("email", codes::INVALID_EMAIL, input.email, |raw| {
            EmailAddress::parse(&raw, rules)
        });
        judge.finish(token.zip(email).map(|(token, email)| StartClaim { token, email }))
    }
}

impl CompleteInput {
    /// Judges a code. Asks nothing outside memory.
    ///
    /// # Errors
    /// [`InvalidInput`] names every field that is missing, empty or not a string.
    pub fn check(self) -> Result<CompleteClaim, InvalidInput> {
        let mut judge = Judge::default();
        let invalid = codes::VALIDATION_ERROR;
        let token = judge.required("claim_token", invalid, self.token, claim_token);
        let code = judge.required("code", invalid, self.code, |raw| {
            not_empty(&raw)?;
            Ok::<_, &str>(PlainCode::parse(raw))
        });
        judge.finish(token.zip(code).map(|(token, code)| CompleteClaim { token, code }))
    }
}

impl ViewInput {
    /// The view token, which may be a text that was never issued as one.
    ///
    /// # Errors
    /// [`InvalidInput`] when the field is missing, empty or not a string.
    pub fn check(self) -> Result<PresentedView, InvalidInput> {
        let mut judge = Judge::default();
        let token = judge.required("token", codes::VALIDATION_ERROR, self.token, view_token);
        judge.finish(token)
    }

    /// The token that undoes a claim, which may be a text that was never issued as one.
    ///
    /// # Errors
    /// [`InvalidInput`] when the field is missing, empty or not a string.
    pub fn check_undo(self) -> Result<PresentedUndo, InvalidInput> {
        let mut judge = Judge::default();
        let token = judge.required("token", codes::VALIDATION_ERROR, self.token, |raw| {
            not_empty(&raw)?;
            Ok::<_, &str>(PresentedUndo(PlainUnclaimToken::parse(raw)))
        });
        judge.finish(token)
    }
}

/// A token is opaque: missing, empty or not a string is broken input, any other shape is unknown.
fn claim_token(raw: SecretString) -> Result<PresentedClaim, &'static str> {
    not_empty(&raw)?;
    Ok(PresentedClaim(PlainClaimToken::parse(raw)))
}

fn view_token(raw: SecretString) -> Result<PresentedView, &'static str> {
    not_empty(&raw)?;
    Ok(PresentedView(PlainViewToken::parse(raw)))
}

fn not_empty(raw: &SecretString) -> Result<(), &'static str> {
    if raw.expose_secret().is_empty() { Err("must not be empty") } else { Ok(()) }
}

fn one_of(raw: String, known: &[&str]) -> Result<String, String> {
    if known.contains(&raw.as_str()) {
        return Ok(raw);
    }
    let known: Vec<_> = known.iter().map(|name| format!("\"{name}\"")).collect();
    Err(format!("must be {}", known.join(" or ")))
}

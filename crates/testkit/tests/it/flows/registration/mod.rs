//! Every rule of agents that sign themselves up, and of people who claim them.

mod alarms;
mod alike;
mod claims;
mod codes;
mod completion;
mod endings;
mod events;
mod expiry;
mod faults;
mod guesses;
mod input;
mod owners;
mod races;
mod sign_up;
mod undo;

use portcullis_email::Letter;
use portcullis_flows::{
    Engine,
    agents::WantedToken,
    registration::{
        ClaimError, ClaimInput, CompleteInput, CompletedClaim, PresentedUndo, PresentedView,
        Report, SignUp, SignUpError, SignUpInput, SignedUp, StartedClaim, UndoError, ViewInput,
    },
};
use portcullis_identity::Agent;
use portcullis_kernel::{AgentId, ExposeSecret as _, Field, Origin};
use portcullis_registration::{ClaimAttempt, Registration};
use portcullis_testkit::engine::TestEngine;

use super::{
    Stored as _,
    agents::{Agents as _, Key},
    home,
    mailbox::{Mail as _, carried},
};

/// An agent that signed itself up, as it knows itself.
#[derive(Clone, Debug)]
pub(super) struct Newcomer {
    pub(super) agent: AgentId,
    /// Its claim token.
    pub(super) claim: String,
    /// The view token for its person.
    pub(super) view: String,
    /// Its first key.
    pub(super) key: Option<Key>,
}

impl From<SignedUp> for Newcomer {
    fn from(made: SignedUp) -> Self {
        Self {
            agent: made.registration.agent,
            claim: made.claim.into_secret().expose_secret().to_owned(),
            view: made.view.into_secret().expose_secret().to_owned(),
            key: made.key.map(Key::from),
        }
    }
}

/// A view token as a browser presents it.
pub(super) fn viewed(token: &str) -> PresentedView {
    ViewInput { token: Field::Given(token.into()) }.check().unwrap()
}

/// What undoes a claim, as a browser presents it.
pub(super) fn undoing(token: &str) -> PresentedUndo {
    ViewInput { token: Field::Given(token.into()) }.check_undo().unwrap()
}

/// A code that is not this one, and each `n` another.
pub(super) fn wrong(code: &str, n: u32) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1 + n) % 1_000_000)
}

/// The codes to claim by in these letters, and to whom they went.
pub(super) fn codes_in(letters: &[Letter]) -> Vec<(&str, String)> {
    let claims = letters.iter().filter(|letter| letter.content.kind() == "claim_code");
    claims.map(|letter| (letter.to.as_str(), carried(letter))).collect()
}

/// A server without rate limits.
pub(super) fn unlimited() -> TestEngine {
    TestEngine::builder().options(|options| options.limits.enabled = false).build()
}

/// What agents that sign themselves up do, and their people, in one call each.
pub(super) trait Claims {
    fn try_sign_up(&self, email: Option<&str>, origin: &Origin) -> Result<Newcomer, SignUpError>;
    fn try_start(
        &self,
        newcomer: &Newcomer,
        email: &str,
        origin: &Origin,
    ) -> Result<StartedClaim, ClaimError>;
    fn try_complete(
        &self,
        newcomer: &Newcomer,
        code: &str,
        origin: &Origin,
    ) -> Result<CompletedClaim, ClaimError>;
    fn try_deny(&self, newcomer: &Newcomer, report: Report) -> Result<(), ClaimError>;
    fn try_undo(&self, token: &str) -> Result<(), UndoError>;
    fn lives(&self, key: &Key) -> bool;

    /// Names nobody, from [`home`].
    fn anonymous(&self) -> Newcomer {
        self.try_sign_up(None, &home()).unwrap()
    }

    /// Names an address, from [`home`].
    fn signed_up_for(&self, email: &str) -> Newcomer {
        self.try_sign_up(Some(email), &home()).unwrap()
    }

    fn start(&self, newcomer: &Newcomer, email: &str) -> StartedClaim {
        self.try_start(newcomer, email, &home()).unwrap()
    }

    /// Has a code mailed, and reads it.
    fn code(&self, newcomer: &Newcomer, email: &str) -> String;

    fn complete(&self, newcomer: &Newcomer, code: &str) -> Result<CompletedClaim, ClaimError> {
        self.try_complete(newcomer, code, &home())
    }

    /// The whole ceremony; the letter that tells of it waits.
    fn claim(&self, newcomer: &Newcomer, email: &str) -> Key {
        let code = self.code(newcomer, email);
        self.complete(newcomer, &code).unwrap().key.into()
    }
}

impl Claims for Engine {
    fn try_sign_up(&self, email: Option<&str>, origin: &Origin) -> Result<Newcomer, SignUpError> {
        self.sign_up(&asked(self, email), origin).map(Newcomer::from)
    }

    fn try_start(
        &self,
        newcomer: &Newcomer,
        email: &str,
        origin: &Origin,
    ) -> Result<StartedClaim, ClaimError> {
        let token = Field::Given(newcomer.claim.as_str().into());
        let start = self.check_start_claim(ClaimInput { token, email: email.into() }).unwrap();
        self.start_claim(&start, origin)
    }

    fn try_complete(
        &self,
        newcomer: &Newcomer,
        code: &str,
        origin: &Origin,
    ) -> Result<CompletedClaim, ClaimError> {
        let token = Field::Given(newcomer.claim.as_str().into());
        let input = CompleteInput { token, code: Field::Given(code.into()) };
        self.complete_claim(&input.check().unwrap(), origin)
    }

    fn try_deny(&self, newcomer: &Newcomer, report: Report) -> Result<(), ClaimError> {
        self.deny_claim(&viewed(&newcomer.view), report, &home())
    }

    fn try_undo(&self, token: &str) -> Result<(), UndoError> {
        self.undo_claim(&undoing(token), &home())
    }

    fn lives(&self, key: &Key) -> bool {
        let (id, all) = (key.agent.to_string(), WantedToken::default());
        self.try_exchange(&id, &key.secret, &all, &home()).is_ok()
    }

    fn code(&self, newcomer: &Newcomer, email: &str) -> String {
        self.start(newcomer, email);
        self.receive("claim_code")
    }
}

/// A registration that names nobody, or an address.
pub(super) fn asked(engine: &Engine, email: Option<&str>) -> SignUp {
    let input = match email {
        None => SignUpInput { kind: "anonymous".into(), ..SignUpInput::default() },
        Some(email) => SignUpInput {
            kind: "identity_assertion".into(),
            assertion_type: "verified_email".into(),
            assertion: email.into(),
            ..SignUpInput::default()
        },
    };
    engine.check_sign_up(input).unwrap()
}

/// What lies in the storage of a registration.
pub(super) trait StoredClaims {
    fn registration(&self, newcomer: &Newcomer) -> Option<Registration>;
    fn attempt(&self, newcomer: &Newcomer) -> Option<ClaimAttempt>;
    fn find_bot(&self, newcomer: &Newcomer) -> Option<Agent>;

    /// Whether the agent belongs to nobody, and its first key alone works.
    fn is_unclaimed(&self, newcomer: &Newcomer) -> bool;
}

impl StoredClaims for TestEngine {
    fn registration(&self, newcomer: &Newcomer) -> Option<Registration> {
        self.look(|uow| uow.registrations().find_by_agent(newcomer.agent))
    }

    fn attempt(&self, newcomer: &Newcomer) -> Option<ClaimAttempt> {
        let id = self.registration(newcomer)?.id;
        self.look(|uow| uow.registrations().attempt(id))
    }

    fn find_bot(&self, newcomer: &Newcomer) -> Option<Agent> {
        self.look(|uow| uow.agents().find(newcomer.agent))
    }

    fn is_unclaimed(&self, newcomer: &Newcomer) -> bool {
        let agent = self.find_bot(newcomer).unwrap();
        let slice = portcullis_kernel::Slice::first(9);
        let keys = self.list_api_keys(newcomer.agent, &slice).unwrap().items;
        let live = newcomer.key.as_ref().is_none_or(|key| self.lives(key));
        agent.owner.is_none() && live && keys.len() == newcomer.key.iter().count()
    }
}

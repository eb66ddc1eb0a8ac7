//! What the tests are made of.

mod clock;
mod fake;
mod issuer;
mod log;

use std::sync::Arc;

use portcullis_guard::{
    Credentials, Guard, GuardOptions, Presented, Principal, Reason, Refusal, Transport,
};

use portcullis_kernel::{Entropy, EntropyError, ExposeSecret as _, opaque};

pub(crate) use clock::TestClock;
pub(crate) use fake::Fake;
pub(crate) use issuer::{AGENT, Issuer, KEY_ID, START, at};
pub(crate) use log::Log;

pub(crate) const ISSUER: &str = "https://auth.example";
pub(crate) const RESOURCE: &str = "https://api.example";
/// `sk_`, 43 times `1`, and the checksum over both; and others of the kind.
pub(crate) const API_KEY: &str = "sk_111111111111111111111111111111111111111111116ZJwq";

/// A guard, its clock and its auth server.
pub(crate) struct Api {
    pub(crate) guard: Guard,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) server: Arc<Fake>,
    pub(crate) issuer: Issuer,
}

pub(crate) fn options() -> GuardOptions {
    let credentials = Credentials { id: "rs_1".into(), secret: "rss_2".into() };
    GuardOptions { credentials: Some(credentials), ..GuardOptions::new(ISSUER, RESOURCE) }
}

impl Api {
    /// An API whose auth server has one key.
    pub(crate) fn new() -> Self {
        Self::with(options())
    }

    pub(crate) fn with(options: GuardOptions) -> Self {
        let issuer = Issuer::es256();
        let (clock, server) = (Arc::new(TestClock::at(at(0))), Arc::new(Fake::default()));
        server.publish(&[&issuer]);
        let transport = Arc::clone(&server) as Arc<dyn Transport>;
        let guard = Guard::new(options, clock.clone(), transport).unwrap();
        Self { guard, clock, server, issuer }
    }

    pub(crate) async fn show(&self, token: &str) -> Result<Principal, Refusal> {
        self.guard.authenticate(Presented::Token(token)).await
    }

    /// Why a token is not accepted; panics when it is.
    pub(crate) async fn refuses(&self, token: &str) -> Reason {
        self.show(token).await.expect_err("it is accepted").reason()
    }

    /// The first token of the auth server's key.
    pub(crate) fn token(&self) -> String {
        self.issuer.token()
    }
}

/// A key of this number, as well-formed as any other.
pub(crate) fn api_key(number: u64) -> String {
    struct Number(u64);
    impl Entropy for Number {
        fn fill(&self, dest: &mut [u8]) -> Result<(), EntropyError> {
            // Each byte becomes one of 62 symbols.
            for (at, byte) in (0..8).cycle().zip(dest) {
                *byte = u8::try_from(self.0 / 62_u64.pow(at) % 62).unwrap();
            }
            Ok(())
        }
    }
    opaque::generate("sk_", &Number(number)).unwrap().expose_secret().to_owned()
}

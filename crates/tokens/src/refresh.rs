use portcullis_kernel::{
    Entropy, EntropyError, ExposeSecret, Instant, SecretString, SessionId, TokenDigest, crockford,
};
use time::Duration;

use crate::Session;

const PREFIX: &str = "rt_";
/// Characters after the prefix, five random bits each.
const BODY_CHARS: usize = 26;

/// A refresh token on its way out, or as a client presented it.
#[derive(Clone, Debug)]
pub struct RefreshToken(SecretString);

impl RefreshToken {
    /// A new token: `rt_` and 130 random bits in Crockford's base 32.
    ///
    /// # Errors
    /// When there is no entropy.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut random = [0; BODY_CHARS];
        entropy.fill(&mut random)?;
        Ok(Self(format!("{PREFIX}{}", crockford(&random)).into()))
    }

    /// Reads a presented token. `None` for any other shape: such a one was never issued.
    pub fn parse(presented: SecretString) -> Option<Self> {
        let body = presented.expose_secret().strip_prefix(PREFIX)?;
        let symbol = |b: u8| {
            matches!(b, b'0'..=b'9' | b'A'..=b'Z') && !matches!(b, b'I' | b'L' | b'O' | b'U')
        };
        (body.len() == BODY_CHARS && body.bytes().all(symbol)).then_some(Self(presented))
    }

    /// The form in which it is stored.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.0.expose_secret())
    }
}

impl ExposeSecret<str> for RefreshToken {
    fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A refresh token as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshRow {
    /// Its digest.
    pub digest: TokenDigest,
    /// The session it belongs to.
    pub session: SessionId,
    /// Which rotation of the session made it; 0 for the sign-in.
    pub generation: i32,
    /// When it was issued.
    pub issued_at: Instant,
    /// From when on it is dead.
    pub expires_at: Instant,
    /// When it was rotated.
    pub used_at: Option<Instant>,
    /// When it first came again in an honest race.
    pub raced_at: Option<Instant>,
}

/// A stored token and its session, read together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshState {
    /// The token.
    pub token: RefreshRow,
    /// Its session.
    pub session: Session,
}

/// What a replayed token ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnReplay {
    /// The session it belongs to.
    #[default]
    Session,
    /// Every session of the user.
    User,
}

/// The lives of sessions and refresh tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshPolicy {
    /// How long a token lives when it is not used.
    pub idle: Duration,
    /// How long a session can be rotated on.
    pub absolute: Duration,
    /// How long after its use a token that comes again may be an honest client racing itself.
    pub race_window: Duration,
    /// What a replay ends.
    pub on_replay: OnReplay,
    /// How many live sessions a user may have; the longest unused one ends for a new one.
    pub max_sessions: u32,
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        Self {
            idle: Duration::days(30),
            absolute: Duration::days(180),
            race_window: Duration::seconds(10),
            on_replay: OnReplay::Session,
            max_sessions: 100,
        }
    }
}

impl RefreshPolicy {
    /// How many raced tokens within [`RACE_PERIOD`](Self::RACE_PERIOD) make a replay.
    pub const RACES_TOO_MANY: u32 = 3;
    /// The period in which raced tokens of one session are counted.
    pub const RACE_PERIOD: Duration = Duration::HOUR;

    /// The token that begins the session, or follows at `generation`.
    pub fn row(
        &self,
        token: &RefreshToken,
        session: &Session,
        generation: i32,
        now: Instant,
    ) -> RefreshRow {
        RefreshRow {
            digest: token.digest(),
            session: session.id,
            generation,
            issued_at: now,
            expires_at: session.expires_at.min(now + self.idle),
            used_at: None,
            raced_at: None,
        }
    }
}

/// What is to be done with a presented token that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Rotate it.
    Rotate,
    /// Refuse it; there is nothing to do.
    Dead,
    /// Refuse it; an honest client may have raced itself, so the session lives.
    Raced,
    /// Refuse it and end the session: somebody else has, or had, the token.
    Replayed,
}

impl RefreshState {
    /// Judges a presented token (RFC 9700 §4.14.2, with a window for clients that race themselves).
    pub fn judge(&self, policy: &RefreshPolicy, now: Instant) -> Judgement {
        if !self.session.is_live(now) {
            return Judgement::Dead;
        }
        match self.token.used_at {
            None if self.token.expires_at <= now => Judgement::Dead,
            None => Judgement::Rotate,
            Some(used_at) => {
                // A clock may be behind that of the instance that rotated it.
                let age = (now - used_at).max(Duration::ZERO);
                let recent = age < policy.race_window;
                let successor_unused = self.session.generation == self.token.generation + 1;
                if recent && successor_unused { Judgement::Raced } else { Judgement::Replayed }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use portcullis_kernel::{Origin, UserId};

    use super::*;

    struct Steps;
    impl Entropy for Steps {
        fn fill(&self, dest: &mut [u8]) -> Result<(), EntropyError> {
            for (byte, value) in dest.iter_mut().zip(0..) {
                *byte = value;
            }
            Ok(())
        }
    }

    fn at(seconds: i64) -> Instant {
        Instant::from_unix_timestamp(1_700_000_000 + seconds).unwrap()
    }

    /// A token of generation 3, used at second 100 or not, in a session at `generation`.
    fn state(used: bool, generation: i32) -> RefreshState {
        let policy = RefreshPolicy::default();
        let owner = UserId::generate(at(0), &Steps).unwrap();
        let id = SessionId::generate(&Steps).unwrap();
        let mut session =
            Session::begin(id, owner, &Origin::local(), at(0) + policy.absolute, at(0));
        session.generation = generation;
        let mut token = policy.row(&RefreshToken::generate(&Steps).unwrap(), &session, 3, at(0));
        token.used_at = used.then(|| at(100));
        RefreshState { token, session }
    }

    #[test]
    fn a_token_has_the_shape_of_the_contract_and_nothing_else_is_one() {
        let token = RefreshToken::generate(&Steps).unwrap();
        assert_eq!(token.expose_secret(), "rt_0123456789ABCDEFGHJKMNPQRS");
        assert!(RefreshToken::parse("rt_01JN2X4K8M3F7QPZRVWT6YBHCE".into()).is_some());
        let others = [
            "",
            "rt_",
            "x",
            "rt_01JN2X4K8M3F7QPZRVWT6YBHC",
            "rt_01JN2X4K8M3F7QPZRVWT6YBHCEE",
            "rt_01jn2x4k8m3f7qpzrvwt6ybhce",
            "RT_01JN2X4K8M3F7QPZRVWT6YBHCE",
            "rt_01JN2X4K8M3F7QPZRVWT6YBHCI",
            "rt_01JN2X4K8M3F7QPZRVWT6YBH\u{212a}",
        ];
        for other in others {
            assert!(RefreshToken::parse(other.into()).is_none(), "{other}");
        }
        assert!(!format!("{token:?}").contains("0123"));
    }

    #[test]
    fn a_fresh_token_rotates_until_it_or_its_session_is_over() {
        let policy = RefreshPolicy::default();
        assert_eq!(state(false, 3).judge(&policy, at(200)), Judgement::Rotate);
        let almost = at(0) + policy.idle - Duration::SECOND;
        assert_eq!(state(false, 3).judge(&policy, almost), Judgement::Rotate);
        assert_eq!(state(false, 3).judge(&policy, at(0) + policy.idle), Judgement::Dead);
        let mut ended = state(false, 3);
        ended.session.ended_at = Some(at(150));
        assert_eq!(ended.judge(&policy, at(200)), Judgement::Dead);
    }

    #[test]
    fn a_spent_token_is_a_race_while_recent_with_an_unused_successor_and_else_a_replay() {
        let policy = RefreshPolicy::default();
        assert_eq!(state(true, 4).judge(&policy, at(109)), Judgement::Raced);
        assert_eq!(state(true, 4).judge(&policy, at(110)), Judgement::Replayed);
        assert_eq!(state(true, 5).judge(&policy, at(101)), Judgement::Replayed);
        let strict = RefreshPolicy { race_window: Duration::ZERO, ..policy };
        assert_eq!(state(true, 4).judge(&strict, at(100)), Judgement::Replayed);
        assert_eq!(state(true, 4).judge(&strict, at(99)), Judgement::Replayed, "a clock behind");
    }

    #[test]
    fn a_token_never_outlives_its_session() {
        let policy = RefreshPolicy::default();
        let session = state(false, 3).session;
        let late = session.expires_at - Duration::DAY;
        let row = policy.row(&RefreshToken::generate(&Steps).unwrap(), &session, 4, late);
        assert_eq!(row.expires_at, session.expires_at);
    }
}

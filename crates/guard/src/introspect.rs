//! What the auth server says of keys and tokens (RFC 7662), kept for as long as it may be.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use portcullis_kernel::{Clock, Instant, TokenDigest};
use time::Duration;

use crate::{
    IntrospectionPolicy,
    flight::Flight,
    gate::Gate,
    principal::Known,
    server::{AuthServer, Away},
    shelf::Shelf,
    told::{self, Told, Trouble},
};

const PATH: &str = "/oauth2/introspect";
const FORM: &str = "application/x-www-form-urlencoded";

/// How many questions wait for their answer at most, and how many may when one about an unknown key joins.
const MOST_ASKED: usize = 256;
const MOST_ASKED_OF_UNKNOWN: usize = 192;
/// When to come again where there is no place for a question, or it broke.
const SOON: Duration = Duration::SECOND;

pub(crate) struct Introspector {
    server: Arc<AuthServer>,
    clock: Arc<dyn Clock>,
    policy: IntrospectionPolicy,
    state: Mutex<State>,
    asked: Arc<AtomicUsize>,
}

/// What the auth server is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A key, which anybody may have made up.
    Key,
    /// A token whose signature was verified: the auth server made it.
    Token,
}

type Answer = Result<Told, Away>;

struct State {
    live: Shelf<Arc<Known>>,
    dead: Shelf<()>,
    /// Of whom no answer could be read, and until when none is asked for.
    unclear: Shelf<Instant>,
    flights: HashMap<TokenDigest, Flight<Answer>>,
    gate: Gate,
}

/// A question, without what it is about.
#[derive(Clone, Copy)]
struct Question {
    digest: TokenDigest,
    kind: Kind,
}

/// What is at hand without asking.
enum Found {
    Answer(Answer),
    Flight(Flight<Answer>, Asked),
}

#[derive(PartialEq, Eq)]
enum Asked {
    ByUs,
    ByOthers,
}

impl Introspector {
    pub(crate) fn new(
        server: Arc<AuthServer>,
        clock: Arc<dyn Clock>,
        policy: IntrospectionPolicy,
    ) -> Arc<Self> {
        let state = State {
            live: Shelf::new(policy.entries),
            dead: Shelf::new(policy.entries),
            unclear: Shelf::new(policy.entries),
            flights: HashMap::new(),
            gate: Gate::new(&policy),
        };
        let asked = Arc::default();
        Arc::new(Self { server, clock, policy, state: Mutex::new(state), asked })
    }

    /// What the auth server says of a key or token, or said a moment ago.
    pub(crate) async fn ask(self: &Arc<Self>, kind: Kind, token: &str, now: Instant) -> Answer {
        let question = Question { digest: TokenDigest::of(token), kind };
        let (flight, asked) = match self.find(question, token, now, true) {
            Found::Answer(answer) => return answer,
            Found::Flight(flight, asked) => (flight, asked),
        };
        let asked_at = flight.asked_at;
        let answer = land(flight).await;
        let now = self.clock.now();
        if asked == Asked::ByUs || self.is_young(&answer, asked_at, now) {
            return answer;
        }
        match self.find(question, token, now, false) {
            Found::Answer(answer) => answer,
            Found::Flight(flight, _) => land(flight).await,
        }
    }

    /// Whether what others were told is not too old for us.
    fn is_young(&self, answer: &Answer, asked_at: Instant, now: Instant) -> bool {
        let span = match answer {
            Ok(Some(_)) => self.policy.positive,
            Ok(None) => self.policy.negative,
            Err(_) => return true,
        };
        asked_at <= now && now - asked_at < span
    }

    fn find(
        self: &Arc<Self>,
        question: Question,
        token: &str,
        now: Instant,
        may_join: bool,
    ) -> Found {
        let digest = question.digest;
        let mut state = self.state();
        if let Some(answer) = state.at_hand(&digest, now) {
            return Found::Answer(answer);
        }
        let flight = state.flights.get(&digest).filter(|flight| may_join && !flight.is_over());
        let positive = self.policy.positive;
        let flight = flight.filter(|f| f.asked_at <= now && now - f.asked_at < positive);
        if let Some(flight) = flight {
            return Found::Flight(flight.join(), Asked::ByOthers);
        }
        let is_known = question.kind == Kind::Token || state.gate.knows(&digest, now);
        let most = if is_known { MOST_ASKED } else { MOST_ASKED_OF_UNKNOWN };
        let Some(seat) = Seat::take(&self.asked, most) else {
            return Found::Answer(Err(Away { retry_after: SOON }));
        };
        if let Err(away) = state.gate.pass(is_known, now) {
            return Found::Answer(Err(away));
        }
        let (introspector, token) = (Arc::clone(self), token.to_owned());
        let flight = Flight::start(now, async move {
            let told = introspector.told(&token).await;
            let answer = introspector.note(question, is_known, told, now);
            drop(seat);
            answer
        });
        let joined = flight.join();
        state.flights.insert(digest, flight);
        Found::Flight(joined, Asked::ByUs)
    }

    async fn told(&self, token: &str) -> Result<Told, Trouble> {
        let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
        let answer = self.server.post(PATH, FORM, format!("token={token}").into_bytes()).await;
        told::read(&self.server, PATH, &answer.map_err(Trouble::Server)?)
    }

    /// Keeps what was told, and says what it means for whoever asked.
    fn note(
        &self,
        question: Question,
        is_known: bool,
        told: Result<Told, Trouble>,
        asked_at: Instant,
    ) -> Answer {
        let Question { digest, kind } = question;
        let now = self.clock.now();
        let mut state = self.state();
        if state.flights.get(&digest).is_some_and(|flight| flight.asked_at == asked_at) {
            state.flights.remove(&digest);
        }
        match told {
            Ok(Some(known)) => {
                let until = asked_at + self.policy.positive;
                let until = known.expires_at.map_or(until, |end| end.min(until));
                state.live.put(digest, Arc::clone(&known), asked_at, until);
                if kind == Kind::Key {
                    state.gate.live(digest, asked_at);
                }
                Ok(Some(known))
            }
            Ok(None) => {
                state.dead.put(digest, (), asked_at, asked_at + self.policy.negative);
                state.gate.dead(&digest);
                Ok(None)
            }
            Err(Trouble::Unclear(away)) => {
                let until = now + away.retry_after;
                state.unclear.put(digest, until, asked_at, until);
                Err(away)
            }
            Err(Trouble::Server(away)) => {
                state.gate.close(away, now);
                Err(away)
            }
            Err(Trouble::TooMany(away)) => Err(state.gate.slow_down(away, is_known, now)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn at_hand(&self, digest: &TokenDigest, now: Instant) -> Option<Answer> {
        if let Some(known) = self.live.get(digest, now) {
            return Some(Ok(Some(Arc::clone(known))));
        }
        if self.dead.get(digest, now).is_some() {
            return Some(Ok(None));
        }
        let until = self.unclear.get(digest, now)?;
        Some(Err(Away { retry_after: *until - now }))
    }
}

/// The place of a question among those that wait; given back however it ends.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(asked: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let seat = Self(Arc::clone(asked));
        (asked.fetch_add(1, Ordering::Relaxed) < most).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn land(flight: Flight<Answer>) -> Answer {
    flight.land().await.unwrap_or(Err(Away { retry_after: SOON }))
}

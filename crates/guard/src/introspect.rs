//! What the auth server says of keys and tokens (RFC 7662), kept for as long as it may be.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{Response, StatusCode};
use portcullis_kernel::{Clock, Instant, Scopes, TokenDigest};
use serde::Deserialize;
use time::Duration;

use crate::{
    IntrospectionPolicy,
    flight::Flight,
    principal::{Known, Subject},
    server::{AuthServer, Away},
    shelf::Shelf,
};

const PATH: &str = "/oauth2/introspect";
const FORM: &str = "application/x-www-form-urlencoded";

/// How many questions wait for their answer at most.
const MOST_ASKED: usize = 256;
/// How long nothing is asked once the auth server did not answer.
const PAUSE: Duration = Duration::SECOND;

pub(crate) struct Introspector {
    server: Arc<AuthServer>,
    clock: Arc<dyn Clock>,
    policy: IntrospectionPolicy,
    state: Mutex<State>,
    asked: Arc<AtomicUsize>,
}

/// What a key or token is good for; `None` when for nothing.
type Told = Option<Arc<Known>>;
type Answer = Result<Told, Away>;

struct State {
    live: Shelf<Arc<Known>>,
    dead: Shelf<()>,
    flights: HashMap<TokenDigest, Flight<Answer>>,
    /// Until when nothing is asked.
    pause: Option<Instant>,
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
            flights: HashMap::new(),
            pause: None,
        };
        let asked = Arc::default();
        Arc::new(Self { server, clock, policy, state: Mutex::new(state), asked })
    }

    /// What the auth server says of a key or token, or said a moment ago.
    pub(crate) async fn ask(self: &Arc<Self>, token: &str, now: Instant) -> Answer {
        let digest = TokenDigest::of(token);
        let (flight, asked) = match self.find(digest, token, now, true) {
            Found::Answer(answer) => return answer,
            Found::Flight(flight, asked) => (flight, asked),
        };
        let asked_at = flight.asked_at;
        let answer = land(flight).await;
        let now = self.clock.now();
        if asked == Asked::ByUs || self.is_young(&answer, asked_at, now) {
            return answer;
        }
        match self.find(digest, token, now, false) {
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
        digest: TokenDigest,
        token: &str,
        now: Instant,
        may_join: bool,
    ) -> Found {
        let mut state = self.state();
        if let Some(known) = state.live.get(&digest, now) {
            return Found::Answer(Ok(Some(Arc::clone(known))));
        }
        if state.dead.get(&digest, now).is_some() {
            return Found::Answer(Ok(None));
        }
        let flight = state.flights.get(&digest).filter(|flight| may_join && !flight.is_over());
        let positive = self.policy.positive;
        let flight = flight.filter(|f| f.asked_at <= now && now - f.asked_at < positive);
        if let Some(flight) = flight {
            return Found::Flight(flight.join(), Asked::ByOthers);
        }
        // A clock that was set back makes no pause longer.
        let pause = state.pause.map(|pause| pause - now);
        let pause = pause.filter(|left| left.is_positive() && *left <= Duration::MINUTE);
        if let Some(retry_after) = pause {
            return Found::Answer(Err(Away { retry_after }));
        }
        let Some(seat) = Seat::take(&self.asked) else {
            return Found::Answer(Err(Away { retry_after: PAUSE }));
        };
        let (introspector, token) = (Arc::clone(self), token.to_owned());
        let flight = Flight::start(now, async move {
            let answer = introspector.question(&token).await;
            introspector.note(digest, &answer, now);
            drop(seat);
            answer
        });
        let joined = flight.join();
        state.flights.insert(digest, flight);
        Found::Flight(joined, Asked::ByUs)
    }

    async fn question(&self, token: &str) -> Answer {
        let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
        let answer = self.server.post(PATH, FORM, format!("token={token}").into_bytes()).await?;
        self.read(&answer)
    }

    fn read(&self, answer: &Response<Vec<u8>>) -> Answer {
        if answer.status() != StatusCode::OK {
            return Err(self.server.refused(PATH, answer));
        }
        let body: Body =
            serde_json::from_slice(answer.body()).map_err(|error| self.server.away(PATH, error))?;
        if !body.active {
            return Ok(None);
        }
        let known = body.read();
        known.map(|known| Some(Arc::new(known))).ok_or_else(|| {
            self.server.away(PATH, "it told of a principal in a form that is not known here")
        })
    }

    fn note(&self, digest: TokenDigest, answer: &Answer, asked_at: Instant) {
        let mut state = self.state();
        if state.flights.get(&digest).is_some_and(|flight| flight.asked_at == asked_at) {
            state.flights.remove(&digest);
        }
        match answer {
            Ok(Some(known)) => {
                let until = asked_at + self.policy.positive;
                let until = known.expires_at.map_or(until, |end| end.min(until));
                state.live.put(digest, Arc::clone(known), asked_at, until);
            }
            Ok(None) => state.dead.put(digest, (), asked_at, asked_at + self.policy.negative),
            Err(away) => state.pause = Some(self.clock.now() + away.retry_after),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a question among those that wait; given back however it ends.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(asked: &Arc<AtomicUsize>) -> Option<Self> {
        let seat = Self(Arc::clone(asked));
        (asked.fetch_add(1, Ordering::Relaxed) < MOST_ASKED).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn land(flight: Flight<Answer>) -> Answer {
    flight.land().await.unwrap_or(Err(Away { retry_after: PAUSE }))
}

/// An answer of RFC 7662 §2.2, as far as it is read.
#[derive(Deserialize)]
struct Body {
    active: bool,
    sub: Option<String>,
    principal_type: Option<String>,
    scope: Option<String>,
    exp: Option<i64>,
    jti: Option<String>,
    aud: Option<String>,
    owner: Option<String>,
    key_id: Option<String>,
    email_verified: Option<bool>,
}

impl Body {
    fn read(self) -> Option<Known> {
        let sub = self.sub?;
        let subject = match self.principal_type?.as_str() {
            "agent" => Subject::Agent(sub.parse().ok()?),
            "user" => Subject::User(sub.parse().ok()?),
            _ => return None,
        };
        let scopes = self.scope.map_or(Ok(Scopes::default()), |scope| scope.parse()).ok()?;
        let expires_at = self.exp.map(Instant::from_unix_timestamp).transpose().ok()?;
        Some(Known {
            subject,
            scopes,
            owner: self.owner.map(|owner| owner.parse()).transpose().ok()?,
            key_id: self.key_id.map(|key| key.parse()).transpose().ok()?,
            token_id: self.jti.map(|id| id.parse()).transpose().ok()?,
            audience: self.aud,
            expires_at,
            email_verified: self.email_verified,
        })
    }
}

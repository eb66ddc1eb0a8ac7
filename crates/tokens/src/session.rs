use portcullis_kernel::{Instant, Origin, SessionId, UserId};

/// A sign-in and everything rotated from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// The sign-in.
    pub created_at: Instant,
    /// The sign-in or the last rotation.
    pub last_used_at: Instant,
    /// The end it cannot be rotated past.
    pub expires_at: Instant,
    /// The client's address at sign-in.
    pub ip: Option<String>,
    /// The client's description of itself at sign-in.
    pub user_agent: Option<String>,
    /// How many rotations there were: the generation of the one token that is not spent.
    pub generation: i32,
    /// When it was ended, by whatever.
    pub ended_at: Option<Instant>,
}

impl Session {
    /// A session that begins now.
    pub fn begin(
        id: SessionId,
        user: UserId,
        origin: &Origin,
        expires_at: Instant,
        now: Instant,
    ) -> Self {
        Self {
            id,
            user,
            created_at: now,
            last_used_at: now,
            expires_at,
            ip: origin.client.map(|ip| ip.to_canonical().to_string()),
            user_agent: origin.user_agent().map(str::to_owned),
            generation: 0,
            ended_at: None,
        }
    }

    /// Whether it is neither ended nor past its end.
    pub fn is_live(&self, now: Instant) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }
}

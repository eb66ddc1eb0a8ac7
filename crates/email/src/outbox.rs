use portcullis_kernel::{
    AgentId, ClaimAttemptId, EmailChangeId, Instant, InvitationId, MailId, RecoveryId, TokenDigest,
    UserId,
};
use time::Duration;

/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::seconds(45);

/// A parcel that waits to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Its id, by which a receiver can tell a duplicate.
    pub id: MailId,
    /// The kind of what it holds.
    pub kind: String,
    /// It goes when this user goes.
    pub user: Option<UserId>,
    /// It goes when this mailed token goes.
    pub token: Option<TokenDigest>,
    /// It goes when this change of address goes.
    pub change: Option<EmailChangeId>,
    /// It goes when this invitation goes.
    pub invitation: Option<InvitationId>,
    /// It goes when this agent goes.
    pub agent: Option<AgentId>,
    /// It goes when this token of an agent goes, or is used.
    pub agent_token: Option<TokenDigest>,
    /// It goes when this request for recovery codes goes, or is closed.
    pub recovery: Option<RecoveryId>,
    /// It goes when this attempt to claim an agent goes.
    pub claim: Option<ClaimAttemptId>,
    /// The sealed [`Parcel`](crate::Parcel).
    pub sealed: Vec<u8>,
    /// The id of the master key that sealed it.
    pub sealed_by: String,
    /// When it was put here.
    pub created_at: Instant,
    /// From when on it is to be tried; moved on by whoever takes it.
    pub due_at: Instant,
    /// From when on it is no longer worth delivering.
    pub expires_at: Instant,
    /// How often it was taken. Who takes it remembers the number, and may speak for the entry only as
    /// long as nobody else has taken it since.
    pub attempts: i32,
}

/// How long to wait after a try that failed: an eighth of the time since the mail was queued, at least
/// a second and at most 45 seconds, so that mail arrives within a minute of the end of any outage.
pub fn retry_after(created_at: Instant, now: Instant) -> Duration {
    let part: Duration = (now - created_at) / 8_i32;
    part.clamp(Duration::SECOND, LONGEST_WAIT)
}

/// How long to wait with a mail that was put off by itself, as by a full mailbox or greylisting: an eighth
/// of its age, at least five seconds and at most ten minutes.
pub fn deferred_for(created_at: Instant, now: Instant) -> Duration {
    let part: Duration = (now - created_at) / 8_i32;
    part.clamp(Duration::seconds(5), Duration::minutes(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_with_the_age_and_has_bounds() {
        let at = |seconds: i64| Instant::UNIX_EPOCH + Duration::seconds(seconds);
        let cases = [(-5, 1), (0, 1), (8, 1), (60, 7), (360, 45), (86_400, 45)];
        for (age, wait) in cases {
            assert_eq!(retry_after(at(0), at(age)).whole_seconds(), wait, "{age}");
        }
        for (age, wait) in [(0, 5), (40, 5), (80, 10), (86_400, 600)] {
            assert_eq!(deferred_for(at(0), at(age)).whole_seconds(), wait, "{age}");
        }
    }
}

use std::time::{Duration, Instant};

use portcullis_email::ports::SendError;

/// How many answers' time a whole mail may take.
const ANSWERS: u32 = 6;

/// By when a mail is to be gone.
pub(super) struct Deadline {
    answer: Duration,
    ends: Instant,
}

impl Deadline {
    pub(super) fn starting_now(answer: Duration) -> Self {
        Self { answer, ends: Instant::now() + answer.saturating_mul(ANSWERS) }
    }

    /// By when the next answer is to be there.
    pub(super) fn answer(&self) -> Result<Instant, SendError> {
        Ok(self.end()?.min(Instant::now() + self.answer))
    }

    /// By when all is to be over.
    pub(super) fn end(&self) -> Result<Instant, SendError> {
        if Instant::now() >= self.ends {
            return Err(SendError::Temporary("the mail server took too long".to_owned()));
        }
        Ok(self.ends)
    }
}

use ::time::OffsetDateTime;

/// A point in time, UTC, whole microseconds: what both databases store without loss.
pub type Instant = OffsetDateTime;

/// Where "now" comes from. Domain code never asks the machine.
pub trait Clock: Send + Sync {
    /// The current time, UTC, cut to whole microseconds.
    fn now(&self) -> Instant;
}

/// A source of random bytes fit for secrets.
///
/// The operating system's generator in a server, a seeded one in tests.
pub trait Entropy: Send + Sync {
    /// Fills `dest` with random bytes.
    ///
    /// # Errors
    /// [`EntropyError`] when the source cannot give any; nothing may then be issued.
    fn fill(&self, dest: &mut [u8]) -> Result<(), EntropyError>;
}

/// The source of random bytes failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the source of random bytes failed; no secret can be made")]
pub struct EntropyError;

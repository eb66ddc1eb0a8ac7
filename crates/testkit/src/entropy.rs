//! Bytes that look random and are the same in every run; and a source that is dry.

use std::sync::atomic::{AtomicU64, Ordering};

use portcullis_kernel::{Entropy, EntropyError};

/// Sebastiano Vigna's `SplitMix64`: the same bytes for the same seed, and never fit for secrets.
///
/// No eight bytes come twice from one source, so ids and tokens never clash, whatever number of
/// threads draw from it.
#[derive(Debug)]
pub struct SeededEntropy(AtomicU64);

impl SeededEntropy {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    /// The source of this seed.
    pub fn new(seed: u64) -> Self {
        // Mixed, so that neighbouring seeds stand far apart on the one circle there is.
        Self(AtomicU64::new(mix(seed.wrapping_add(1).wrapping_mul(Self::STEP))))
    }

    /// The next eight bytes.
    pub fn next(&self) -> u64 {
        mix(self.0.fetch_add(Self::STEP, Ordering::Relaxed).wrapping_add(Self::STEP))
    }
}

impl Default for SeededEntropy {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, dest: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in dest.chunks_mut(8) {
            chunk.iter_mut().zip(self.next().to_le_bytes()).for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A source that never gives anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct FailingEntropy;

impl Entropy for FailingEntropy {
    fn fill(&self, _dest: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn draw(source: &SeededEntropy, bytes: usize) -> Vec<u8> {
        let mut drawn = vec![0; bytes];
        source.fill(&mut drawn).unwrap();
        drawn
    }

    #[test]
    fn a_seed_gives_the_same_bytes_again_and_another_seed_others() {
        let [a, b, c] = [7, 7, 8].map(|seed| draw(&SeededEntropy::new(seed), 35));
        assert_eq!(a, b);
        assert_ne!(a, c);
    }

    #[test]
    fn nothing_comes_twice() {
        let sources = [0, 1, 2, u64::MAX].map(SeededEntropy::new);
        let drawn: HashSet<_> =
            sources.iter().flat_map(|source| (0..1000).map(|_| draw(source, 10))).collect();
        assert_eq!(drawn.len(), 4000);
    }
}

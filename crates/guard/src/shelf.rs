use std::{collections::HashMap, mem};

use portcullis_kernel::{Instant, TokenDigest};

/// Answers by the digest of what was asked about, as many as are allowed, the oldest forgotten first.
///
/// Two halves: new answers go to the young one; when that is full it becomes the old one, and what was old
/// is forgotten. So neither a look nor an insertion ever goes through all of it.
pub(crate) struct Shelf<V> {
    half: usize,
    young: HashMap<TokenDigest, Entry<V>>,
    old: HashMap<TokenDigest, Entry<V>>,
}

struct Entry<V> {
    since: Instant,
    until: Instant,
    value: V,
}

impl<V> Shelf<V> {
    /// A shelf of at most `most` answers.
    pub(crate) fn new(most: usize) -> Self {
        Self { half: most / 2, young: HashMap::new(), old: HashMap::new() }
    }

    /// The answer, if it is good at `now`. A clock that was set back makes none good that is of later.
    pub(crate) fn get(&self, digest: &TokenDigest, now: Instant) -> Option<&V> {
        let entry = self.young.get(digest).or_else(|| self.old.get(digest))?;
        (entry.since <= now && now < entry.until).then_some(&entry.value)
    }

    /// Keeps an answer that is good from `since` until `until`.
    pub(crate) fn put(&mut self, digest: TokenDigest, value: V, since: Instant, until: Instant) {
        if until <= since || self.half == 0 {
            return;
        }
        if self.young.len() >= self.half && !self.young.contains_key(&digest) {
            self.old = mem::take(&mut self.young);
        }
        self.old.remove(&digest);
        self.young.insert(digest, Entry { since, until, value });
    }

    /// Forgets an answer.
    pub(crate) fn remove(&mut self, digest: &TokenDigest) {
        self.young.remove(digest);
        self.old.remove(digest);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    fn at(seconds: i64) -> Instant {
        Instant::from_unix_timestamp(1_700_000_000 + seconds).unwrap()
    }

    fn digest(number: usize) -> TokenDigest {
        TokenDigest::of(&number.to_string())
    }

    #[test]
    fn an_answer_is_good_for_its_time() {
        let mut shelf = Shelf::new(10);
        shelf.put(digest(1), "one", at(0), at(5));
        assert_eq!(shelf.get(&digest(1), at(0)), Some(&"one"));
        assert_eq!(shelf.get(&digest(1), at(5) - Duration::MICROSECOND), Some(&"one"));
        assert_eq!(shelf.get(&digest(1), at(5)), None);
        assert_eq!(shelf.get(&digest(1), at(-1)), None, "a clock set back");
        assert_eq!(shelf.get(&digest(2), at(0)), None);
        shelf.put(digest(1), "another", at(4), at(9));
        assert_eq!(shelf.get(&digest(1), at(6)), Some(&"another"));
        shelf.put(digest(3), "none", at(0), at(0));
        assert_eq!((shelf.len(), shelf.get(&digest(3), at(0))), (1, None));
        shelf.remove(&digest(1));
        assert_eq!((shelf.len(), shelf.get(&digest(1), at(6))), (0, None));
    }

    #[test]
    fn it_never_holds_more_than_it_may_and_forgets_the_oldest() {
        for most in [0, 1, 2, 3, 10, 11] {
            let mut shelf = Shelf::new(most);
            for number in 0..1000 {
                shelf.put(digest(number), number, at(0), at(5));
                assert!(shelf.len() <= most, "{most}: {}", shelf.len());
                let last = (most > 1).then_some(&number);
                assert_eq!(shelf.get(&digest(number), at(0)), last, "{most}");
            }
        }
        let mut shelf = Shelf::new(10);
        for number in 0..10 {
            shelf.put(digest(number), number, at(0), at(5));
        }
        shelf.put(digest(7), 70, at(1), at(6));
        shelf.put(digest(10), 10, at(1), at(6));
        assert_eq!(shelf.get(&digest(7), at(1)), Some(&70), "renewed");
        assert_eq!(shelf.get(&digest(1), at(1)), None, "the oldest half went");
    }
}

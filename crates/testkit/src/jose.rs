//! josekit, with RSA keys that are made once in a process: making one takes longer than most tests.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use portcullis_jose::Josekit;
use portcullis_tokens::{
    Algorithm, PublicJwk,
    ports::{Jose, JoseError, KeyPair, Signer, Verifier},
};
use zeroize::Zeroizing;

type Pool = Vec<Arc<(Zeroizing<Vec<u8>>, PublicJwk)>>;

/// Every pair made in this process, in the order of their making, whoever asked.
static POOL: Mutex<Pool> = Mutex::new(Pool::new());

/// A [`Jose`] that hands out the process's key pairs one after the other, beginning with the first,
/// and remembers which it handed out.
#[derive(Debug, Default)]
pub struct PooledJose {
    handed_out: AtomicUsize,
    private: Mutex<HashMap<String, Zeroizing<Vec<u8>>>>,
}

impl PooledJose {
    /// Signs with a key that this one handed out; `None` when it did not.
    pub fn sign(&self, kid: &str, input: &[u8]) -> Option<Vec<u8>> {
        let private = self.private.lock().unwrap_or_else(PoisonError::into_inner);
        Josekit.signer(Algorithm::Rs256, private.get(kid)?).ok()?.sign(input).ok()
    }
}

impl Jose for PooledJose {
    fn generate(&self, algorithm: Algorithm) -> Result<KeyPair, JoseError> {
        let index = self.handed_out.fetch_add(1, Ordering::Relaxed);
        let pair = {
            let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
            while pool.len() <= index {
                let KeyPair { private, public } = Josekit.generate(algorithm)?;
                pool.push(Arc::new((private, public)));
            }
            pool.get(index).map(Arc::clone)
        };
        let pair = pair.ok_or_else(|| JoseError("the pool lost a key".into()))?;
        let (private, public) = pair.as_ref();
        let mut known = self.private.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(public.thumbprint(), private.clone());
        Ok(KeyPair { private: private.clone(), public: public.clone() })
    }

    fn signer(&self, algorithm: Algorithm, private: &[u8]) -> Result<Box<dyn Signer>, JoseError> {
        Josekit.signer(algorithm, private)
    }

    fn verifier(
        &self,
        algorithm: Algorithm,
        public: &PublicJwk,
    ) -> Result<Box<dyn Verifier>, JoseError> {
        Josekit.verifier(algorithm, public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_begins_with_the_same_key_and_never_gives_one_twice() {
        let (one, other) = (PooledJose::default(), PooledJose::default());
        let kid = |jose: &PooledJose| jose.generate(Algorithm::Rs256).unwrap().public.thumbprint();
        let (first, second) = (kid(&one), kid(&one));
        assert_ne!(first, second);
        assert_eq!((kid(&other), kid(&other)), (first.clone(), second));
        assert!(one.sign(&first, b"text").is_some());
        assert!(one.sign("unknown", b"text").is_none());
    }
}

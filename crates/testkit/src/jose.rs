//! The real signature libraries, with keys that are made once in a process: making one for RS256 takes
//! longer than most tests.

use std::sync::{Arc, Mutex, PoisonError};

use portcullis_jose::Josekit;
use portcullis_tokens::{
    Algorithm, PublicJwk,
    ports::{Jose, JoseError, KeyPair, Signer, Verifier},
};
use zeroize::Zeroizing;

struct Pair {
    algorithm: Algorithm,
    kid: String,
    private: Zeroizing<Vec<u8>>,
    public: PublicJwk,
}

type Pairs = Mutex<Vec<Arc<Pair>>>;

/// Every pair made in this process, in the order of their making, whoever asked.
static POOL: Pairs = Mutex::new(Vec::new());

/// A [`Jose`] that hands out the process's key pairs of an algorithm one after the other, beginning with
/// the first, and remembers which it handed out.
#[derive(Default)]
pub struct PooledJose(Pairs);

impl PooledJose {
    /// Signs with a key that this one handed out, by the key's own algorithm; `None` when it did not.
    pub fn sign(&self, kid: &str, input: &[u8]) -> Option<Vec<u8>> {
        let handed_out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = handed_out.iter().find(|pair| pair.kid == kid)?;
        Josekit.signer(pair.algorithm, &pair.private).ok()?.sign(input).ok()
    }
}

impl Jose for PooledJose {
    fn generate(&self, algorithm: Algorithm) -> Result<KeyPair, JoseError> {
        let mut handed_out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = handed_out.iter().filter(|pair| pair.algorithm == algorithm).count();
        let pair = pooled(algorithm, index)?;
        let (private, public) = (pair.private.clone(), pair.public.clone());
        handed_out.push(pair);
        Ok(KeyPair { private, public })
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

/// The process's pair of the algorithm at this place, made if there is none yet.
fn pooled(algorithm: Algorithm, index: usize) -> Result<Arc<Pair>, JoseError> {
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pair) = pool.iter().filter(|pair| pair.algorithm == algorithm).nth(index) {
        return Ok(Arc::clone(pair));
    }
    let KeyPair { private, public } = Josekit.generate(algorithm)?;
    let pair = Arc::new(Pair { algorithm, kid: public.thumbprint(), private, public });
    pool.push(Arc::clone(&pair));
    Ok(pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_begins_with_the_same_keys_and_never_gives_one_twice() {
        let (one, other) = (PooledJose::default(), PooledJose::default());
        let kid =
            |jose: &PooledJose, algorithm| jose.generate(algorithm).unwrap().public.thumbprint();
        for algorithm in Algorithm::ALL {
            let (first, second) = (kid(&one, algorithm), kid(&one, algorithm));
            assert_ne!(first, second);
            assert_eq!((kid(&other, algorithm), kid(&other, algorithm)), (first, second));
        }
    }

    #[test]
    fn it_signs_with_what_it_handed_out_by_whichever_algorithm() {
        let jose = PooledJose::default();
        let pairs = Algorithm::ALL.map(|algorithm| (algorithm, jose.generate(algorithm).unwrap()));
        for (algorithm, pair) in pairs {
            let signature = jose.sign(&pair.public.thumbprint(), b"text").unwrap();
            assert!(jose.verifier(algorithm, &pair.public).unwrap().verify(b"text", &signature));
        }
        assert!(jose.sign("unknown", b"text").is_none());
        let never_given = PooledJose::default().generate(Algorithm::EdDsa).unwrap().public;
        assert!(PooledJose::default().sign(&never_given.thumbprint(), b"text").is_none());
    }
}

//! What a whole check of an ES256 access token costs, against ring's bare verification of the same
//! signature in the same run: parsing, key set, claims and principal are the difference.
//!
//! `cargo run --release -p portcullis-guard --example verify_rate -- SECONDS` (3 where none are given).

#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::{
    env,
    error::Error,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{Request, Response};
use portcullis_guard::{Answering, Guard, GuardOptions, Presented, Transport};
use portcullis_kernel::Clock as _;
use portcullis_system::SystemClock;
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
        UnparsedPublicKey,
    },
};
use serde_json::json;

const ISSUER: &str = "https://auth.example.com";
const RESOURCE: &str = "https://api.example.com";

/// Between two looks at the clock.
const BATCH: u32 = 64;

/// An auth server without a network, which counts what it is asked.
struct KeySet(String, AtomicUsize);

impl Transport for KeySet {
    fn send(&self, _: Request<Vec<u8>>) -> Answering {
        self.1.fetch_add(1, Ordering::Relaxed);
        let answer = Response::new(self.0.clone().into_bytes());
        Box::pin(async move { Ok(answer) })
    }
}

/// A key that signs, and its set.
struct Issuer(EcdsaKeyPair);

impl Issuer {
    fn new() -> Result<Self, Box<dyn Error>> {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pair = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|e| e.to_string())?;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pair.as_ref(), &random);
        Ok(Self(pair.map_err(|e| e.to_string())?))
    }

    fn key_set(&self) -> String {
        let coordinates = self.0.public_key().as_ref().get(1..).unwrap_or_default();
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let key = json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
            "kid": "8NU-o2cevmygXoY4Q6GKMOSPNOj_wTEZcH1KiGYL2ns", "x": x, "y": y });
        json!({ "keys": [key] }).to_string()
    }

    /// What is signed of a token as the auth server issues it, and the signature.
    fn sign(&self) -> Result<(String, Vec<u8>), Box<dyn Error>> {
        let now = SystemClock.now().unix_timestamp();
        let agent = "agt_da4716b0f827bbdec9311ef93e6dd68a";
        let header = json!({ "alg": "ES256", "typ": "at+jwt",
            "kid": "8NU-o2cevmygXoY4Q6GKMOSPNOj_wTEZcH1KiGYL2ns" });
        let claims = json!({
            "iss": ISSUER, "sub": agent, "aud": RESOURCE, "client_id": agent,
            "scope": "messages:read messages:write",
            "key_id": "aky_4f3239c1cf4eadba15e405c6e874ad65",
            "owner": "01JN2X4K8M3F7QPZRVWT6YBHCE",
            "iat": now, "exp": now + 3600, "jti": "01M7ZPKCT0QSW3QEKT9KJPY8VB",
        });
        let encoded = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = encoded.join(".");
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes());
        Ok((signed, signature.map_err(|e| e.to_string())?.as_ref().to_vec()))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let seconds = env::args().nth(1).map_or(Ok(3), |argument| argument.parse())?;
    let issuer = Issuer::new()?;
    let (signed, signature) = issuer.sign()?;
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&signature));
    let bare = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, issuer.0.public_key().as_ref());
    let server = Arc::new(KeySet(issuer.key_set(), AtomicUsize::new(0)));
    let transport = Arc::clone(&server) as Arc<dyn Transport>;
    let guard = Guard::new(GuardOptions::new(ISSUER, RESOURCE), Arc::new(SystemClock), transport)?;

    // Of many small batches in turn the fastest of each: what else the machine does slows both.
    let (mut fastest_bare, mut fastest_guard) = (Duration::MAX, Duration::MAX);
    let (mut all_bare, mut all_guard, mut batches) = (Duration::ZERO, Duration::ZERO, 0_u32);
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        let start = Instant::now();
        for _ in 0..BATCH {
            bare.verify(black_box(signed.as_bytes()), &signature).map_err(|e| e.to_string())?;
        }
        let middle = Instant::now();
        for _ in 0..BATCH {
            black_box(guard.authenticate(Presented::Token(black_box(&token))).await?);
        }
        let (by_bare, by_guard) = (middle - start, middle.elapsed());
        (fastest_bare, fastest_guard) = (fastest_bare.min(by_bare), fastest_guard.min(by_guard));
        (all_bare, all_guard, batches) = (all_bare + by_bare, all_guard + by_guard, batches + 1);
    }
    let micros = |time: Duration, count: u32| time.as_secs_f64() * 1e6 / f64::from(count);
    println!("{:>8} {:>10} {:>10} {:>6}", "µs each", "ring", "guard", "ratio");
    for (name, bare, guard, count) in [
        ("fastest", fastest_bare, fastest_guard, BATCH),
        ("mean", all_bare, all_guard, BATCH * batches),
    ] {
        let (bare, guard) = (micros(bare, count), micros(guard, count));
        println!("{name:>8} {bare:>10.2} {guard:>10.2} {:>6.3}", guard / bare);
    }
    println!("the auth server was asked {} time(s)", server.1.load(Ordering::Relaxed));
    Ok(())
}

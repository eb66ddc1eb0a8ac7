//! How many signatures a second one core makes and checks, for each algorithm, through the same port as
//! the server and over as many bytes as an access token has.
//!
//! `cargo run --release -p portcullis-jose --example sign_rate -- SECONDS` (3 where none are given).

#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::{
    env,
    error::Error,
    hint::black_box,
    time::{Duration, Instant},
};

use portcullis_jose::Josekit;
use portcullis_tokens::{Algorithm, ports::Jose as _};

/// About the length of what is signed of an agent's access token.
const INPUT: [u8; 640] = [b'x'; 640];

/// Between two looks at the clock.
const BATCH: u32 = 16;

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = env::args().nth(1).map_or(Ok(3), |argument| argument.parse())?;
    let span = Duration::from_secs(seconds);
    println!("{:>9} {:>14} {:>14}", "algorithm", "signed/s", "verified/s");
    for algorithm in Algorithm::ALL {
        let pair = Josekit.generate(algorithm)?;
        let signer = Josekit.signer(algorithm, &pair.private)?;
        let verifier = Josekit.verifier(algorithm, &pair.public)?;
        let signature = signer.sign(&INPUT)?;
        let made = rate(span, || signer.sign(black_box(&INPUT)).is_ok())?;
        let checked = rate(span, || verifier.verify(black_box(&INPUT), &signature))?;
        println!("{:>9} {made:>14.0} {checked:>14.0}", algorithm.as_str());
    }
    Ok(())
}

/// How often a second `work` is done, which says whether it was.
fn rate(span: Duration, work: impl Fn() -> bool) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed() < span {
        if !(0..BATCH).all(|_| work()) {
            return Err("a signature failed".into());
        }
        done += BATCH;
    }
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}

//! How often somebody who guesses codes is heard, with every limit as it is delivered.
//!
//! A code is one of a million. What bounds a guess: 5 tries at a code, 3 codes of a registration, 5 codes
//! an hour and 10 a day to a mailbox over all registrations, 20 compared wrong codes an hour of a client.

use portcullis_flows::registration::ClaimError;
use portcullis_testkit::engine::TestEngine;
use time::Duration;

use super::{
    super::{JANE, from, mailbox::Mail as _},
    Claims as _, Newcomer, codes_in, wrong,
};

const TRIES: u32 = 5;
const CODES: u32 = 3;
const MAILS_AN_HOUR: u32 = 5;
const MAILS_A_DAY: u32 = 10;
const WRONG_CODES_AN_HOUR: u32 = 20;

/// A client that was never there before.
struct Clients(u32);

impl Clients {
    fn next(&mut self) -> portcullis_kernel::Origin {
        self.0 += 1;
        let [_, b, c, d] = self.0.to_be_bytes();
        from(&format!("10.{b}.{c}.{d}"))
    }
}

/// Tries codes from ever new clients until they are refused; says how many were compared.
fn guess(engine: &TestEngine, newcomer: &Newcomer, code: &str, clients: &mut Clients) -> u32 {
    for n in 0.. {
        match engine.try_complete(newcomer, &wrong(code, n), &clients.next()) {
            Err(ClaimError::InvalidCode) => {}
            Err(ClaimError::ExpiredCode) => return n,
            other => panic!("{other:?}"),
        }
    }
    unreachable!("guessed without end")
}

#[test]
fn o5_a_mailbox_bears_twenty_five_guesses_an_hour_and_fifty_a_day_whoever_guesses() {
    let engine = TestEngine::new();
    let mut clients = Clients(0);
    let (mut an_hour, mut a_day) = (0, 0);
    for minute in 0..24 * 60 {
        engine.clock.advance(Duration::MINUTE);
        let newcomer = engine.try_sign_up(None, &clients.next()).unwrap();
        engine.try_start(&newcomer, JANE, &clients.next()).unwrap();
        let code = codes_in(&engine.deliver()).pop().map_or("000000".to_owned(), |(_, code)| code);
        let compared = guess(&engine, &newcomer, &code, &mut clients);
        a_day += compared;
        if minute < 60 {
            an_hour += compared;
        }
    }
    assert_eq!((an_hour, a_day), (MAILS_AN_HOUR * TRIES, MAILS_A_DAY * TRIES));
    // At most five in a hundred thousand a day, against one mailbox.
    assert!(f64::from(a_day) / 1e6 <= 5e-5);
}

#[test]
fn o5_a_registration_bears_fifteen_guesses_whatever_addresses_it_names() {
    let engine = TestEngine::new();
    let mut clients = Clients(0);
    let newcomer = engine.anonymous();
    let (mut compared, mut codes) = (0, 0);
    for n in 0..10 {
        engine.clock.advance(Duration::minutes(2));
        match engine.try_start(&newcomer, &format!("jane{n}@example.com"), &clients.next()) {
            Ok(_) => codes += 1,
            Err(ClaimError::CodesExhausted) => break,
            Err(error) => panic!("{error:?}"),
        }
        let code = codes_in(&engine.deliver()).remove(0).1;
        compared += guess(&engine, &newcomer, &code, &mut clients);
    }
    assert_eq!((codes, compared), (CODES, CODES * TRIES));
}

#[test]
fn l11_a_client_has_twenty_guesses_an_hour_over_all_registrations_and_mailboxes() {
    let engine = TestEngine::new();
    let mut clients = Clients(0);
    let guesser = from("192.0.2.1");
    let mut compared = Vec::new();
    for minute in 0..120_u32 {
        engine.clock.advance(Duration::MINUTE);
        let newcomer = engine.try_sign_up(None, &clients.next()).unwrap();
        engine.try_start(&newcomer, &format!("jane{minute}@example.com"), &clients.next()).unwrap();
        let code = codes_in(&engine.deliver()).remove(0).1;
        for n in 0..TRIES {
            match engine.try_complete(&newcomer, &wrong(&code, n), &guesser) {
                Err(ClaimError::InvalidCode) => compared.push(minute),
                Err(ClaimError::Limit(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    // In any hour, wherever it begins.
    for begin in 0..60 {
        let within = compared.iter().filter(|minute| (begin..begin + 60).contains(*minute)).count();
        assert_eq!(within, WRONG_CODES_AN_HOUR as usize, "{begin}");
    }
}

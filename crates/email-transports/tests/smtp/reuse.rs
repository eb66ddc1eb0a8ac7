use std::{collections::BTreeSet, thread};

use crate::{
    sink::{Script, Sink, Turn},
    *,
};

/// How often each of these mails arrived.
fn arrivals(sink: &Sink, numbers: std::ops::Range<u32>) -> Vec<usize> {
    let seen = sink.seen();
    let count = |number: u32| {
        let message_id = format!("Message-ID: <{}@example.com>", id(number));
        seen.mails.iter().filter(|mail| mail.contains(&message_id)).count()
    };
    numbers.map(count).collect()
}

#[test]
fn mails_share_a_connection() {
    let sink = Sink::start(Script::default());
    let smtp = plain(&sink);
    for number in 0..3 {
        smtp.send(id(number), at(), &message()).unwrap();
    }
    assert_eq!(arrivals(&sink, 0..3), [1, 1, 1]);
    let seen = sink.seen();
    assert_eq!((seen.connections, seen.count("NOOP")), (1, 2));
}

#[test]
fn a_connection_that_died_while_it_waited_costs_no_mail() {
    for dying in [
        // Gone after the first mail, without and with a word.
        vec![(".", Turn::SayAndHangUp("250 2.0.0 queued"))],
        vec![("NOOP", Turn::HangUp)],
        vec![("NOOP", Turn::SayAndHangUp("421 4.4.2 too long"))],
        vec![("NOOP", Turn::Say("421 4.4.2 too long"))],
        vec![("NOOP", Turn::Stall)],
        vec![("NOOP", Turn::Say("nonsense"))],
    ] {
        let sink = Sink::start(Script { turns: dying, ..Script::default() });
        let smtp = plain(&sink);
        for number in 0..3 {
            smtp.send(id(number), at(), &message()).unwrap();
        }
        assert_eq!(arrivals(&sink, 0..3), [1, 1, 1]);
        assert_eq!(sink.seen().connections, 2);
    }
}

#[test]
fn a_mail_that_fails_leaves_nothing_to_the_next() {
    for (command, turn) in [
        ("RCPT", Turn::Say("550 5.1.1 no such user")),
        ("RCPT", Turn::Say("450 4.2.0 later")),
        ("DATA", Turn::Say("451 4.3.0 later")),
        (".", Turn::Say("451 4.3.0 later")),
        (".", Turn::HangUp),
        (".", Turn::Stall),
    ] {
        let sink = Sink::start(Script { turns: vec![(command, turn)], ..Script::default() });
        let smtp = plain(&sink);
        smtp.send(id(0), at(), &message()).unwrap_err();
        smtp.send(id(1), at(), &message()).unwrap();
        assert_eq!(arrivals(&sink, 0..2), [0, 1], "{command}");
        assert_eq!(sink.seen().connections, 2, "{command}");
    }
}

#[test]
fn mails_sent_side_by_side_arrive_once_each() {
    let sink = Sink::start(Script::default());
    let smtp = SmtpOptions { timeout: Duration::from_secs(10), ..options(&sink, SmtpTls::None) };
    let smtp = crate::smtp(smtp);
    thread::scope(|scope| {
        for worker in 0..8 {
            let smtp = &smtp;
            scope.spawn(move || {
                for number in worker * 5..worker * 5 + 5 {
                    smtp.send(id(number), at(), &message()).unwrap();
                }
            });
        }
    });
    assert_eq!(arrivals(&sink, 0..40).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([1]));
    assert!(sink.seen().connections <= 40);
}

#[test]
fn a_mail_sent_again_has_the_same_id() {
    let sink = Sink::start(Script { turns: vec![(".", Turn::HangUp)], ..Script::default() });
    let smtp = plain(&sink);
    temporary(smtp.send(id(7), at(), &message()));
    smtp.send(id(7), at(), &message()).unwrap();
    assert_eq!(arrivals(&sink, 7..8), [1]);
}

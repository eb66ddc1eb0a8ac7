//! Mail written to a directory.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of it is test code"
)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use portcullis_email::{
    Message,
    ports::{SendError, Transport},
};
use portcullis_email_transports::{Directory, Sender, SetupError};
use portcullis_kernel::{Instant, MailId};

/// A path where nothing is yet.
fn fresh(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mails").join(name);
    let _ = fs::remove_dir_all(&path);
    path
}

fn directory(path: &Path) -> Directory {
    let sender = Sender::parse("Portcullis <no-reply@example.com>").unwrap();
    Directory::new(path.to_owned(), sender).unwrap()
}

fn id(number: u32) -> MailId {
    format!("eml_{number:032x}").parse().unwrap()
}

fn at(microseconds: i64) -> Instant {
    let nanoseconds = i128::from(1_795_286_479_000_000 + microseconds) * 1000;
    Instant::from_unix_timestamp_nanos(nanoseconds).unwrap()
}

fn message(text: &str) -> Message {
    Message {
        to: "jane@example.com".to_owned(),
        subject: "Hello".to_owned(),
        text: text.to_owned(),
        html: format!("<p>{text}</p>"),
    }
}

/// Everything in a directory, sorted as a reader would.
fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_mail_is_a_file_that_sorts_by_time_and_is_its_owners_alone() {
    let path = fresh("sorted/deep");
    let directory = directory(&path);
    for (number, after) in [(9, 0), (3, 123_456), (1, 5_000_000)] {
        directory.send(id(number), at(after), &message("Hello")).unwrap();
    }
    assert_eq!(
        names(&path),
        [
            format!("20261121T184119.000000Z-{}.eml", id(9)),
            format!("20261121T184119.123456Z-{}.eml", id(3)),
            format!("20261121T184124.000000Z-{}.eml", id(1)),
        ]
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for name in names(&path) {
        assert_eq!(mode(&path.join(&name)), 0o600);
        let mail = fs::read_to_string(path.join(&name)).unwrap();
        assert!(
            mail.starts_with("From: Portcullis <no-reply@example.com>\r\nTo: jane@example.com")
        );
    }
}

#[test]
fn a_mail_sent_again_replaces_itself() {
    let path = fresh("again");
    for text in ["first", "second"] {
        directory(&path).send(id(1), at(0), &message(text)).unwrap();
    }
    let [name] = &names(&path)[..] else { panic!("{:?}", names(&path)) };
    assert!(fs::read_to_string(path.join(name)).unwrap().contains("second"));
}

#[test]
fn nobody_ever_sees_half_a_mail() {
    let path = fresh("whole");
    let directory = directory(&path);
    let (long, done) = (message(&"long text\n".repeat(2_000)), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            // The same names again and again, so that files are replaced as well as made.
            for number in 0..24 {
                directory.send(id(number % 4), at(0), &long).unwrap();
            }
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            for name in names(&path).iter().filter(|name| !name.starts_with('.')) {
                let mail = fs::read_to_string(path.join(name)).unwrap();
                assert!(mail.ends_with("--\r\n"), "{name} has {} bytes", mail.len());
            }
        }
    });
    assert_eq!(names(&path).len(), 4);
}

#[test]
fn what_a_crash_left_unfinished_is_removed_at_the_next_start() {
    let path = fresh("swept");
    directory(&path).send(id(1), at(0), &message("Hello")).unwrap();
    let unfinished = path.join(".20261121T184119.000000Z-eml_2.77-0.eml.tmp");
    fs::write(&unfinished, "half a").unwrap();
    fs::write(path.join(".note"), "not ours").unwrap();
    directory(&path);
    assert!(!unfinished.exists());
    assert_eq!(names(&path).len(), 2);
}

#[test]
fn a_directory_that_cannot_be_written_to_loses_no_mail() {
    let path = fresh("gone");
    let gone = directory(&path);
    fs::remove_dir(&path).unwrap();
    let error = gone.send(id(1), at(0), &message("secret text")).unwrap_err();
    assert!(matches!(error, SendError::Temporary(_)), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");

    let path = fresh("taken");
    let taken = directory(&path);
    let name = format!("20261121T184119.000000Z-{}.eml", id(1));
    fs::create_dir(path.join(&name)).unwrap();
    let error = taken.send(id(1), at(0), &message("Hello")).unwrap_err();
    assert!(matches!(error, SendError::Temporary(_)), "{error}");
    assert_eq!(names(&path), [name]);
}

#[test]
fn a_path_that_is_no_directory_is_refused_at_start() {
    let path = fresh("file");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let _ = fs::remove_file(&path);
    fs::write(&path, "").unwrap();
    let sender = Sender::parse("no-reply@example.com").unwrap();
    let error = Directory::new(path.clone(), sender).unwrap_err();
    assert!(matches!(&error, SetupError::Directory { path: told, .. } if *told == path), "{error}");
    fs::remove_file(&path).unwrap();
}

#[test]
fn m3_an_address_that_is_not_one_mailbox_is_refused() {
    let path = fresh("refused");
    let to = "jane@example.com, eve@evil.example".to_owned();
    let sent = directory(&path).send(id(1), at(0), &Message { to, ..message("Hello") });
    assert!(matches!(sent, Err(SendError::Refused(_))));
    assert!(names(&path).is_empty());
}

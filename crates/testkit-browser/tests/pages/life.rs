//! The life of a browser: it starts, serves its pages, and leaves nothing.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use portcullis_testkit_browser::{Browser, Settings};

#[test]
fn a_browser_leaves_nothing() {
    let Some(browser) = Browser::for_tests() else { return };
    let page = browser.open(Settings::default());
    let (directory, group) = (browser.directory().to_owned(), browser.process_group());
    assert_are_there(&directory, group);
    drop(browser);
    // A page keeps its browser.
    assert_eq!(page.title(), "");
    drop(page);
    assert_are_gone(&directory, group);
}

/// Plays the owner in the next test: says where its browser is, then waits to be killed.
#[test]
#[ignore = "started by a_killed_owner_leaves_nothing"]
fn an_owner_that_waits() {
    let Some(browser) = Browser::for_tests() else { return };
    let _page = browser.open(Settings::default());
    let mut said = std::io::stderr();
    writeln!(said, "{} {}", browser.process_group(), browser.directory().display()).unwrap();
    thread::sleep(Duration::from_mins(2));
}

#[test]
fn a_killed_owner_leaves_nothing() {
    if Browser::for_tests().is_none() {
        return;
    }
    let mut owner = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "life::an_owner_that_waits"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(owner.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let (group, directory) = line.trim_end().split_once(' ').unwrap();
    let (group, directory) = (group.parse().unwrap(), Path::new(directory));
    assert_are_there(directory, group);
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert_are_gone(directory, group);
}

fn assert_are_there(directory: &Path, group: u32) {
    assert!(directory.is_dir());
    // The driver, the browser and what it starts.
    assert!(alive_in(group).len() > 2 || !cfg!(target_os = "linux"));
}

/// What was killed takes a moment to be gone.
fn assert_are_gone(directory: &Path, group: u32) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while (directory.exists() || !alive_in(group).is_empty()) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(50));
    }
    assert!(!directory.exists());
    assert_eq!(alive_in(group), [""; 0]);
}

/// The processes of a group that have not ended. None is found where there is no `/proc`.
fn alive_in(group: u32) -> Vec<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let states =
        processes.filter_map(|process| fs::read_to_string(process.path().join("stat")).ok());
    // id (name) state parent group …, where the name may hold anything.
    let is_alive = |state: &String| {
        let mut words = state.rsplit(')').next().unwrap_or_default().split_whitespace();
        words.next() != Some("Z") && words.nth(1) == Some(group.to_string().as_str())
    };
    states.filter(is_alive).collect()
}

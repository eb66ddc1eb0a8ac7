//! `cargo xtask test`: the one command that runs every test.

use std::{
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Context, Result, bail};

use crate::{
    browser::Browser,
    postgres::{RUN_VARIABLE, Server, URL_VARIABLE},
    process,
};

pub(crate) const HELP: &str = "\
Run every test, on SQLite and on a throw-away PostgreSQL, pages in headless Chromium, then the
example as a self-check.

Usage: cargo xtask test [-- ARGUMENTS OF CARGO TEST]

PostgreSQL's server programs are looked for in $PG_BIN_DIR, PATH, `pg_config --bindir` and the
usual places. Root on Debian or Ubuntu gets them installed where they are missing; everybody else
is told what to type, and the tests on PostgreSQL are skipped. CI=true or
PORTCULLIS_REQUIRE_POSTGRES=1 makes that an error. PORTCULLIS_TEST_DATABASE_URL names a server to
use instead (the maintenance database, as a superuser).

Chromium (or Chrome) and its chromedriver are looked for in PATH and the usual places, or where
PORTCULLIS_TEST_CHROMIUM and PORTCULLIS_TEST_CHROMEDRIVER say. They are installed, skipped or,
with CI=true or PORTCULLIS_REQUIRE_BROWSER=1, required in the same way.

With arguments, `cargo test --workspace` gets them and the example is left out:
  cargo xtask test -- refresh              tests with `refresh` in their name
  cargo xtask test -- --test it http::     one test binary, and one part of it
  cargo xtask test -- refresh -- --nocapture";

/// Built by `cargo test --workspace` like every example; with this argument it drives itself.
const EXAMPLE: &str = "embed_axum";
const SELF_CHECK: &str = "--self-check";

pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let began = Instant::now();
    let extra = extra_arguments(arguments)?;
    let browser = Browser::for_tests()?;
    let server = Server::for_tests()?;
    let mut outcome = Outcome::default();
    if let Server::Missing(advice) = &server {
        eprintln!("xtask: WITHOUT PostgreSQL. {advice}");
        outcome.gaps.push(format!("NOTHING RAN ON POSTGRESQL: {advice}"));
    }
    if let Browser::Missing(advice) = &browser {
        eprintln!("xtask: WITHOUT a browser. {advice}");
        outcome.gaps.push(format!("NOTHING RAN IN A BROWSER: {advice}"));
    }
    let status = process::announced(&mut cargo_test(extra, &server, &browser))?;
    outcome.note("cargo test", status.success());
    if extra.is_empty() {
        outcome.note(EXAMPLE, self_check()?);
    }
    drop(server);
    eprintln!("\nxtask: {} ({} s)", outcome.closing_line(), began.elapsed().as_secs());
    Ok(if outcome.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn extra_arguments(arguments: &[String]) -> Result<&[String]> {
    match arguments.split_first() {
        None => Ok(&[]),
        Some((first, rest)) if first == "--" => Ok(rest),
        Some((first, _)) => bail!("arguments of cargo test stand after `--`, as in: -- {first}"),
    }
}

/// Always the whole workspace: cargo unifies features over the packages it is asked for, so a
/// single package would build diesel and OpenSSL anew, with other features.
fn cargo_test(extra: &[String], server: &Server, browser: &Browser) -> Command {
    let mut command = process::cargo();
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]).args(extra);
    if let Server::Private(cluster) = server {
        command.env(URL_VARIABLE, cluster.url("postgres"));
        command.env(RUN_VARIABLE, format!("{}x{}", std::process::id(), cluster.port()));
    }
    browser.tell(&mut command);
    // A snapshot that nobody looked at is not a passed test.
    if process::is_set("CI", "true") {
        command.env("INSTA_UPDATE", "no");
    }
    command
}

fn self_check() -> Result<bool> {
    let mut build = process::cargo();
    build.args(["build", "--workspace", "--examples", "--locked", "--quiet"]);
    if !process::announced(&mut build)?.success() {
        return Ok(false);
    }
    let directory = process::metadata()?.target_directory;
    let program = directory.join("debug").join("examples").join(EXAMPLE);
    let status = process::announced(Command::new(&program).arg(SELF_CHECK))
        .with_context(|| format!("the example {EXAMPLE} is not at {program}"))?;
    Ok(status.success())
}

/// What is said at the end.
#[derive(Debug, Default)]
struct Outcome {
    failed: Vec<&'static str>,
    /// What did not run, and what to type so that it does.
    gaps: Vec<String>,
}

impl Outcome {
    fn note(&mut self, step: &'static str, passed: bool) {
        if !passed {
            self.failed.push(step);
        }
    }

    fn closing_line(&self) -> String {
        if !self.failed.is_empty() {
            return format!("FAILED: {}", self.failed.join(", "));
        }
        let passed = std::iter::once("every test passed");
        passed.chain(self.gaps.iter().map(String::as_str)).collect::<Vec<_>>().join(", BUT ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_of_cargo_stand_behind_two_dashes() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(extra_arguments(&words("-- a -- b")).unwrap(), words("a -- b"));
        assert!(extra_arguments(&words("a")).unwrap_err().to_string().contains("-- a"));
        assert!(extra_arguments(&[]).unwrap().is_empty());
    }

    #[test]
    fn the_closing_line_hides_neither_failures_nor_gaps() {
        let mut outcome = Outcome::default();
        assert_eq!(outcome.closing_line(), "every test passed");
        outcome.gaps = vec!["NOTHING a".to_owned(), "NOTHING b".to_owned()];
        assert_eq!(outcome.closing_line(), "every test passed, BUT NOTHING a, BUT NOTHING b");
        outcome.note("cargo test", false);
        outcome.note("other", true);
        assert_eq!(outcome.closing_line(), "FAILED: cargo test");
    }

    #[test]
    fn the_whole_workspace_is_tested_at_once() {
        let no_browser = Browser::Missing(String::new());
        let command = cargo_test(&["--doc".to_owned()], &Server::Given, &no_browser);
        let arguments: Vec<_> = command.get_args().collect();
        assert_eq!(arguments, ["test", "--workspace", "--locked", "--no-fail-fast", "--doc"]);
    }
}

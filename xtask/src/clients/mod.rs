//! `cargo xtask clients`: OAuth libraries that others wrote, against the real binary.

mod http;
mod kit;
mod server;

use std::{
    env,
    path::{Path, PathBuf, absolute},
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context, Result, bail};

use crate::process;
use kit::Kit;
use server::Server;

pub(crate) const HELP: &str = "\
Run standard OAuth clients against the server: tests/clients/README.md says which and what they do.

Usage: cargo xtask clients [--require]

The clients are installed below target/clients, once, by python3 (with venv and pip) and by Node.js
(20 or later) with npm. What cannot be had is named and left out.

  --require  what cannot be had is an error

The server is built first, or PORTCULLIS_BINARY names one. It is started once for each algorithm that
signs agents' tokens, in development mode, on a loopback port and a database of its own.";

/// Each takes the directory for what it installs.
const KITS: [fn(&Path) -> Result<Kit>; 2] = [kit::python, kit::node];

/// Each signs agents' tokens once.
const ALGORITHMS: [&str; 3] = ["ES256", "EdDSA", "RS256"];

const BINARY_VARIABLE: &str = "PORTCULLIS_BINARY";

pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let began = Instant::now();
    let is_required = parsed(arguments)?;
    let target = process::metadata()?.target_directory.into_std_path_buf();
    let work = target.join("clients");
    let mut outcome = Outcome::default();
    let mut kits = Vec::new();
    for prepared in KITS.map(|prepare| prepare(&work)) {
        match prepared {
            Ok(kit) => kits.push(kit),
            Err(error) if is_required => return Err(error),
            Err(error) => {
                eprintln!("xtask: LEFT OUT: {error:#}");
                outcome.gaps.push(format!("{error:#}"));
            }
        }
    }
    if !kits.is_empty() {
        let program = binary(&target)?;
        for algorithm in ALGORITHMS {
            all(&kits, &Server::start(&program, &work, algorithm)?, &mut outcome)?;
        }
    }
    eprintln!("xtask: {} ({} s)", outcome.closing_line(), began.elapsed().as_secs());
    Ok(if outcome.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parsed(arguments: &[String]) -> Result<bool> {
    match arguments {
        [] => Ok(false),
        [only] if only == "--require" => Ok(true),
        [first, ..] => bail!("what is `{first}`? See --help"),
    }
}

fn binary(target: &Path) -> Result<PathBuf> {
    if let Some(program) = env::var_os(BINARY_VARIABLE) {
        return absolute(&program).context(BINARY_VARIABLE);
    }
    let mut build = process::cargo();
    build.args(["build", "--workspace", "--bin", "portcullis", "--locked", "--quiet"]);
    if !process::announced(&mut build)?.success() {
        bail!("the server could not be built");
    }
    Ok(target.join("debug").join("portcullis"))
}

/// Runs every client against the server.
fn all(kits: &[Kit], server: &Server, outcome: &mut Outcome) -> Result<()> {
    let account = server.account().with_context(|| server.last_words())?;
    let failed_before = outcome.failed;
    for kit in kits {
        for script in kit.scripts {
            let status = kit.command(script).envs(account.variables()).status();
            let passed =
                status.with_context(|| format!("{script} could not be started"))?.success();
            outcome.note(passed);
            if !passed {
                eprintln!("xtask: FAILED: {script} with {}", server.algorithm());
            }
        }
    }
    if outcome.failed > failed_before {
        eprintln!("{}", server.last_words());
    }
    Ok(())
}

/// What is said at the end.
#[derive(Debug, Default)]
struct Outcome {
    passed: u32,
    failed: u32,
    gaps: Vec<String>,
}

impl Outcome {
    fn note(&mut self, passed: bool) {
        if passed { self.passed += 1 } else { self.failed += 1 }
    }

    fn closing_line(&self) -> String {
        let counts = format!("{} passed, {} failed", self.passed, self.failed);
        let gaps = self.gaps.iter().map(|gap| format!(", LEFT OUT: {gap}"));
        std::iter::once(counts).chain(gaps).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_argument_is_known() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(!parsed(&[]).unwrap());
        assert!(parsed(&words("--require")).unwrap());
        assert!(parsed(&words("--require now")).is_err());
        assert!(parsed(&words("now")).is_err());
    }

    #[test]
    fn the_closing_line_hides_neither_failures_nor_gaps() {
        let mut outcome = Outcome::default();
        outcome.note(true);
        outcome.note(false);
        outcome.note(true);
        assert_eq!(outcome.closing_line(), "2 passed, 1 failed");
        outcome.gaps = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(outcome.closing_line(), "2 passed, 1 failed, LEFT OUT: a, LEFT OUT: b");
    }
}

//! `cargo xtask with-postgres`: a throw-away server around any command.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use portcullis_testkit_postgres::Options;

use crate::{postgres, process};

pub(crate) const HELP: &str = "\
Run a command with a throw-away PostgreSQL and hand on its exit code.

Usage: cargo xtask with-postgres [--durable] -- COMMAND [ARGUMENTS]

The command finds in its environment:
  DATABASE_URL                  an empty database of the server
  PORTCULLIS_TEST_DATABASE_URL  the server's maintenance database, as a superuser

  --durable  commits wait for the disk, as a real server's do: for benchmarks

  cargo xtask with-postgres -- sh -c 'psql \"$DATABASE_URL\"'";

const DATABASE: &str = "portcullis";

pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let (options, words) = parsed(arguments)?;
    let (program, rest) = words.split_first().context("which command? It stands after `--`")?;
    let cluster = postgres::start(&options)?;
    cluster.execute(&format!("CREATE DATABASE {DATABASE}"))?;
    let status = Command::new(program)
        .args(rest)
        .env("DATABASE_URL", cluster.url(DATABASE))
        .env(postgres::URL_VARIABLE, cluster.url("postgres"))
        .status()
        .with_context(|| format!("{program} could not be started"))?;
    cluster.stop();
    Ok(process::exit_code(status))
}

fn parsed(arguments: &[String]) -> Result<(Options, &[String])> {
    let mut options = Options::default();
    let mut rest = arguments;
    while let Some((first, others)) = rest.split_first() {
        rest = others;
        match first.as_str() {
            "--" => return Ok((options, rest)),
            "--durable" => options.durable = true,
            other => bail!("what is `{other}`? The command stands after `--`"),
        }
    }
    bail!("which command? It stands after `--`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_command_stands_behind_two_dashes() {
        let line = words("--durable -- a --durable -- b");
        let (options, command) = parsed(&line).unwrap();
        assert!(options.durable);
        assert_eq!(command, words("a --durable -- b"));
        assert!(!parsed(&words("-- a")).unwrap().0.durable);
    }

    #[test]
    fn anything_else_is_refused() {
        for line in ["a", "--fast -- a", "--durable"] {
            assert!(parsed(&words(line)).is_err(), "{line}");
        }
    }
}

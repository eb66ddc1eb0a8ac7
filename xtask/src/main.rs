//! The repository's own commands: `cargo xtask --help` lists them.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool that talks to its user")]
#![allow(clippy::disallowed_methods, reason = "a tool that reads the environment of its run")]

mod browser;
mod ci;
mod clients;
mod fmt;
mod install;
mod lint;
mod migrate;
mod postgres;
mod process;
mod test;
mod tidy;
mod with_postgres;

use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
The repository's own commands.

Usage: cargo xtask <COMMAND> [ARGUMENTS]

Commands:
  test           Run every test, on SQLite, on a throw-away PostgreSQL and in a browser
  lint           Check formatting, clippy, and the rules of the repository
  tidy           Check the rules of the repository: arrows, sizes, documents
  ci             What continuous integration asks of a change: lint, then test
  fmt            Format the code
  migrate        Begin a database migration in every dialect
  clients        Run standard OAuth clients against the server
  with-postgres  Run a command with a throw-away PostgreSQL

`cargo xtask <COMMAND> --help` explains a command.";

/// A command: its name, its help, and what runs it with the arguments after its name.
struct Command {
    name: &'static str,
    help: &'static str,
    run: fn(&[String]) -> Result<ExitCode>,
}

const COMMANDS: [Command; 8] = [
    Command { name: "test", help: test::HELP, run: test::run },
    Command { name: "lint", help: lint::HELP, run: lint::run },
    Command { name: "tidy", help: tidy::HELP, run: tidy::run },
    Command { name: "ci", help: ci::HELP, run: ci::run },
    Command { name: "fmt", help: fmt::HELP, run: fmt::run },
    Command { name: "migrate", help: migrate::HELP, run: migrate::run },
    Command { name: "clients", help: clients::HELP, run: clients::run },
    Command { name: "with-postgres", help: with_postgres::HELP, run: with_postgres::run },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    dispatch(&arguments).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn dispatch(arguments: &[String]) -> Result<ExitCode> {
    let Some((name, rest)) = arguments.split_first() else {
        bail!("which command?\n\n{HELP}");
    };
    if is_help(name) || name == "help" {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        bail!("there is no command `{name}`\n\n{HELP}");
    };
    // Help that stands after `--` is meant for the program that the command runs.
    if rest.iter().take_while(|argument| *argument != "--").any(|argument| is_help(argument)) {
        println!("{}", command.help);
        return Ok(ExitCode::SUCCESS);
    }
    (command.run)(rest)
}

fn is_help(argument: &str) -> bool {
    matches!(argument, "--help" | "-h")
}

/// For commands that take no arguments: refuses any.
fn no_arguments(arguments: &[String]) -> Result<()> {
    match arguments.first() {
        Some(argument) => bail!("this command takes no `{argument}`; see --help"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_listed_and_explains_itself() {
        for command in COMMANDS {
            assert!(HELP.contains(&format!("\n  {} ", command.name)), "{}", command.name);
            let usage = format!("Usage: cargo xtask {}", command.name);
            assert!(command.help.contains(&usage), "{}", command.name);
        }
    }

    #[test]
    fn an_unknown_command_and_a_stray_argument_are_refused() {
        assert!(dispatch(&["sing".to_owned()]).is_err());
        assert!(dispatch(&[]).is_err());
        assert!(dispatch(&["fmt".to_owned(), "--loudly".to_owned()]).is_err());
    }
}

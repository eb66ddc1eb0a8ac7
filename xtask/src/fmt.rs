//! `cargo xtask fmt`: formats the code.

use std::process::ExitCode;

use anyhow::Result;

use crate::process;

pub(crate) const HELP: &str = "\
Format the code of every crate.

Usage: cargo xtask fmt";

pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    crate::no_arguments(arguments)?;
    Ok(process::exit_code(process::announced(process::cargo().args(["fmt", "--all"]))?))
}

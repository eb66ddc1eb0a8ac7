//! `cargo xtask ci`: what a change has to pass.

use std::process::ExitCode;

use anyhow::Result;

use crate::{lint, test};

pub(crate) const HELP: &str = "\
What continuous integration asks of a change: lint, then test.

Usage: cargo xtask ci";

pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    crate::no_arguments(arguments)?;
    let lint = lint::run(&[])?;
    let test = test::run(&[])?;
    Ok(if lint == ExitCode::SUCCESS { test } else { lint })
}

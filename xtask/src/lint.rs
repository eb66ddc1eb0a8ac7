//! `cargo xtask lint`: everything that can be judged without running the code.

use std::process::ExitCode;

use anyhow::Result;

use crate::{process, tidy};

pub(crate) const HELP: &str = "\
Check formatting, clippy without a warning, and the rules of the repository (tidy).

Usage: cargo xtask lint

All three run, so that one round shows everything.";

const FORMATTING: [&str; 3] = ["fmt", "--all", "--check"];
const CLIPPY: [&str; 7] =
    ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];

pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    crate::no_arguments(arguments)?;
    let is_formatted = process::announced(process::cargo().args(FORMATTING))?.success();
    if !is_formatted {
        eprintln!("xtask: `cargo xtask fmt` mends this");
    }
    let is_clippy_clean = process::announced(process::cargo().args(CLIPPY))?.success();
    let is_tidy = tidy::run(&[])? == ExitCode::SUCCESS;
    if is_formatted && is_clippy_clean && is_tidy {
        eprintln!("xtask: lint passed");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("xtask: lint FAILED");
    Ok(ExitCode::FAILURE)
}

//! `cargo xtask tidy`: the rules of the repository, as a program.
//!
//! Each rule is a function from what was read to findings, so that its tests need no files.

mod arrows;
mod codes;
mod graph;
mod links;
mod manifests;
mod migrations;
mod purity;
mod security;
mod sizes;
mod tree;
mod words;

use std::process::ExitCode;

use anyhow::Result;

use crate::process;
use graph::Graph;
use tree::Tree;

pub(crate) const HELP: &str = "\
Check the rules of the repository, from `cargo metadata` and the files.

Usage: cargo xtask tidy

  arrows      a crate imports only what lies below it (docs/architecture.md)
  purity      no domain crate, nor flows, reaches a runtime, a database or OpenSSL
  sizes       no Rust file is longer than 400 lines
  migrations  the same names in every dialect, each with up.sql and down.sql
  codes       docs/errors.md and the code know the same error codes
  security    docs/security.md and the tests know the same ids
  words       no path of somebody's machine, no work left for later in a comment
  manifests   every crate takes the workspace's lints and says what it is
  links       the links in the README and the documents lead somewhere";

/// What is wrong, where, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    rule: &'static str,
    text: String,
}

impl Finding {
    fn new(rule: &'static str, text: impl Into<String>) -> Self {
        Self { rule, text: text.into() }
    }
}

pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    crate::no_arguments(arguments)?;
    let graph = Graph::read(&process::metadata()?);
    let tree = Tree::read(&process::root())?;
    let findings = all(&graph, &tree);
    for finding in &findings {
        eprintln!("tidy: {}: {}", finding.rule, finding.text);
    }
    if findings.is_empty() {
        eprintln!("xtask: tidy: {} crates and {} files are in order", graph.len(), tree.len());
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("xtask: tidy: {} to mend", findings.len());
    Ok(ExitCode::FAILURE)
}

fn all(graph: &Graph, tree: &Tree) -> Vec<Finding> {
    [
        arrows::check(graph),
        purity::check(graph),
        sizes::check(tree),
        migrations::check(tree),
        codes::check(tree),
        security::check(tree),
        words::check(tree),
        manifests::check(graph, tree),
        links::check(tree),
    ]
    .into_iter()
    .flatten()
    .collect()
}

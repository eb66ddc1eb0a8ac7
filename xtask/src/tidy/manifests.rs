//! Every crate takes the workspace's lints and says what it is.

use super::{Finding, graph::Graph, tree::Tree};

const RULE: &str = "manifests";

pub(super) fn check(graph: &Graph, tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, member) in &graph.members {
        let mut note = |text: &str| findings.push(Finding::new(RULE, format!("{name}: {text}")));
        let manifest = tree.texts.get(&member.manifest).map_or("", String::as_str);
        if !takes_lints(manifest) {
            note("its Cargo.toml lacks `[lints]` with `workspace = true`");
        }
        if member.description.as_deref().unwrap_or_default().trim().is_empty() {
            note("its Cargo.toml lacks a description");
        }
        for root in &member.roots {
            let text = tree.texts.get(root).map_or("", String::as_str);
            if !text.starts_with("//! ") {
                note(&format!(
                    "{root} begins with `//!` and what the crate is, before anything else"
                ));
            }
        }
    }
    findings
}

fn takes_lints(manifest: &str) -> bool {
    let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    lines.find(|line| !line.is_empty()).is_some_and(|line| line == "workspace = true")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::graph::Member;

    fn texts(manifest: &str, description: Option<&str>, library: &str) -> Vec<String> {
        let member = Member {
            description: description.map(str::to_owned),
            manifest: "crates/a/Cargo.toml".to_owned(),
            roots: vec!["crates/a/src/lib.rs".to_owned()],
            ..Member::default()
        };
        let mut graph = Graph::default();
        graph.members.insert("a".to_owned(), member);
        let tree =
            Tree::sketch(&[("crates/a/Cargo.toml", manifest), ("crates/a/src/lib.rs", library)]);
        check(&graph, &tree).into_iter().map(|finding| finding.text).collect()
    }

    const MANIFEST: &str = "[package]\n\n[lints]\nworkspace = true\n";

    #[test]
    fn a_complete_crate_passes() {
        assert_eq!(texts(MANIFEST, Some("It is."), "//! It is.\n"), [""; 0]);
    }

    #[test]
    fn each_gap_is_found() {
        for (manifest, description, library) in [
            ("[package]\nworkspace = true\n", Some("It is."), "//! It is.\n"),
            (MANIFEST, None, "//! It is.\n"),
            (MANIFEST, Some(" "), "//! It is.\n"),
            (MANIFEST, Some("It is."), "#![allow(x)]\n//! It is.\n"),
        ] {
            assert_eq!(texts(manifest, description, library).len(), 1, "{manifest} {library}");
        }
    }
}

//! Every dialect has the same migrations, each with its way back.

use std::collections::BTreeSet;

use super::{Finding, tree::Tree};
use crate::migrate::DIALECTS;

const RULE: &str = "migrations";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let every: BTreeSet<&str> = DIALECTS.iter().flat_map(|dialect| names(tree, dialect)).collect();
    if every.is_empty() {
        return vec![Finding::new(RULE, "there are none: cargo xtask migrate NAME begins one")];
    }
    let mut findings = Vec::new();
    for dialect in DIALECTS {
        for name in &every {
            for file in ["up.sql", "down.sql"] {
                let path = format!("migrations/{dialect}/{name}/{file}");
                if !tree.paths.contains(&path) {
                    let text = format!("{path} is missing: every dialect has every migration");
                    findings.push(Finding::new(RULE, text));
                }
            }
        }
    }
    findings
}

fn names<'a>(tree: &'a Tree, dialect: &str) -> Vec<&'a str> {
    let prefix = format!("migrations/{dialect}/");
    let entries = tree.paths.iter().filter_map(|path| path.strip_prefix(&prefix));
    entries.filter_map(|rest| rest.split_once('/').map(|(name, _)| name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 4] = [
        ("migrations/postgres/0001_first/up.sql", ""),
        ("migrations/postgres/0001_first/down.sql", ""),
        ("migrations/sqlite/0001_first/up.sql", ""),
        ("migrations/sqlite/0001_first/down.sql", ""),
    ];

    #[test]
    fn the_same_names_pass() {
        assert_eq!(check(&Tree::sketch(&COMPLETE)), []);
    }

    #[test]
    fn a_missing_half_a_missing_dialect_and_none_at_all_are_found() {
        let found = check(&Tree::sketch(&COMPLETE[..3]));
        assert!(found[0].text.starts_with("migrations/sqlite/0001_first/down.sql is missing"));
        assert_eq!(check(&Tree::sketch(&COMPLETE[..2])).len(), 2);
        assert_eq!(check(&Tree::sketch(&[])).len(), 1);
    }
}

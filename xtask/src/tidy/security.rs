//! The tests that docs/security.md names, and those that carry the id of a row.

use std::collections::BTreeSet;

use super::{
    Finding,
    tree::{Tree, extension},
};

const RULE: &str = "security";
const DOCUMENT: &str = "docs/security.md";

/// The groups of docs/security.md: a test whose name begins with one of these and a number proves a row.
const GROUPS: &str = "prjkvelimcgwoq";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(document) = tree.texts.get(DOCUMENT) else {
        return vec![Finding::new(RULE, format!("{DOCUMENT} is missing"))];
    };
    let sources = tree.below("crates/").chain(tree.below("bins/"));
    let names: BTreeSet<&str> = sources
        .filter(|(path, _)| extension(path) == "rs")
        .flat_map(|(_, text)| tests(text))
        .collect();
    let rows: Vec<Vec<&str>> = document.lines().filter_map(row).collect();
    let ids: BTreeSet<String> =
        rows.iter().filter_map(|cells| cells.first()).flat_map(|cell| ids(cell)).collect();

    let wanted = rows.iter().filter_map(|cells| cells.get(3)).flat_map(|cell| in_backticks(cell));
    let missing = wanted
        .filter(|prefix| !names.iter().any(|name| name.starts_with(prefix)))
        .map(|prefix| format!("{DOCUMENT} names tests `{prefix}…`, and there are none"));
    let carried: BTreeSet<String> = names.iter().flat_map(|name| carried(name)).collect();
    let unlisted = carried
        .iter()
        .filter(|id| !ids.contains(*id))
        .map(|id| format!("tests carry the id {id}, which has no row in {DOCUMENT}"));
    missing.chain(unlisted).map(|text| Finding::new(RULE, text)).collect()
}

/// The names of functions, and of tests that a macro runs on every storage.
fn tests(code: &str) -> impl Iterator<Item = &str> {
    let after = |opening| code.split(opening).skip(1);
    after("fn ").chain(after("on_every_storage!(")).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        rest.get(..end)
    })
}

/// The cells of a row that begins with ids.
fn row(line: &str) -> Option<Vec<&str>> {
    let cells: Vec<&str> = line.trim().strip_prefix('|')?.split('|').map(str::trim).collect();
    cells.first().is_some_and(|cell| !ids(cell).is_empty()).then_some(cells)
}

/// `V1–V4, V7` is V1, V2, V3, V4 and V7.
fn ids(cell: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in cell.split(',').map(str::trim) {
        let (first, last) = part.split_once('–').unwrap_or((part, part));
        let (Some(first), Some(last)) = (id(first), id(last)) else { continue };
        found.extend((first.1..=last.1).map(|number| format!("{}{number}", first.0)));
    }
    found
}

fn id(text: &str) -> Option<(char, u32)> {
    let mut letters = text.chars();
    let group = letters.next().filter(char::is_ascii_uppercase)?;
    Some((group, letters.as_str().parse().ok()?))
}

/// The ids that the name of a test begins with: `p1_p3_…` proves P1 and P3.
fn carried(name: &str) -> impl Iterator<Item = String> {
    name.split('_').map_while(|word| {
        let mut letters = word.chars();
        let group = letters.next().filter(|group| GROUPS.contains(*group))?;
        let number: u32 = letters.as_str().parse().ok()?;
        Some(format!("{}{number}", group.to_ascii_uppercase()))
    })
}

fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(code: &str, document: &str) -> Vec<String> {
        let tree = Tree::sketch(&[("crates/a/src/lib.rs", code), (DOCUMENT, document)]);
        check(&tree).into_iter().map(|finding| finding.text).collect()
    }

    const DOCUMENT_TEXT: &str = "| id | what | how | tests | state |\n|---|---|---|---|---|\n\
        | P1 | x | y | `p1_` | held |\n| V1–V3, V7 | x | y | – | later |\n";

    #[test]
    fn rows_and_tests_that_agree_are_in_order() {
        assert!(texts("fn p1_eight() {}\nfn v2_x() {}\nfn helper() {}", DOCUMENT_TEXT).is_empty());
        assert!(texts("on_every_storage!(p1_eight, |app| {});", DOCUMENT_TEXT).is_empty());
    }

    #[test]
    fn a_row_without_its_test_and_a_test_without_its_row_are_found() {
        let found = texts("fn p1_p9_eight() {}", DOCUMENT_TEXT);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("P9"));
        let found = texts("fn other() {}", DOCUMENT_TEXT);
        assert!(found[0].contains("`p1_…`"));
    }

    #[test]
    fn ranges_are_read() {
        assert_eq!(ids("V1–V3, V7"), ["V1", "V2", "V3", "V7"]);
        assert!(ids("id").is_empty());
        assert!(ids("---").is_empty());
    }
}

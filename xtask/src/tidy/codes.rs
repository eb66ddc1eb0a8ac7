//! The error codes that the code can answer with and those that the document explains.

use std::collections::BTreeSet;

use super::{Finding, tree::Tree};

const RULE: &str = "codes";
const DOCUMENT: &str = "docs/errors.md";

/// Codes live in tables of constants, in files of this name.
const TABLE_FILE: &str = "/codes.rs";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let tables = tree.below("crates/").filter(|(path, _)| path.ends_with(TABLE_FILE));
    let defined: BTreeSet<&str> = tables.flat_map(|(_, text)| defined(text)).collect();
    if defined.is_empty() {
        let text = format!("no `pub const …: &str` in any crates/…{TABLE_FILE}");
        return vec![Finding::new(RULE, text)];
    }
    let Some(document) = tree.texts.get(DOCUMENT) else {
        return vec![Finding::new(RULE, format!("{DOCUMENT} is missing"))];
    };
    let mentioned: BTreeSet<&str> = document.lines().flat_map(in_backticks).collect();
    let rows = document.lines().filter_map(first_cell);
    let listed: BTreeSet<&str> = rows.flat_map(in_backticks).collect();
    let undocumented = defined
        .difference(&mentioned)
        .map(|code| format!("`{code}` is not explained in {DOCUMENT}: add a row for it"));
    let unknown = listed
        .difference(&defined)
        .map(|code| format!("{DOCUMENT} lists `{code}`, which no crate defines: drop the row"));
    undocumented.chain(unknown).map(|text| Finding::new(RULE, text)).collect()
}

/// The values of all `&str` constants.
fn defined(code: &str) -> Vec<&str> {
    code.split("&str =")
        .skip(1)
        .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
        .collect()
}

/// A row's first cell names its code.
fn first_cell(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix('|')?.split('|').next()
}

fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "crates/http/src/kit/codes.rs";
    const DEFINITIONS: &str = "/// Said so.\npub const NOT_FOUND: &str = \"not_found\";\n\
                               pub const UPPER: &str =\n    \"NOT_FOUND\";\n";

    fn texts(code: &str, document: &str) -> Vec<String> {
        let tree = Tree::sketch(&[(CODE, code), (DOCUMENT, document)]);
        check(&tree).into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn every_code_is_explained() {
        let table = "| code | meaning |\n|---|---|\n| `not_found` | see `GET` |\n";
        let found = texts(DEFINITIONS, table);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("`NOT_FOUND` is not explained"));
        assert_eq!(texts(DEFINITIONS, &format!("{table}| `NOT_FOUND` | |")), [""; 0]);
    }

    #[test]
    fn a_code_that_is_gone_is_found_in_the_table() {
        let document = "| `not_found`, `NOT_FOUND` | |\n| `old_code` | |\nNot a row: `else`.";
        let found = texts(DEFINITIONS, document);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("lists `old_code`"));
    }

    #[test]
    fn missing_files_and_an_empty_table_are_found() {
        assert_eq!(check(&Tree::sketch(&[])).len(), 1);
        assert_eq!(check(&Tree::sketch(&[(CODE, DEFINITIONS)])).len(), 1);
        assert!(texts("", "")[0].contains("no `pub const"));
    }
}

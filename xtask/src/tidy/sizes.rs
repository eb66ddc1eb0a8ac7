//! A file is short enough to be read in one go.

use super::{
    Finding,
    tree::{Tree, extension},
};

const LONGEST: usize = 400;
const FOLDERS: [&str; 3] = ["crates/", "bins/", "xtask/"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    FOLDERS
        .iter()
        .flat_map(|folder| tree.below(folder))
        .filter(|(path, text)| extension(path) == "rs" && text.lines().count() > LONGEST)
        .map(|(path, text)| {
            let lines = text.lines().count();
            let text =
                format!("{path} has {lines} lines, of at most {LONGEST}: split it by subject");
            Finding::new("sizes", text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found_wherever_code_lives() {
        let (short, long) = ("\n".repeat(LONGEST), "\n".repeat(LONGEST + 1));
        let tree = Tree::sketch(&[
            ("crates/a/src/lib.rs", &short),
            ("crates/a/tests/long.rs", &long),
            ("docs/long.md", &long),
            ("xtask/src/long.rs", &long),
        ]);
        let found = check(&tree);
        assert_eq!(found.len(), 2);
        assert!(found[0].text.starts_with("crates/a/tests/long.rs has 401 lines"));
    }
}

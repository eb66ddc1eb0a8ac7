//! Words that have no place in the repository.

use super::{Finding, tree::Tree};

const MACHINE: &str = "is a path of one machine: take a relative path or a setting";
const LATER: &str = "leaves work behind: do it, or open an issue and name the limit in the text";

/// Cut in two, so that this file does not find itself.
const BANNED: [(&str, &str); 5] = [
    (concat!("/wo", "rk/"), MACHINE),
    (concat!("/ro", "ot/"), MACHINE),
    (concat!("/Us", "ers/"), MACHINE),
    (concat!("TO", "DO"), LATER),
    (concat!("FIX", "ME"), LATER),
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in &tree.texts {
        for (number, line) in text.lines().enumerate() {
            let found = BANNED.iter().filter(|(word, _)| contains_word(line, word));
            findings.extend(found.map(|(word, reason)| {
                Finding::new("words", format!("{path}:{}: `{word}` {reason}", number + 1))
            }));
        }
    }
    findings
}

/// A word in capitals stands alone; `NOTODOX` is another word. A path begins where no name ends.
fn contains_word(line: &str, word: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-');
    line.match_indices(word).any(|(start, _)| {
        let before = line.get(..start).and_then(|text| text.chars().next_back());
        let after = line.get(start + word.len()..).and_then(|text| text.chars().next());
        if word.starts_with('/') {
            // Behind a name or a dot it is the middle of a relative path.
            return !is_part(before) && !matches!(before, Some('.' | '}' | ')' | '*'));
        }
        !is_part(before) && !is_part(after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> usize {
        check(&Tree::sketch(&[("docs/page.md", text)])).len()
    }

    #[test]
    fn every_banned_word_is_found() {
        for (word, _) in BANNED {
            assert_eq!(count(&format!("fine\nsee {word}: here")), 1, "{word}");
        }
    }

    #[test]
    fn the_line_is_named() {
        let text = format!("fine\n// {}", BANNED[3].0);
        let tree = Tree::sketch(&[("a.rs", &text)]);
        assert!(check(&tree)[0].text.starts_with("a.rs:2: "));
    }

    #[test]
    fn parts_of_other_words_are_not() {
        let (path, later) = (BANNED[0].0, BANNED[3].0);
        assert_eq!(count(&format!("house{path}x ..{path} X{later} {later}_X")), 0);
    }
}

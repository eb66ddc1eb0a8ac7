//! Links between documents lead somewhere.

use super::{
    Finding,
    tree::{Tree, extension},
};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let documents = tree
        .below("")
        .filter(|(path, _)| extension(path) == "md")
        .filter(|(path, _)| path.starts_with("docs/") || !path.contains('/'));
    let mut findings = Vec::new();
    for (path, text) in documents {
        for target in targets(text) {
            let wanted = resolved(path, target);
            if !wanted.as_ref().is_some_and(|wanted| leads_somewhere(tree, wanted)) {
                let text = format!("{path} links to {target}, which is not there");
                findings.push(Finding::new("links", text));
            }
        }
    }
    findings
}

fn leads_somewhere(tree: &Tree, wanted: &str) -> bool {
    wanted.is_empty() || tree.paths.contains(wanted)
}

/// Relative targets of `[text](target)` and `[label]: target`, outside blocks of code.
fn targets(text: &str) -> Vec<&str> {
    let mut in_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        let inline = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        let label = line.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
        found.extend(inline.chain(label.map(|(_, target)| target.trim())));
    }
    found.retain(|target| !target.contains(':') && !target.starts_with('#') && !target.is_empty());
    found
}

/// The path from the root of the repository, or `None` for one that leads out of it.
fn resolved(document: &str, target: &str) -> Option<String> {
    let path = target.split(['#', '?']).next().unwrap_or_default();
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    if path.starts_with('/') {
        parts.clear();
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(readme: &str) -> Vec<String> {
        let tree = Tree::sketch(&[
            ("README.md", readme),
            ("docs/guides/a.md", "[up](../b.md#part) [root](../../README.md) [here](.)"),
            ("docs/b.md", ""),
        ]);
        check(&tree).into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn files_folders_and_places_on_a_page_are_found() {
        let readme = "[b](docs/b.md) and [c](docs/guides/) [d](#here) [e](https://example.com/x)\n\
                      [f]: docs/b.md\n```\n[g](nowhere.md)\n```\n";
        assert_eq!(texts(readme), [""; 0]);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_named() {
        let readme = "[a](docs/b.md) [b](docs/c.md)\n[c]: gone.md\n[d](../outside.md)\n";
        let found = texts(readme);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("README.md links to docs/c.md"));
    }
}

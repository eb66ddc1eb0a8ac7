//! The arrows of docs/architecture.md: which crate of the workspace may import which.

use super::{Finding, graph::Graph};

const RULE: &str = "arrows";

const KERNEL: &str = "portcullis-kernel";

/// Siblings: they never import each other, shared ids live in the kernel.
pub(super) const DOMAIN: [&str; 8] = [
    "portcullis-identity",
    "portcullis-credentials",
    "portcullis-tokens",
    "portcullis-limits",
    "portcullis-email",
    "portcullis-audit",
    "portcullis-registration",
    "portcullis-credits",
];

/// What a crate may import from the workspace.
enum Imports {
    Anything,
    Only(&'static [&'static [&'static str]]),
}

use Imports::{Anything, Only};

/// The whole table. A crate that is not in it is an error, so a new crate gets its place here.
const TABLE: [(&str, Imports); 23] = [
    (KERNEL, Only(&[])),
    ("portcullis-identity", Only(&[&[KERNEL]])),
    ("portcullis-credentials", Only(&[&[KERNEL]])),
    ("portcullis-tokens", Only(&[&[KERNEL]])),
    ("portcullis-limits", Only(&[&[KERNEL]])),
    ("portcullis-email", Only(&[&[KERNEL]])),
    ("portcullis-audit", Only(&[&[KERNEL]])),
    ("portcullis-registration", Only(&[&[KERNEL]])),
    ("portcullis-credits", Only(&[&[KERNEL]])),
    ("portcullis-storage", Only(&[&[KERNEL], &DOMAIN])),
    ("portcullis-flows", Only(&[&[KERNEL], &DOMAIN, &["portcullis-storage"]])),
    // Adapters: only the server, testkit and the examples import them.
    ("portcullis-storage-diesel", Only(&[&[KERNEL], &DOMAIN, &["portcullis-storage"]])),
    ("portcullis-jose", Only(&[&[KERNEL, "portcullis-tokens"]])),
    ("portcullis-email-transports", Only(&[&[KERNEL, "portcullis-email"]])),
    ("portcullis-system", Only(&[&[KERNEL]])),
    // For other services: of the server it knows the tokens, and the rest over the network.
    ("portcullis-guard", Only(&[&[KERNEL, "portcullis-tokens"]])),
    // Not storage: a handler reaches it through a use case.
    ("portcullis-http", Only(&[&[KERNEL], &DOMAIN, &["portcullis-flows"]])),
    (
        "portcullis",
        Only(&[
            &[KERNEL],
            &DOMAIN,
            &["portcullis-storage", "portcullis-flows", "portcullis-http"],
            &["portcullis-storage-diesel", "portcullis-jose", "portcullis-system"],
            &["portcullis-email-transports"],
        ]),
    ),
    (
        "portcullis-testkit",
        Only(&[
            &[KERNEL],
            &DOMAIN,
            &["portcullis-storage", "portcullis-flows", "portcullis-http"],
            &["portcullis-storage-diesel", "portcullis-jose", "portcullis-system"],
            &["portcullis-email-transports"],
            &["portcullis-testkit-postgres", "portcullis-testkit-browser"],
        ]),
    ),
    ("portcullis-testkit-postgres", Only(&[])),
    ("portcullis-testkit-browser", Only(&[])),
    ("portcullis-examples", Anything),
    ("xtask", Only(&[&["portcullis-testkit-postgres", "portcullis-testkit-browser"]])),
];

pub(super) fn check(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, member) in &graph.members {
        let Some((_, imports)) = TABLE.iter().find(|(known, _)| known == name) else {
            findings.push(Finding::new(
                RULE,
                format!("{name} has no place: add it to the table in xtask/src/tidy/arrows.rs"),
            ));
            continue;
        };
        let refused = member
            .uses
            .iter()
            .filter(|used| graph.members.contains_key(*used) && !allows(imports, used));
        findings.extend(refused.map(|used| {
            let text = format!(
                "{name} imports {used}, which does not lie below it: see docs/architecture.md, \
                 and move the code to where both can reach it"
            );
            Finding::new(RULE, text)
        }));
    }
    findings
}

fn allows(imports: &Imports, used: &str) -> bool {
    match imports {
        Anything => true,
        Only(groups) => groups.iter().any(|group| group.contains(&used)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[(&str, &[&str], &[&str])]) -> Vec<String> {
        check(&Graph::sketch(lines)).into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn siblings_do_not_import_each_other() {
        let identity =
            ("portcullis-identity", [KERNEL, "portcullis-tokens"].as_slice(), [].as_slice());
        let found =
            texts(&[(KERNEL, &["time"], &[]), ("portcullis-tokens", &[KERNEL], &[]), identity]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("portcullis-identity imports portcullis-tokens"));
    }

    #[test]
    fn handlers_and_flows_know_no_adapter() {
        let found = texts(&[
            ("portcullis-jose", &[], &[]),
            ("portcullis-storage", &[], &[]),
            ("portcullis-flows", &["portcullis-jose", "portcullis-storage"], &[]),
            ("portcullis-http", &["portcullis-storage"], &["portcullis-jose"]),
            ("portcullis", &["portcullis-jose", "portcullis-storage"], &[]),
        ]);
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_new_crate_has_to_be_placed() {
        let found = texts(&[("portcullis-new", &[], &[])]);
        assert!(found[0].contains("add it to the table"), "{found:?}");
    }

    #[test]
    fn what_tests_use_is_free() {
        let found =
            texts(&[("portcullis-testkit", &[], &[]), (KERNEL, &[], &["portcullis-testkit"])]);
        assert_eq!(found, [""; 0]);
    }
}

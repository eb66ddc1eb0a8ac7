//! Domain crates and flows do no input or output: they cannot even reach what does.

use super::{Finding, arrows::DOMAIN, graph::Graph};

const RULE: &str = "purity";

const PURE: [&str; 3] = ["portcullis-kernel", "portcullis-storage", "portcullis-flows"];

const BANNED_FAMILIES: [&str; 4] = ["actix", "diesel", "tokio", "openssl"];
const BANNED: [&str; 3] = ["pq-sys", "libsqlite3-sys", "r2d2"];

pub(super) fn check(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in PURE.iter().chain(&DOMAIN) {
        if let Some(way) = graph.way(name, is_banned) {
            let text = format!(
                "{}: a domain crate knows no runtime, database or OpenSSL, move this to an adapter",
                way.join(" → ")
            );
            findings.push(Finding::new(RULE, text));
        }
        let tests_with = graph.members.get(*name).map(|member| &member.tests_with);
        for used in tests_with.into_iter().flatten().filter(|used| is_banned(used)) {
            let text =
                format!("{name} tests with {used}: test it from the adapter or from testkit");
            findings.push(Finding::new(RULE, text));
        }
    }
    findings
}

fn is_banned(package: &str) -> bool {
    BANNED.contains(&package) || BANNED_FAMILIES.iter().any(|family| package.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_far_below_is_found_with_the_way_to_it() {
        let graph = Graph::sketch(&[
            ("portcullis-flows", &["helper"], &[]),
            ("helper", &["tokio-util"], &[]),
            ("portcullis-http", &["actix-web"], &[]),
        ]);
        let found = check(&graph);
        assert_eq!(found.len(), 1);
        assert!(found[0].text.starts_with("portcullis-flows → helper → tokio-util:"));
    }

    #[test]
    fn every_banned_package_is_refused_everywhere() {
        for banned in ["actix-web", "diesel", "tokio", "openssl-sys", "pq-sys", "libsqlite3-sys"] {
            for name in PURE.iter().chain(&DOMAIN) {
                assert_eq!(check(&Graph::sketch(&[(name, &[banned], &[])])).len(), 1, "{name}");
                assert_eq!(check(&Graph::sketch(&[(name, &[], &[banned])])).len(), 1, "{name}");
            }
        }
    }

    #[test]
    fn other_packages_are_welcome() {
        assert_eq!(check(&Graph::sketch(&[("portcullis-kernel", &["ring", "time"], &[])])), []);
    }
}

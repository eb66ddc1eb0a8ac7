//! axe-core: what hinders people who use a keyboard, a screen reader or big letters.

use serde_json::Value;

/// See `data/README.md`.
const AXE: &str = include_str!("../data/axe.min.js");

/// Every rule, best practices included; what axe-core is not sure of is left out.
const RUN: &str = "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
    violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .flatMap(({ id, impact, help, nodes }) => nodes.map(({ target, html }) =>
            `${impact}: ${help} (${id}): ${target.join(' ')}: ${html}`)))";

/// An expression that promises one line for each serious or critical violation.
pub(crate) fn expression() -> String {
    format!("{AXE};\n{RUN}")
}

/// The lines of what the expression gave.
pub(crate) fn lines(found: &Value) -> Option<Vec<String>> {
    found.as_array()?.iter().map(|line| line.as_str().map(str::to_owned)).collect()
}

//! The packages and their dependencies, as far as the rules need them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use cargo_metadata::{DependencyKind, Metadata, Package};

use crate::process;

/// A crate of the workspace.
#[derive(Debug, Default)]
pub(crate) struct Member {
    /// Names of direct normal and build dependencies, optional ones included.
    pub(crate) uses: BTreeSet<String>,
    /// Names of direct development dependencies.
    pub(crate) tests_with: BTreeSet<String>,
    pub(crate) description: Option<String>,
    /// Relative to the workspace, with `/`.
    pub(crate) manifest: String,
    /// The root source files of its library and programs.
    pub(crate) roots: Vec<String>,
}

/// The workspace and everything below it.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) members: BTreeMap<String, Member>,
    /// Resolved normal and build edges between packages, by name.
    pub(crate) edges: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Takes what the rules need from `cargo metadata`.
    pub(crate) fn read(metadata: &Metadata) -> Self {
        let members = metadata
            .workspace_packages()
            .into_iter()
            .map(|package| (package.name.to_string(), member(package)))
            .collect();
        Self { members, edges: edges(metadata) }
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// The shortest way from a package to one that `is_wanted`, both ends included.
    pub(crate) fn way(&self, from: &str, is_wanted: impl Fn(&str) -> bool) -> Option<Vec<String>> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut queue = VecDeque::from([from]);
        while let Some(package) = queue.pop_front() {
            if is_wanted(package) {
                return Some(walked(package, from, &came_from));
            }
            for next in self.edges.get(package).into_iter().flatten() {
                if next != from && !came_from.contains_key(next.as_str()) {
                    came_from.insert(next, package);
                    queue.push_back(next);
                }
            }
        }
        None
    }
}

fn walked(to: &str, from: &str, came_from: &BTreeMap<&str, &str>) -> Vec<String> {
    let mut way = vec![to.to_owned()];
    let mut package = to;
    while let Some(previous) = came_from.get(package).filter(|_| package != from) {
        way.push((*previous).to_owned());
        package = previous;
    }
    way.reverse();
    way
}

fn member(package: &Package) -> Member {
    let mut member = Member {
        description: package.description.clone(),
        manifest: relative(package.manifest_path.as_str()),
        roots: package
            .targets
            .iter()
            .filter(|target| target.is_lib() || target.is_bin())
            .map(|target| relative(target.src_path.as_str()))
            .collect(),
        ..Member::default()
    };
    for dependency in &package.dependencies {
        let list = match dependency.kind {
            DependencyKind::Development => &mut member.tests_with,
            _ => &mut member.uses,
        };
        list.insert(dependency.name.clone());
    }
    member
}

fn relative(path: &str) -> String {
    let root = format!("{}/", process::root().display());
    path.strip_prefix(&root).unwrap_or(path).replace('\\', "/")
}

fn edges(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    let names: HashMap<_, _> =
        metadata.packages.iter().map(|package| (&package.id, package.name.to_string())).collect();
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in metadata.resolve.iter().flat_map(|resolve| &resolve.nodes) {
        let Some(from) = names.get(&node.id) else { continue };
        let to = node
            .deps
            .iter()
            .filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development))
            .filter_map(|dep| names.get(&dep.pkg).cloned());
        edges.entry(from.clone()).or_default().extend(to);
    }
    edges
}

#[cfg(test)]
impl Graph {
    /// Builds a graph from `name: dependency dependency [dev]` lines.
    pub(crate) fn sketch(lines: &[(&str, &[&str], &[&str])]) -> Self {
        let mut graph = Self::default();
        for (name, uses, tests_with) in lines {
            let set = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
            let member =
                Member { uses: set(uses), tests_with: set(tests_with), ..Member::default() };
            graph.members.insert((*name).to_owned(), member);
            graph.edges.insert((*name).to_owned(), set(uses));
        }
        graph
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_way_is_found_and_circles_end() {
        let graph = Graph::sketch(&[
            ("a", &["b", "c"], &[]),
            ("b", &["a", "d"], &[]),
            ("c", &["d"], &["far"]),
            ("d", &["e"], &[]),
        ]);
        assert_eq!(graph.way("a", |name| name == "e").unwrap(), ["a", "b", "d", "e"]);
        assert_eq!(graph.way("a", |name| name == "far"), None);
    }
}

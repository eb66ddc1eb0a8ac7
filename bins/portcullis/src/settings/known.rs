use std::collections::{BTreeMap, BTreeSet};

use config::{Map, Value, ValueKind};

use super::{
    layers::{PREFIX, variable},
    problem::Problem,
};

/// The keys that exist.
pub(crate) struct Known {
    settings: BTreeSet<String>,
    sections: BTreeSet<String>,
}

impl From<&Value> for Known {
    /// Every key of a tree that holds them all: that of the built-in defaults.
    fn from(defaults: &Value) -> Self {
        let mut known = Self { settings: BTreeSet::new(), sections: BTreeSet::new() };
        known.learn("", defaults);
        known
    }
}

impl Known {
    fn learn(&mut self, key: &str, value: &Value) {
        if let ValueKind::Table(table) = &value.kind {
            self.sections.insert(key.to_owned());
            for (name, value) in table {
                self.learn(&below(key, name), value);
            }
        } else {
            self.settings.insert(key.to_owned());
        }
    }

    /// The full key of every setting.
    #[cfg(test)]
    pub(crate) fn settings(&self) -> impl Iterator<Item = &str> {
        self.settings.iter().map(String::as_str)
    }

    /// What of a file's values exists; the rest is reported.
    pub(crate) fn keep(
        &self,
        values: Map<String, Value>,
        problems: &mut Vec<Problem>,
    ) -> Map<String, Value> {
        self.keep_below("", values, problems)
    }

    fn keep_below(
        &self,
        section: &str,
        values: Map<String, Value>,
        problems: &mut Vec<Problem>,
    ) -> Map<String, Value> {
        let mut kept = Map::new();
        for (name, value) in values {
            let key = below(section, &name);
            let origin = value.origin().map(str::to_owned);
            let is_section = self.sections.contains(&key);
            match value.kind {
                ValueKind::Table(table) if is_section => {
                    let table = self.keep_below(&key, table, problems);
                    kept.insert(name, Value::new(origin.as_ref(), table));
                }
                kind if self.settings.contains(&key) => {
                    kept.insert(name, Value::new(origin.as_ref(), kind));
                }
                _ => problems.push(self.complain(&key, is_section).said_in(origin)),
            }
        }
        kept
    }

    /// Whether a variable without our prefix reads like a setting with an underscore too few.
    fn is_meant_for_us(&self, variable: &str) -> bool {
        let Some(name) = variable.strip_prefix("PORTCULLIS_") else { return false };
        let name = name.to_lowercase();
        name.contains("__") || self.settings.iter().any(|key| key.replace('.', "_") == name)
    }

    /// What of the environment's variables with our prefix exists; the rest is reported.
    pub(crate) fn keep_variables(
        &self,
        variables: &BTreeMap<String, String>,
        problems: &mut Vec<Problem>,
    ) -> Map<String, String> {
        let mut kept = Map::new();
        for (variable, value) in variables {
            let Some(name) = variable.strip_prefix(PREFIX) else {
                // Kubernetes makes variables such as PORTCULLIS_PORT, but none with two underscores.
                if self.is_meant_for_us(variable) {
                    let text = format!("{variable}: settings begin with {PREFIX}, two underscores");
                    problems.push(Problem::general(text));
                }
                continue;
            };
            let key = name.to_lowercase().replace("__", ".");
            if self.settings.contains(&key) {
                kept.insert(variable.clone(), value.clone());
            } else {
                let problem = self.complain(&key, self.sections.contains(&key));
                problems.push(problem.said_in(Some(variable.clone())));
            }
        }
        kept
    }

    fn complain(&self, key: &str, is_section: bool) -> Problem {
        if is_section {
            let text = format!("is a section, not a setting; it holds {}", self.members(key));
            return Problem::of(key, text);
        }
        let near = self.settings.iter().map(|known| (strsim::levenshtein(key, known), known)).min();
        let text = match near {
            Some((changes, known)) if changes <= 3 => {
                format!("there is no such setting; is {known} ({}) meant?", variable(known))
            }
            _ => {
                let parents = key.match_indices('.').rev().filter_map(|(at, _)| key.get(..at));
                let section = parents.chain([""]).find(|parent| self.sections.contains(*parent));
                let section = section.unwrap_or_default();
                let place = if section.is_empty() { "the top level" } else { section };
                format!("there is no such setting; {place} holds {}", self.members(section))
            }
        };
        Problem::of(key, text)
    }

    /// The names directly below a section.
    fn members(&self, section: &str) -> String {
        let all = self.settings.iter().chain(&self.sections);
        let names = all.filter_map(|key| match section {
            "" => Some(key.as_str()),
            _ => key.strip_prefix(section)?.strip_prefix('.'),
        });
        let direct: BTreeSet<&str> =
            names.filter(|name| !name.is_empty() && !name.contains('.')).collect();
        direct.into_iter().collect::<Vec<_>>().join(", ")
    }
}

fn below(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

//! Built-in defaults, then the file, then the environment; and where each value came from.

use std::{collections::BTreeMap, fmt};

use config::{Config, ConfigError, Environment, File, FileFormat, Map, Source, Value, ValueKind};
use serde::Deserialize;

use super::{
    known::Known,
    problem::{Problem, Problems},
    sections::Settings,
};

pub(crate) const PREFIX: &str = "PORTCULLIS__";
const ENVIRONMENT: &str = "the environment";

/// What the layers above the built-in defaults are read from.
#[derive(Clone, Default)]
pub(crate) struct Sources {
    /// A name to show, and the text.
    pub(crate) file: Option<(String, String)>,
    /// Variables of the environment, whatever their names.
    pub(crate) environment: BTreeMap<String, String>,
}

/// The merged settings and the tree they were read from.
pub(crate) struct Layered {
    pub(crate) settings: Settings,
    pub(crate) tree: Value,
}

/// Merges the layers. Keys that do not exist and values of the wrong kind are all reported at once.
pub(crate) fn merge(defaults: &Settings, sources: &Sources) -> Result<Layered, Problems> {
    let internal = |error: ConfigError| Problems::one(Problem::general(error.to_string()));
    let defaults = Config::try_from(defaults).map_err(internal)?.cache;
    let known = Known::from(&defaults);
    let mut problems = Vec::new();
    let file = sources.file.as_ref().map(|(name, text)| read_file(name, text)).transpose()?;
    let file = known.keep(file.unwrap_or_default(), &mut problems);
    let environment = known.keep_variables(&sources.environment, &mut problems);
    let merged = Config::builder()
        .add_source(Layer(table(defaults.clone())))
        .add_source(Layer(file))
        .add_source(
            Environment::with_prefix(PREFIX.trim_end_matches('_'))
                .prefix_separator("__")
                .separator("__")
                .ignore_empty(true)
                .source(Some(environment)),
        )
        .build()
        .map_err(internal)?;
    let mut tree = merged.cache;
    let settings = read_all(&mut tree, &defaults, &mut problems)?;
    Problems::or(problems, Layered { settings, tree })
}

/// Where the value of a key was set: a file's name, a variable's name, or nowhere.
pub(crate) fn origin(tree: &Value, key: &str) -> Option<String> {
    match find(tree, key)?.origin()? {
        ENVIRONMENT => Some(variable(key)),
        file => Some(file.to_owned()),
    }
}

/// The environment's name of a setting.
pub(crate) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// Reads the settings; a value that cannot be read is reported and replaced by its default, so that
/// one mistake does not hide the next.
fn read_all(
    tree: &mut Value,
    defaults: &Value,
    problems: &mut Vec<Problem>,
) -> Result<Settings, Problems> {
    loop {
        let error = match Settings::deserialize(tree.clone()) {
            Ok(settings) => return Ok(settings),
            Err(error) => error,
        };
        let (key, text) = explain(&error);
        let origin = origin(tree, &key);
        let fallback = find(defaults, &key).cloned();
        let again = problems.iter().any(|problem| problem.key() == Some(key.as_str()));
        if !again {
            problems.push(Problem::of(&key, text).said_in(origin));
        }
        match (fallback, find_mut(tree, &key)) {
            (Some(fallback), Some(place)) if !again => *place = fallback,
            _ => return Err(Problems(std::mem::take(problems))),
        }
    }
}

/// The key of a value that cannot be read, without an index into a list, and why.
fn explain(error: &ConfigError) -> (String, String) {
    let (key, text) = match error {
        ConfigError::Type { unexpected, expected, key, .. } => {
            let expected = if expected.contains("integer") { "a whole number" } else { expected };
            (key.clone(), format!("must be {expected}, not {unexpected}"))
        }
        ConfigError::At { error, key, .. } => (key.clone(), explain(error).1),
        other => (None, other.to_string()),
    };
    let key = key.unwrap_or_default();
    (key.split('[').next().unwrap_or_default().to_owned(), text)
}

fn read_file(name: &str, text: &str) -> Result<Map<String, Value>, Problems> {
    let parsed = File::from_str(text, FileFormat::Toml).collect();
    let mut values = parsed.map_err(|error| {
        Problems::one(Problem::general(format!("{name}: {}", one_line(&error.to_string()))))
    })?;
    for value in values.values_mut() {
        stamp(value, name);
    }
    Ok(values)
}

/// A parser's complaint without the lines of the file that it quotes: one of them may be a secret.
fn one_line(complaint: &str) -> String {
    let own = complaint.lines().filter(|line| !line.contains('|') && !line.trim().is_empty());
    own.collect::<Vec<_>>().join(": ")
}

/// Notes the file's name as the origin of a value and of all below it.
fn stamp(value: &mut Value, name: &str) {
    if let ValueKind::Table(table) = &mut value.kind {
        for value in table.values_mut() {
            stamp(value, name);
        }
    }
    *value = Value::new(Some(&name.to_owned()), std::mem::take(&mut value.kind));
}

pub(super) fn table(value: Value) -> Map<String, Value> {
    match value.kind {
        ValueKind::Table(table) => table,
        _ => Map::new(),
    }
}

pub(super) fn find<'t>(tree: &'t Value, key: &str) -> Option<&'t Value> {
    key.split('.').try_fold(tree, |value, part| match &value.kind {
        ValueKind::Table(table) => table.get(part),
        _ => None,
    })
}

fn find_mut<'t>(tree: &'t mut Value, key: &str) -> Option<&'t mut Value> {
    key.split('.').try_fold(tree, |value, part| match &mut value.kind {
        ValueKind::Table(table) => table.get_mut(part),
        _ => None,
    })
}

/// Values as they were given, secrets among them.
#[derive(Clone)]
struct Layer(Map<String, Value>);

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Layer")
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

use serde_json::{Map, Value};

use super::{layers, loaded::Loaded};

impl Loaded {
    /// The settings in effect, as a settings file, each with where it came from; no secret is shown.
    pub(crate) fn show(&self) -> String {
        let tree = serde_json::to_value(&self.settings).unwrap_or_default();
        let mut lines = Vec::new();
        if let Value::Object(table) = &tree {
            self.show_section("", table, &mut lines);
        }
        lines.join("\n")
    }

    fn show_section(&self, section: &str, table: &Map<String, Value>, lines: &mut Vec<String>) {
        let key_of = |name: &str| match section {
            "" => name.to_owned(),
            _ => format!("{section}.{name}"),
        };
        if !section.is_empty() && table.values().any(|value| !value.is_object()) {
            lines.push(format!("\n[{section}]"));
        }
        for (name, value) in table.iter().filter(|(_, value)| !value.is_object()) {
            lines.push(self.show_setting(name, &key_of(name), value));
        }
        for (name, value) in table {
            if let Value::Object(below) = value {
                self.show_section(&key_of(name), below, lines);
            }
        }
    }

    fn show_setting(&self, name: &str, key: &str, value: &Value) -> String {
        let origin = layers::origin(&self.tree, key);
        if value.is_null() {
            return format!("# {name} is not set");
        }
        match origin {
            Some(origin) => format!("{name} = {value} # {origin}"),
            None => format!("{name} = {value}"),
        }
    }
}

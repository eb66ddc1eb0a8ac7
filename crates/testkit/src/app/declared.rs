use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What the OpenAPI document says is served: for each path the methods, for each method the statuses.
#[derive(Debug)]
pub struct Declared(BTreeMap<String, BTreeMap<String, BTreeSet<u16>>>);

impl Declared {
    /// Reads the document of the real routes.
    ///
    /// # Panics
    /// When it is not a document.
    pub fn read() -> Self {
        Self::parse(&portcullis_http::openapi())
    }

    /// Reads it together with what is there in development only.
    ///
    /// # Panics
    /// When it is not a document.
    pub fn read_all() -> Self {
        let mut hidden = Self::parse(&portcullis_http::development_openapi());
        // Elsewhere it is not there.
        hidden.0.values_mut().flat_map(BTreeMap::values_mut).for_each(|statuses| {
            statuses.insert(404);
        });
        let mut all = Self::read();
        all.0.extend(hidden.0);
        all
    }

    fn parse(document: &str) -> Self {
        let document: Value = serde_json::from_str(document).expect("JSON");
        let paths = document["paths"].as_object().expect("paths");
        let methods = |item: &Value| {
            let operations = item.as_object().expect("operations");
            let entry = |(method, operation): (&String, &Value)| {
                let statuses = operation["responses"].as_object().expect("responses").keys();
                let statuses = statuses.map(|status| status.parse().expect("a status"));
                (method.to_ascii_uppercase(), statuses.collect())
            };
            operations.iter().map(entry).collect()
        };
        Self(paths.iter().map(|(path, item)| (path.clone(), methods(item))).collect())
    }

    /// Every path, as the document writes it, with its methods.
    pub fn paths(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        self.0.iter().map(|(path, methods)| {
            (path.as_str(), methods.keys().map(String::as_str).collect::<Vec<_>>())
        })
    }

    /// A line for every method and path, with its statuses.
    pub fn lines(&self) -> Vec<String> {
        let line = |path: &str, method: &str, statuses: &BTreeSet<u16>| {
            let statuses: Vec<_> = statuses.iter().map(u16::to_string).collect();
            format!("{method} {path} {}", statuses.join(" "))
        };
        let of_path = |(path, methods): (&String, &BTreeMap<_, _>)| {
            let (path, methods): (String, BTreeMap<String, BTreeSet<u16>>) =
                (path.clone(), methods.clone());
            methods.into_iter().map(move |(m, s)| line(&path, &m, &s)).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of_path).collect()
    }

    /// The statuses of a method at a concrete path; `None` where no such route is declared.
    pub fn statuses(&self, method: &str, path: &str) -> Option<&BTreeSet<u16>> {
        let method = if method == "HEAD" { "GET" } else { method };
        let methods = self.0.iter().find(|(template, _)| fits(template, path)).map(|(_, m)| m)?;
        methods.get(method)
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(name), Some(value)) if name.starts_with('{') && !value.is_empty() => {}
            (Some(name), Some(value)) if name == value => {}
            _ => return false,
        }
    }
}

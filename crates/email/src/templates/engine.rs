//! The template language, as mail wants it.

use std::error::Error as _;

use minijinja::{
    AutoEscape, Environment, Error, Output, State, UndefinedBehavior, Value, syntax::SyntaxConfig,
};

use super::{TemplateError, built_in::KINDS};

/// What the first line of a text template begins with.
const SUBJECT: &str = "Subject:";
/// What a subject is called among the templates, before the name of its text template.
const SUBJECT_OF: &str = "subject of ";

/// Templates that were read without error.
pub(super) struct Engine(Environment<'static>);

impl Engine {
    /// No templates yet. An unknown variable is an error; a tag on a line of its own leaves no line.
    pub(super) fn new() -> Self {
        let mut environment = Environment::new();
        if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
            environment.set_syntax(syntax);
        }
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(escaping);
        environment.set_formatter(write_value);
        Self(environment)
    }

    /// Adds a template. The subject of a text becomes a template of its own, so that no value can add
    /// a line to it or take one away.
    pub(super) fn add(&mut self, name: &'static str, source: &str) -> Result<(), TemplateError> {
        // An editor may leave a byte order mark and its own line ends.
        let source = source.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        if !name.strip_suffix(".txt").is_some_and(|kind| KINDS.contains(&kind)) {
            let added = self.0.add_template_owned(name, source);
            return added.map_err(|error| broken(name, &error));
        }
        let flaw =
            |cause: &str| TemplateError { template: name.to_owned(), cause: cause.to_owned() };
        let (first, rest) = source.split_once('\n').unwrap_or((&source, ""));
        let subject = first
            .strip_prefix(SUBJECT)
            .ok_or_else(|| flaw("its first line does not begin with `Subject:`"))?;
        if !rest.lines().next().unwrap_or_default().trim().is_empty() {
            return Err(flaw("its second line is not empty"));
        }
        self.0
            .add_template_owned(format!("{SUBJECT_OF}{name}"), subject.trim().to_owned())
            // The line of the subject stays, empty: an error tells the line of the file.
            .and_then(|()| self.0.add_template_owned(name, format!("\n{rest}")))
            .map_err(|error| broken(name, &error))
    }

    /// The subject of a text template.
    pub(super) fn subject(&self, text: &str, values: &Value) -> Result<String, TemplateError> {
        Ok(self.render(&format!("{SUBJECT_OF}{text}"), values)?.trim().to_owned())
    }

    /// What a template makes of the values.
    pub(super) fn render(&self, name: &str, values: &Value) -> Result<String, TemplateError> {
        let template = self.0.get_template(name);
        template
            .and_then(|template| template.render(values.clone()))
            .map_err(|error| broken(name, &error))
    }
}

fn escaping(name: &str) -> AutoEscape {
    match name.rsplit_once('.') {
        Some((_, "html")) => AutoEscape::Html,
        _ => AutoEscape::None,
    }
}

fn write_value(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    let text = value.to_string();
    if *state.auto_escape() == AutoEscape::None || value.is_safe() {
        out.write_str(&text)?;
    } else {
        out.write_str(&escaped(&text))?;
    }
    Ok(())
}

/// A text in HTML. Slashes stay: some programs that read mail find links in the source.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn broken(name: &str, error: &Error) -> TemplateError {
    let mut cause = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        cause.push_str(": ");
        cause.push_str(&inner.to_string());
        source = inner.source();
    }
    let template = error.name().unwrap_or(name);
    let template = template.strip_prefix(SUBJECT_OF).unwrap_or(template).to_owned();
    TemplateError { template, cause }
}

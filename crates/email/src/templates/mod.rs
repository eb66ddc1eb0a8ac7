mod built_in;
mod engine;
mod facts;
mod judge;
mod samples;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::{engine::Engine, facts::Facts};
use crate::{Letter, Message};

/// What every mail says of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branding {
    /// The name of the service, as people know it.
    pub service: String,
    /// The origin of every link, without a slash at its end.
    pub public_url: String,
}

/// A template that cannot be read or rendered.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mail template {template} cannot be used: {cause}")]
pub struct TemplateError {
    /// Its name, such as `verify_email.txt`.
    pub template: String,
    /// What is wrong with it.
    pub cause: String,
}

/// The words of every letter.
pub struct Templates {
    branding: Branding,
    engine: Engine,
}

impl Templates {
    /// The built-in templates, with some of them replaced by their file name.
    ///
    /// Every kind of letter is rendered once, so that a bad replacement is found here and not when a
    /// mail is due.
    ///
    /// # Errors
    /// [`TemplateError`] for a name that there is not, a text that is no template or asks for a
    /// variable that its letter has not, a subject that is no plain line or tells the secret, and a
    /// mail that lacks the link or code it is for.
    pub fn new(
        branding: Branding,
        mut replaced: BTreeMap<String, String>,
    ) -> Result<Self, TemplateError> {
        let mut engine = Engine::new();
        for (name, built_in) in Self::built_in() {
            let source = replaced.remove(*name).unwrap_or_else(|| (*built_in).to_owned());
            engine.add(name, &source)?;
        }
        if let Some((unknown, _)) = replaced.pop_first() {
            let names: Vec<&str> = built_in::FILES.iter().map(|(name, _)| *name).collect();
            let cause = format!("there is none of this name; there are {}", names.join(", "));
            return Err(TemplateError { template: unknown, cause });
        }
        let templates = Self { branding, engine };
        samples::letters().iter().try_for_each(|letter| templates.render(letter).map(drop))?;
        Ok(templates)
    }

    /// Every template that can be replaced: its file name and its text.
    pub fn built_in() -> &'static [(&'static str, &'static str)] {
        &built_in::FILES
    }

    /// The message that tells a letter.
    ///
    /// # Errors
    /// [`TemplateError`]; it never shows a secret that the letter carries.
    pub fn render(&self, letter: &Letter) -> Result<Message, TemplateError> {
        let facts = Facts::of(letter, &self.branding);
        self.message(letter, &facts).map_err(|mut error| {
            for secret in facts.carries.secrets() {
                error.cause = error.cause.replace(secret, "…");
            }
            error
        })
    }

    fn message(&self, letter: &Letter, facts: &Facts) -> Result<Message, TemplateError> {
        let kind = letter.content.kind();
        let values = facts.values();
        let text = format!("{kind}.txt");
        let message = Message {
            to: letter.to.clone(),
            subject: self.engine.subject(&text, &values)?,
            text: tidy(&self.engine.render(&text, &values)?),
            html: tidy(&self.engine.render(&format!("{kind}.html"), &values)?),
        };
        judge::check(&message, kind, &facts.carries)?;
        Ok(message)
    }
}

/// Without space at line ends, with one empty line where a template left more, and one end of line.
fn tidy(rendered: &str) -> String {
    let mut tidied = String::with_capacity(rendered.len());
    let mut empty = false;
    for line in rendered.trim().lines().map(str::trim_end) {
        if !(line.is_empty() && empty) {
            tidied.push_str(line);
            tidied.push('\n');
        }
        empty = line.is_empty();
    }
    tidied
}

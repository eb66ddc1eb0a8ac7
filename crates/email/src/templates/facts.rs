//! What a template is told.

use std::{fmt::Write as _, slice};

use minijinja::Value;
use portcullis_kernel::{
    ExposeSecret, Instant,
    words::{readable, span},
};

use super::Branding;
use crate::{Carried, Content, Letter, RecoverableAgent};

/// The variables of one letter, and what it carries.
pub(super) struct Facts {
    values: Vec<(&'static str, Value)>,
    pub(super) carries: Carries,
}

/// What is in a letter that lets its reader act.
#[derive(Debug)]
pub(super) enum Carries {
    Nothing,
    Token { token: String, link: String },
    Codes(Vec<String>),
}

impl Carries {
    /// What has to stay between the server and the reader.
    pub(super) fn secrets(&self) -> &[String] {
        match self {
            Self::Nothing => &[],
            Self::Token { token, .. } => slice::from_ref(token),
            Self::Codes(codes) => codes,
        }
    }
}

impl Facts {
    /// Reads a letter.
    pub(super) fn of(letter: &Letter, branding: &Branding) -> Self {
        let origin = branding.public_url.trim_end_matches('/');
        let mut facts = Self { values: Vec::new(), carries: Carries::Nothing };
        facts.put("service", branding.service.as_str());
        facts.put("public_url", origin);
        facts.put("asked_at", readable(letter.asked.at));
        facts.put("network", letter.asked.network());
        facts.read(&letter.content, letter.asked.at, origin);
        facts
    }

    /// The variables, as a template takes them.
    pub(super) fn values(&self) -> Value {
        Value::from_pairs(self.values.iter().cloned())
    }

    fn read(&mut self, content: &Content, asked_at: Instant, origin: &str) {
        match content {
            Content::VerifyEmail { token, expires_at } => {
                self.act(format!("{origin}/verify-email?token="), token);
                self.end(asked_at, *expires_at);
            }
            Content::ResetPassword { token, expires_at } => {
                self.act(format!("{origin}/reset-password?token="), token);
                self.end(asked_at, *expires_at);
            }
            Content::ConfirmDeletion { token, expires_at } => {
                self.act(format!("{origin}/account/delete?token="), token);
                self.end(asked_at, *expires_at);
            }
            Content::Invitation { token, expires_at } => {
                self.act(format!("{origin}/account/register?invitation="), token);
                self.end(asked_at, *expires_at);
            }
            Content::ConfirmNewEmail { code, expires_at } => {
                self.code(code);
                self.end(asked_at, *expires_at);
            }
            Content::AccountReclaimed { opened_at, opened_from, token } => {
                self.put("opened_at", readable(*opened_at));
                self.put("opened_from", opened_from.clone());
                self.put("password_needed", token.is_some());
                match token {
                    Some(token) => self.act(format!("{origin}/reset-password?token="), token),
                    None => self.put("link", format!("{origin}/reset-password")),
                }
            }
            Content::PasswordChanged {} | Content::EmailChangeAsked {} => {
                self.put("link", format!("{origin}/reset-password"));
            }
            Content::RefreshReplayed { everywhere } => {
                self.put("everywhere", *everywhere);
                self.put("link", format!("{origin}/account"));
            }
            // A reset goes to the address that the account has now, which is another one.
            Content::EmailChanged {} | Content::NewEmailTaken {} | Content::NewSignIn {} => {
                self.put("link", format!("{origin}/account"));
            }
            Content::AccountDeleted {} | Content::Test {} => {}
            of_agents => self.read_of_agents(of_agents, asked_at, origin),
        }
    }

    fn read_of_agents(&mut self, content: &Content, asked_at: Instant, origin: &str) {
        match content {
            Content::AgentVerifyEmail { name, agent, token, expires_at } => {
                self.agent(name, agent);
                self.act(format!("{origin}/verify-email?token="), token);
                self.end(asked_at, *expires_at);
            }
            Content::AgentRecoveryCodes { agents, expires_at } => {
                self.recoverable(agents);
                self.end(asked_at, *expires_at);
            }
            Content::AgentRecovered { name, agent, keys_revoked } => {
                self.agent(name, agent);
                self.put("keys_revoked", *keys_revoked);
            }
            Content::ClaimCode { agent, asked_from, scopes, code, expires_at } => {
                self.put("agent_id", agent.as_str());
                self.put("asked_from", asked_from.clone());
                self.put("scopes", scopes.as_str());
                self.code(code);
                self.end(asked_at, *expires_at);
            }
            Content::AgentClaimed { agent, scopes, token, expires_at } => {
                self.put("agent_id", agent.as_str());
                self.put("scopes", scopes.as_str());
                self.act(format!("{origin}/claim/undo?token="), token);
                self.end(asked_at, *expires_at);
            }
            Content::AgentEmailChangeAsked { name, agent }
            | Content::AgentEmailChanged { name, agent }
            | Content::AgentDeleted { name, agent } => self.agent(name, agent),
            _ => {}
        }
    }

    fn agent(&mut self, name: &str, id: &str) {
        self.put("agent_name", name);
        self.put("agent_id", id);
    }

    fn recoverable(&mut self, agents: &[RecoverableAgent]) {
        let listed = |recoverable: &RecoverableAgent| {
            let RecoverableAgent { name, agent, code } = recoverable;
            Value::from_pairs([
                ("name", name.as_str()),
                ("id", agent.as_str()),
                ("code", code.expose_secret()),
            ])
        };
        self.put("agents", agents.iter().map(listed).collect::<Vec<_>>());
        let codes = agents.iter().map(|agent| agent.code.expose_secret().to_owned());
        self.carries = Carries::Codes(codes.collect());
    }

    fn code(&mut self, code: &Carried) {
        let code = code.expose_secret().to_owned();
        self.put("code", code.as_str());
        self.carries = Carries::Codes(vec![code]);
    }

    fn act(&mut self, until_token: String, token: &Carried) {
        let token = token.expose_secret().to_owned();
        let link = until_token + &query_value(&token);
        self.put("link", link.as_str());
        self.carries = Carries::Token { token, link };
    }

    fn end(&mut self, asked_at: Instant, expires_at: Instant) {
        self.put("expires_at", readable(expires_at));
        self.put("expires_in", span(expires_at - asked_at));
    }

    fn put(&mut self, name: &'static str, value: impl Into<Value>) {
        self.values.push((name, value.into()));
    }
}

/// A value in a query: all but the unreserved characters as percent and two digits (RFC 3986 §2).
fn query_value(raw: &str) -> String {
    raw.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_cannot_leave_its_parameter() {
        assert_eq!(query_value("uvt_01ABC-._~"), "uvt_01ABC-._~");
        assert_eq!(query_value("a&b=c#d/é\n"), "a%26b%3Dc%23d%2F%C3%A9%0A");
    }
}

use anyhow::{Result, bail};
use portcullis_audit::Actor;
use portcullis_credentials::ApiKey;
use portcullis_flows::agents::{CreateKey, CreatedKey};
use portcullis_kernel::{ApiKeyId, Cursor, ExposeSecret, Field, Instant, Origin, Page};
use serde_json::{Value, json};

use super::{Needs, given, keys::when, mistyped};
use crate::{
    cli::{NewKey, OneAgent, Paging},
    output,
};

pub(super) fn list(one: &OneAgent, paging: &Paging, json: bool) -> Result<()> {
    let engine = super::engine(&one.settings, &Needs::Rows)?;
    let (page, now) = (paging.slice()?, engine.now());
    let agent = engine.find_agent(&one.agent.to_string())?.agent;
    let page = engine.list_api_keys(agent.id, &page)?;
    if json { output::print_json(&page_json(&page, now)) } else { print_page(&page, now) }
}

pub(super) fn create(one: &OneAgent, key: NewKey, json: bool) -> Result<()> {
    let engine = super::engine(&one.settings, &Needs::Rows)?;
    let some = |list: Vec<String>| if list.is_empty() { Field::Absent } else { Field::Given(list) };
    let input = CreateKey {
        name: key.name.into(),
        scopes: some(key.scopes),
        expires_in_days: given(key.expires_in_days),
        allowed_cidrs: some(key.networks),
        rate_limit_per_minute: given(key.rate_limit),
    };
    let new = engine.check_create_key(input).map_err(|error| mistyped(&error))?;
    let agent = engine.find_agent(&one.agent.to_string())?.agent;
    if !agent.is_active() {
        bail!("{} is suspended; `portcullis agents resume` opens it again", agent.id);
    }
    let made = engine.create_key(&agent, new, Actor::Operator, &Origin::local())?;
    let CreatedKey { key, secret } = made;
    let secret = secret.into_secret();
    if json {
        let mut value = to_json(&key, engine.now());
        if let Value::Object(members) = &mut value {
            members.insert("api_key".to_owned(), secret.expose_secret().into());
        }
        return output::print_json(&value);
    }
    let until = key.expires_at.map_or_else(String::new, |end| format!(", until {}", when(end)));
    output::print(&format!("made {} for {}{until}; scopes: {}", key.id, key.agent, key.scopes))?;
    output::print(secret.expose_secret())?;
    output::hint("keep this API key in a safe place: it is not shown again");
    Ok(())
}

pub(super) fn revoke(one: &OneAgent, key: ApiKeyId) -> Result<()> {
    let engine = super::engine(&one.settings, &Needs::Rows)?;
    let agent = engine.find_agent(&one.agent.to_string())?.agent;
    engine.revoke_key(agent.id, &key.to_string(), Actor::Operator, &Origin::local())?;
    output::print(&format!("{key} is revoked now, and every token issued for it"))
}

fn print_page(page: &Page<ApiKey>, now: Instant) -> Result<()> {
    if page.items.is_empty() {
        return output::print("no API keys");
    }
    print_table(&page.items, now)?;
    match &page.next {
        Some(next) => output::print(&format!("more: --after {}", next.encode())),
        None => Ok(()),
    }
}

pub(super) fn print_table(keys: &[ApiKey], now: Instant) -> Result<()> {
    let or_dash = |at: Option<Instant>| at.map_or_else(|| "-".to_owned(), when);
    let rows: Vec<_> = keys
        .iter()
        .map(|key| {
            [
                key.id.to_string(),
                key.name.as_str().to_owned(),
                format!("{}…", key.hint),
                state(key, now).to_owned(),
                key.scopes.to_string(),
                or_dash(key.last_used_at),
                or_dash(key.expires_at),
            ]
        })
        .collect();
    output::table(["KEY", "NAME", "BEGINS", "STATE", "SCOPES", "LAST USED", "EXPIRES"], &rows)
}

fn state(key: &ApiKey, now: Instant) -> &'static str {
    match (key.is_live(now), key.revoked_at.is_some(), key.replaced_by.is_some()) {
        (true, _, false) => "live",
        // It works until its overlap ends.
        (true, _, true) => "replaced",
        (false, true, _) => "revoked",
        (false, false, _) => "expired",
    }
}

fn page_json(page: &Page<ApiKey>, now: Instant) -> Value {
    let keys: Vec<_> = page.items.iter().map(|key| to_json(key, now)).collect();
    json!({ "keys": keys, "next": page.next.as_ref().map(Cursor::encode) })
}

pub(super) fn to_json(key: &ApiKey, now: Instant) -> Value {
    let networks: Vec<_> = key.networks.as_slice().iter().map(ToString::to_string).collect();
    json!({
        "id": key.id.to_string(),
        "name": key.name.as_str(),
        "prefix": key.hint,
        "state": state(key, now),
        "scopes": key.scopes.iter().collect::<Vec<_>>(),
        "allowed_cidrs": networks,
        "rate_limit_per_minute": key.rate_limit,
        "created_at": when(key.created_at),
        "expires_at": key.expires_at.map(when),
        "last_used_at": key.last_used_at.map(when),
        "revoked_at": key.revoked_at.map(when),
        "replaced_by": key.replaced_by.map(|next| next.to_string()),
    })
}

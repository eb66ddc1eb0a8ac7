use anyhow::Result;
use portcullis_audit::Actor;
use portcullis_flows::{
    Engine,
    admin::AgentDetails,
    agents::{RegisterAgent, RegisteredAgent},
};
use portcullis_identity::{Agent, AgentFilter, AgentStatus, EmailAddress};
use portcullis_kernel::{Cursor, ExposeSecret, Field, Instant, Origin, Page, SecretString, UserId};
use serde_json::{Value, json};

use super::{Needs, agent_keys, given, keys::when, mistyped};
use crate::{
    cli::{self, Agents, OneAgent},
    output,
    settings::{Loaded, MailTransport},
};

pub(super) fn run(command: Agents) -> Result<()> {
    match command {
        Agents::Create { settings, name, email, verified, owner, json } => {
            let loaded = Loaded::read(&settings.place())?;
            let input = RegisterAgent {
                agent_name: name.into(),
                email: given(email),
                ..Default::default()
            };
            create(&loaded, input, verified, owner.as_deref(), json)
        }
        Agents::List { settings, name, email, status, owner, paging, json } => {
            let engine = engine(&settings)?;
            let filter = AgentFilter {
                email_contains: email.map(|text| EmailAddress::fold(&text)),
                name_contains: name,
                status,
                owner: find_owner(&engine, owner.as_deref())?,
            };
            let page = engine.list_agents(&filter, &paging.slice()?)?;
            if json { output::print_json(&page_json(&page)) } else { print_page(&page) }
        }
        Agents::Show { one, json } => {
            let engine = engine(&one.settings)?;
            let details = engine.find_agent(&one.agent.to_string())?;
            let now = engine.now();
            if json {
                output::print_json(&details_json(&details, now))
            } else {
                print(&details, now)
            }
        }
        Agents::Suspend(one) => set_status(&one, AgentStatus::Suspended),
        Agents::Resume(one) => set_status(&one, AgentStatus::Active),
        Agents::Delete { one, yes: _ } => {
            // Its address is told, by a mail that is sealed.
            let engine = super::engine(&one.settings, &Needs::MasterKey)?;
            let deleted = engine.delete_agent(one.agent, Actor::Operator, &Origin::local())?;
            output::print(&format!("{} is erased now", deleted.id))
        }
        Agents::Keys { one, paging, json } => agent_keys::list(&one, &paging, json),
        Agents::CreateKey { one, key, json } => agent_keys::create(&one, key, json),
        Agents::RevokeKey { one, key } => agent_keys::revoke(&one, key),
        Agents::ResetRecoveryKey { one, json } => reset_recovery_key(&one, json),
    }
}

fn engine(settings: &cli::Settings) -> Result<Engine> {
    super::engine(settings, &Needs::Rows)
}

fn find_owner(engine: &Engine, owner: Option<&str>) -> Result<Option<UserId>> {
    Ok(owner.map(|owner| engine.find_user(owner)).transpose()?.map(|user| user.id))
}

fn create(
    loaded: &Loaded,
    input: RegisterAgent,
    verified: bool,
    owner: Option<&str>,
    json: bool,
) -> Result<()> {
    // The mail that verifies an address is sealed; without one nothing is.
    let mails = matches!(input.email, Field::Given(_)) && !verified;
    let needs = if mails { Needs::MasterKey } else { Needs::Rows };
    let engine = super::engine_of(loaded, &needs)?;
    let registration = engine.check_register_agent(input).map_err(|error| mistyped(&error))?;
    let registration = if verified { registration.with_proven_email() } else { registration };
    let owner = find_owner(&engine, owner)?;
    let made = engine.create_agent(registration, owner, Actor::Operator, &Origin::local())?;
    let RegisteredAgent { agent, recovery_key, .. } = made;
    let secret = recovery_key.into_secret();
    if json {
        return output::print_json(&with_recovery_key(agent_json(&agent), &secret));
    }
    output::print(&format!("made {} ({})", agent.id, agent.name.as_str()))?;
    if let (true, Some(email)) = (mails, agent.shown_email()) {
        output::hint(&match loaded.settings.mail.transport {
            MailTransport::None => {
                format!("mail.transport is none, so no link to verify it is mailed to {email}")
            }
            _ => format!("a running server mails a link to verify it to {email}"),
        });
    }
    print_recovery_key(&secret)
}

fn set_status(one: &OneAgent, status: AgentStatus) -> Result<()> {
    let engine = engine(&one.settings)?;
    let agent = engine.set_agent_status(one.agent, status, Actor::Operator, &Origin::local())?;
    output::print(&format!("{} ({}) is {} now", agent.id, agent.name.as_str(), status.as_str()))
}

fn reset_recovery_key(one: &OneAgent, json: bool) -> Result<()> {
    let engine = engine(&one.settings)?;
    let key = engine.reset_recovery_key(one.agent, Actor::Operator, &Origin::local())?;
    let secret = key.into_secret();
    if json {
        return output::print_json(&with_recovery_key(
            json!({ "id": one.agent.to_string() }),
            &secret,
        ));
    }
    output::print(&format!("{} has a new recovery key", one.agent))?;
    print_recovery_key(&secret)
}

fn print_recovery_key(secret: &SecretString) -> Result<()> {
    output::print(secret.expose_secret())?;
    output::hint("keep this recovery key in a safe place: it is not shown again");
    Ok(())
}

fn with_recovery_key(mut value: Value, secret: &SecretString) -> Value {
    if let Value::Object(members) = &mut value {
        members.insert("recovery_key".to_owned(), secret.expose_secret().into());
    }
    value
}

fn print_page(page: &Page<Agent>) -> Result<()> {
    if page.items.is_empty() {
        return output::print("no agents");
    }
    let rows: Vec<_> = page.items.iter().map(to_row).collect();
    output::table(["ID", "NAME", "EMAIL", "VERIFIED", "STATUS", "OWNER", "CREATED"], &rows)?;
    match &page.next {
        Some(next) => output::print(&format!("more: --after {}", next.encode())),
        None => Ok(()),
    }
}

fn to_row(agent: &Agent) -> [String; 7] {
    [
        agent.id.to_string(),
        agent.name.as_str().to_owned(),
        agent.shown_email().map_or("-", EmailAddress::as_str).to_owned(),
        if agent.email.is_some() { "yes" } else { "no" }.to_owned(),
        agent.status.as_str().to_owned(),
        agent.owner.map_or_else(|| "-".to_owned(), |owner| owner.to_string()),
        when(agent.created_at),
    ]
}

fn print(details: &AgentDetails, now: Instant) -> Result<()> {
    let AgentDetails { agent, keys } = details;
    let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let pending = agent.pending_email.as_ref().map(EmailAddress::as_str);
    let proven = agent.email.as_ref().map(|proven| proven.address.as_str());
    let owner = agent.owner.map(|owner| owner.to_string());
    let lines = [
        ("id", agent.id.to_string()),
        ("name", agent.name.as_str().to_owned()),
        ("email", or_dash(proven)),
        ("unverified", or_dash(pending)),
        ("owner", or_dash(owner.as_deref())),
        ("status", agent.status.as_str().to_owned()),
        ("recovery", if agent.recovery.is_some() { "set" } else { "none" }.to_owned()),
        ("profile", agent.profile.visibility.as_str().to_owned()),
        ("description", or_dash(agent.metadata.description.as_deref())),
        ("run by", or_dash(agent.metadata.owner.as_deref())),
        ("version", or_dash(agent.metadata.version.as_deref())),
        ("created", when(agent.created_at)),
    ];
    for (name, value) in lines {
        output::print(&format!("{name:<13}{}", output::visible(&value)))?;
    }
    if keys.is_empty() {
        return Ok(());
    }
    output::print("\n")?;
    agent_keys::print_table(keys, now)
}

fn page_json(page: &Page<Agent>) -> Value {
    let agents: Vec<_> = page.items.iter().map(agent_json).collect();
    json!({ "agents": agents, "next": page.next.as_ref().map(Cursor::encode) })
}

fn agent_json(agent: &Agent) -> Value {
    json!({
        "id": agent.id.to_string(),
        "name": agent.name.as_str(),
        "email": agent.email.as_ref().map(|proven| proven.address.as_str()),
        "unverified_email": agent.pending_email.as_ref().map(EmailAddress::as_str),
        "owner": agent.owner.map(|owner| owner.to_string()),
        "status": agent.status.as_str(),
        "has_recovery_key": agent.recovery.is_some(),
        "profile": agent.profile.visibility.as_str(),
        "metadata": {
            "description": agent.metadata.description,
            "owner": agent.metadata.owner,
            "version": agent.metadata.version,
        },
        "created_at": when(agent.created_at),
    })
}

fn details_json(details: &AgentDetails, now: Instant) -> Value {
    let keys: Vec<_> = details.keys.iter().map(|key| agent_keys::to_json(key, now)).collect();
    let mut agent = agent_json(&details.agent);
    if let Value::Object(members) = &mut agent {
        members.insert("keys".to_owned(), keys.into());
    }
    agent
}

use std::io::{self, Read};

use anyhow::{Context, Result, anyhow};
use portcullis_audit::Actor;
use portcullis_flows::{
    Engine,
    admin::{CreateUser, CreateUserError, UserDetails},
};
use portcullis_identity::{DisplayName, EmailAddress, User, UserFilter};
use portcullis_kernel::{Field, Origin, Page, SecretString};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Needs, invitations, keys::when};
use crate::{
    cli::{self, OneUser, Users},
    output,
    settings::Problems,
};

/// More than the longest password, so that a wrong redirection does not read a disk.
const MOST_BYTES: u64 = 64 * 1024;

pub(super) fn run(command: Users) -> Result<()> {
    match command {
        Users::Create { settings, email, name, role, verified, password_stdin } => {
            let password =
                if password_stdin { Field::Given(read_password()?) } else { Field::Absent };
            let input = CreateUser {
                email: Field::Given(email),
                password,
                display_name: name.map_or(Field::Absent, Field::Given),
                role: role.map_or(Field::Absent, |role| Field::Given(role.to_string())),
                email_verified: verified,
            };
            create(&engine(&settings)?, input)
        }
        Users::List { settings, role, status, email, paging, json } => {
            let email_contains = email.map(|text| EmailAddress::fold(&text));
            let filter = UserFilter { email_contains, role, status };
            let page = engine(&settings)?.list_users(&filter, &paging.into())?;
            if json { output::print_json(&page_json(&page)) } else { print_page(&page) }
        }
        Users::Show { settings, user, json } => {
            let details = engine(&settings)?.show_user(&user)?;
            if json { output::print_json(&details_json(&details)) } else { print_details(&details) }
        }
        Users::SetRole { settings, user, role } => {
            let engine = engine(&settings)?;
            let user = engine.find_user(&user)?;
            engine.set_role(user.id, role, Actor::Operator, &Origin::local())?;
            output::print(&format!("{} is {role} now", user.email))
        }
        Users::Suspend(one) => change(&one, "suspended", |engine, user| {
            engine.suspend_user(user.id, Actor::Operator, &Origin::local())
        }),
        Users::Resume(one) => change(&one, "active", |engine, user| {
            engine.resume_user(user.id, Actor::Operator, &Origin::local())
        }),
        Users::SignOut(one) => change(&one, "signed out everywhere", |engine, user| {
            engine.revoke_sessions(user.id, Actor::Operator, &Origin::local())
        }),
        Users::Invite { settings, email, json } => invitations::invite(&settings, email, json),
        Users::Invitations { settings, paging, json } => {
            invitations::list(&settings, &paging.into(), json)
        }
        Users::Withdraw { settings, id } => invitations::withdraw(&settings, id),
        Users::Delete { one, yes: _ } => change(&one, "erased", |engine, user| {
            engine.delete_user(user.id, Actor::Operator, &Origin::local())
        }),
    }
}

fn engine(settings: &cli::Settings) -> Result<Engine> {
    super::engine(settings, &Needs::Rows)
}

fn change<E: std::error::Error + Send + Sync + 'static>(
    one: &OneUser,
    now: &str,
    work: impl FnOnce(&Engine, &User) -> Result<(), E>,
) -> Result<()> {
    let engine = engine(&one.settings)?;
    let user = engine.find_user(&one.user)?;
    work(&engine, &user)?;
    output::print(&format!("{} is {now} now", user.email))
}

fn create(engine: &Engine, input: CreateUser) -> Result<()> {
    let lacks = match input.password {
        Field::Given(_) => "",
        _ => {
            "; without a password, so nobody can sign in to it before its owner sets one by mail \
              (--password-stdin reads one)"
        }
    };
    match engine.create_user(input, Actor::Operator, &Origin::local()) {
        Ok(user) => {
            let (id, email, role) = (user.id, user.email, user.role);
            output::print(&format!("made {id} ({email}), {role}{lacks}"))
        }
        Err(CreateUserError::Invalid(invalid)) => Err(Problems::from(invalid).into()),
        Err(error) => Err(error.into()),
    }
}

/// What is on standard input, without the line's end that `echo` adds.
fn read_password() -> Result<SecretString> {
    let mut text = Zeroizing::new(String::new());
    io::stdin()
        .lock()
        .take(MOST_BYTES)
        .read_to_string(&mut text)
        .context("cannot read the password from standard input")?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(anyhow!("there is no password on standard input"));
    }
    Ok(line.into())
}

fn print_page(page: &Page<User>) -> Result<()> {
    let rows: Vec<[String; 6]> = page
        .items
        .iter()
        .map(|user| {
            [
                user.id.to_string(),
                user.email.to_string(),
                user.role.to_string(),
                user.status.as_str().to_owned(),
                when(user.created_at),
                user.display_name.as_ref().map_or("-", DisplayName::as_str).to_owned(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return output::print("no users");
    }
    output::table(["ID", "EMAIL", "ROLE", "STATUS", "CREATED", "NAME"], &rows)?;
    match &page.next {
        Some(next) => output::print(&format!("more: --after {}", next.encode())),
        None => Ok(()),
    }
}

fn print_details(details: &UserDetails) -> Result<()> {
    let UserDetails { user, has_password, sessions } = details;
    let verified = user.email_verified_at.map_or_else(|| "no".to_owned(), when);
    let name = user.display_name.as_ref().map_or("-", DisplayName::as_str);
    let lines = [
        ("id", user.id.to_string()),
        ("email", user.email.to_string()),
        ("verified", verified),
        ("name", name.to_owned()),
        ("role", user.role.to_string()),
        ("status", user.status.as_str().to_owned()),
        ("password", if *has_password { "set" } else { "none" }.to_owned()),
        ("created", when(user.created_at)),
        ("sessions", sessions.len().to_string()),
    ];
    for (name, value) in lines {
        output::print(&format!("{name:<10}{}", output::visible(&value)))?;
    }
    let rows: Vec<[String; 5]> = sessions
        .iter()
        .map(|session| {
            [
                session.id.to_string(),
                when(session.created_at),
                when(session.last_used_at),
                session.ip.clone().unwrap_or_else(|| "-".to_owned()),
                session.user_agent.clone().unwrap_or_else(|| "-".to_owned()),
            ]
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    output::print("\n")?;
    output::table(["SESSION", "CREATED", "LAST USED", "ADDRESS", "USER AGENT"], &rows)
}

fn page_json(page: &Page<User>) -> Value {
    let users: Vec<_> = page.items.iter().map(user_json).collect();
    json!({ "users": users, "next": page.next.as_ref().map(portcullis_kernel::Cursor::encode) })
}

fn user_json(user: &User) -> Value {
    json!({
        "id": user.id.to_string(),
        "email": user.email.as_str(),
        "email_verified": user.email_verified_at.is_some(),
        "display_name": user.display_name.as_ref().map(DisplayName::as_str),
        "role": user.role.as_str(),
        "status": user.status.as_str(),
        "created_at": when(user.created_at),
    })
}

fn details_json(details: &UserDetails) -> Value {
    let sessions: Vec<_> = details
        .sessions
        .iter()
        .map(|session| {
            json!({
                "id": session.id.to_string(),
                "created_at": when(session.created_at),
                "last_used_at": when(session.last_used_at),
                "expires_at": when(session.expires_at),
                "ip": session.ip,
                "user_agent": session.user_agent,
            })
        })
        .collect();
    let mut user = user_json(&details.user);
    if let Value::Object(members) = &mut user {
        members.insert("has_password".to_owned(), details.has_password.into());
        members.insert("sessions".to_owned(), sessions.into());
    }
    user
}

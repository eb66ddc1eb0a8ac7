//! Whether every statement of a request finds its rows by an index.

use std::{cell::RefCell, sync::Once};

use diesel::{
    QueryableByName, RunQueryDsl,
    connection::{
        Instrumentation, InstrumentationEvent, SimpleConnection, set_default_instrumentation,
    },
    sql_query,
    sql_types::Text,
};
use portcullis_credentials::PasswordHash;
use portcullis_email::ports::InboxEntry;
use portcullis_identity::{Role, UserFilter, UserStatus};
use portcullis_kernel::{Cursor, PageRequest, SessionId, StoreResult, UserId};
use portcullis_limits::{BucketKey, Policy};
use portcullis_storage::{Storage, TxMode, UnitOfWork};
use time::Duration;

use super::lab::{
    PostgresLab, SqliteLab, at, new_email_change, new_invitation, new_mail, new_mailed_token,
    new_session, new_token, new_user,
};

/// Tables that grow with the number of users.
const LARGE: [&str; 11] = [
    "users",
    "known_addresses",
    "passwords",
    "sessions",
    "refresh_tokens",
    "rate_limits",
    "audit_events",
    "mailed_tokens",
    "email_changes",
    "invitations",
    "outbox",
];

const POLICY: Policy = Policy::new("plans", 5, Duration::MINUTE);

thread_local! {
    /// Statements of this thread, while somebody listens.
    static HEARD: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

// The signature is diesel's.
#[allow(clippy::unnecessary_wraps)]
fn listener() -> Option<Box<dyn Instrumentation>> {
    Some(Box::new(|event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            let text = query.to_string();
            let statement = text.split(" -- binds:").next().unwrap_or_default().to_owned();
            HEARD.with_borrow_mut(|heard| {
                if let Some(heard) = heard.as_mut() {
                    heard.push(statement);
                }
            });
        }
    }))
}

/// The data statements that every call of a request sends.
fn statements_of_requests(make: impl FnOnce() -> Box<dyn Storage>) -> Vec<String> {
    static LISTEN: Once = Once::new();
    LISTEN.call_once(|| set_default_instrumentation(listener).unwrap());
    let storage = make();
    HEARD.set(Some(Vec::new()));
    let mut unit = storage.begin(TxMode::Write).unwrap();
    call_everything(unit.as_mut()).unwrap();
    let mut heard = HEARD.take().unwrap_or_default();
    heard.retain(|statement| !statement.starts_with("BEGIN"));
    heard
}

fn call_everything(uow: &mut dyn UnitOfWork) -> StoreResult<()> {
    let user = new_user();
    let (session, token) = new_session(user.id);
    let hash = PasswordHash::from_stored("hash".to_owned());
    let key = BucketKey::principal(&POLICY, user.id);
    uow.users().insert(&user)?;
    uow.users().find(user.id)?;
    uow.users().lock(user.id)?;
    uow.users().update(&user)?;
    uow.users().find_by_email(user.email.as_str())?;
    let after = Some(Cursor::after("01"));
    uow.users().list(&UserFilter::default(), &PageRequest { after, limit: 10 })?;
    uow.users().set_display_name(user.id, None)?;
    uow.users().set_role(user.id, Role::Host)?;
    uow.users().set_status(user.id, UserStatus::Suspended)?;
    uow.known_addresses().touch(user.id, "192.0.2.1", at(0))?;
    uow.known_addresses().is_known(user.id, "192.0.2.1", at(0))?;
    uow.known_addresses().list(user.id, at(0))?;
    uow.known_addresses().forget(user.id)?;
    uow.known_addresses().delete_before(at(-1), 10)?;
    uow.passwords().put(user.id, &hash, at(0))?;
    uow.passwords().find(user.id)?;
    uow.passwords().replace(user.id, &hash, &hash, at(0))?;
    uow.passwords().remove(user.id)?;
    uow.sessions().insert(&session, &token)?;
    call_mail(uow, user.id, session.id)?;
    uow.sessions().find_token(&token.digest)?;
    uow.sessions().rotate(&token.digest, &new_token(&session, 1), at(0))?;
    uow.sessions().mark_raced(&token.digest, at(0))?;
    uow.sessions().count_raced(session.id, at(0))?;
    uow.sessions().find_live(session.id, at(0))?;
    uow.sessions().list_live(user.id, at(0))?;
    uow.sessions().end(session.id, user.id, at(0))?;
    uow.sessions().end_all(user.id, Some(session.id), at(0))?;
    uow.sessions().end_beyond(user.id, 1, at(0))?;
    uow.sessions().delete_dead(at(1) + Duration::days(31), 10)?;
    uow.audit().list_for(user.id, 10)?;
    uow.audit().pseudonymise(user.id)?;
    uow.audit().delete_before(at(0), 10)?;
    uow.rate_limits().charge(&key, &POLICY, 1, at(0), at(0))?;
    uow.rate_limits().find(&key)?;
    uow.rate_limits().refund(&key, at(0))?;
    uow.rate_limits().delete_empty(at(0), 10)?;
    uow.users().delete(user.id).map(drop)
}

fn call_mail(uow: &mut dyn UnitOfWork, user: UserId, session: SessionId) -> StoreResult<()> {
    let token = new_mailed_token(user);
    let (kind, digest) = (token.kind, &token.digest);
    uow.mailed_tokens().put(&token)?;
    uow.mailed_tokens().find(kind, digest, at(0))?;
    uow.mailed_tokens().spend(kind, digest, at(0))?;
    uow.mailed_tokens().remove(user, kind)?;
    uow.mailed_tokens().delete_expired(at(0), 10)?;
    let change = new_email_change(user, session);
    uow.email_changes().put(&change)?;
    uow.email_changes().find(change.id, at(0))?;
    uow.email_changes().take_try(user, session, 5, at(0))?;
    uow.email_changes().remove(user)?;
    uow.email_changes().delete_expired(at(0), 10)?;
    let invitation = new_invitation();
    uow.invitations().insert(&invitation)?;
    uow.invitations().find(&invitation.digest, at(0))?;
    let after = Some(Cursor::after("ivt_"));
    uow.invitations().list(&PageRequest { after, limit: 10 }, at(0))?;
    uow.invitations().spend(&invitation.digest, at(0))?;
    uow.invitations().remove(invitation.id)?;
    uow.invitations().remove_for("jane@example.com")?;
    uow.invitations().delete_expired(at(0), 10)?;
    let mail = new_mail();
    let key = &mail.sealed_by;
    uow.outbox().insert(&mail)?;
    uow.outbox().is_due(key, at(0))?;
    uow.outbox().claim(key, at(0), at(60))?;
    uow.outbox().postpone(mail.id, 1, at(30))?;
    uow.outbox().lock_sealed_by(key)?;
    uow.outbox().reseal(mail.id, key, b"x", "second")?;
    uow.outbox().remove(mail.id, 1)?;
    uow.outbox().delete_expired(at(0), 10)?;
    let entry = InboxEntry { id: mail.id, received_at: at(0), sealed: vec![1] };
    uow.inbox().put(&entry)?;
    uow.inbox().list(10)?;
    uow.inbox().find(entry.id)?;
    uow.inbox().trim(10).map(drop)
}

#[test]
fn sqlite_scans_no_large_table() {
    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = Text)]
        detail: String,
    }
    let lab = SqliteLab::migrated();
    let statements = statements_of_requests(|| Box::new(lab.storage()));
    assert!(statements.len() > 70, "{statements:#?}");
    let mut conn = lab.raw();
    for statement in statements {
        let plan: Vec<Step> =
            sql_query(format!("EXPLAIN QUERY PLAN {statement}")).load(&mut conn).unwrap();
        for step in plan {
            let scanned = step.detail.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
            assert!(
                !scanned.is_some_and(|table| LARGE.contains(&table)),
                "{statement}\n{}",
                step.detail
            );
        }
    }
}

/// With sequential scans priced out, one is left only where no index serves.
#[test]
fn postgres_need_scan_no_large_table() {
    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = Text)]
        #[diesel(column_name = "QUERY PLAN")]
        text: String,
    }
    let Some(lab) = PostgresLab::migrated() else { return };
    let statements = statements_of_requests(|| Box::new(lab.storage()));
    assert!(statements.len() > 70, "{statements:#?}");
    let mut conn = lab.raw();
    conn.batch_execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
        .unwrap();
    for (index, statement) in statements.iter().enumerate() {
        let has = |n: &usize| statement.contains(&format!("${n}"));
        let parameters = vec!["NULL"; (1..20).take_while(has).count()].join(", ");
        let arguments = if parameters.is_empty() { parameters } else { format!("({parameters})") };
        conn.batch_execute(&format!("PREPARE p{index} AS {statement}")).unwrap();
        let plan: Vec<Line> =
            sql_query(format!("EXPLAIN EXECUTE p{index}{arguments}")).load(&mut conn).unwrap();
        let plan = plan.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n");
        assert!(!plan.contains("Seq Scan"), "{statement}\n{plan}");
    }
}

#[derive(QueryableByName)]
struct Reference {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Else whoever deletes what is referred to reads the whole table that refers to it.
#[test]
fn every_reference_has_an_index() {
    let sqlite = "SELECT t.name || '.' || f.\"from\" AS name \
        FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS f \
        WHERE t.type = 'table' AND NOT EXISTS (SELECT 1 \
        FROM pragma_index_list(t.name) AS l, pragma_index_info(l.name) AS i \
        WHERE i.seqno = 0 AND i.name = f.\"from\" AND l.partial = 0)";
    let bare: Vec<Reference> = sql_query(sqlite).load(&mut SqliteLab::migrated().raw()).unwrap();
    assert_eq!(bare.into_iter().map(|bare| bare.name).collect::<Vec<_>>(), [""; 0]);
    let Some(lab) = PostgresLab::migrated() else { return };
    let postgres = "SELECT c.conname::text AS name FROM pg_constraint AS c \
        WHERE c.contype = 'f' AND NOT EXISTS (SELECT 1 FROM pg_index AS i \
        WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1] AND i.indpred IS NULL)";
    let bare: Vec<Reference> = sql_query(postgres).load(&mut lab.raw()).unwrap();
    assert_eq!(bare.into_iter().map(|bare| bare.name).collect::<Vec<_>>(), [""; 0]);
}

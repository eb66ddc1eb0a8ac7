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
use portcullis_credentials::{PasswordHash, Tried};
use portcullis_credits::{AccountId, Amount, Cost, OperationId, Posting};
use portcullis_email::ports::InboxEntry;
use portcullis_identity::{AgentFilter, Role, UserFilter, UserStatus};
use portcullis_kernel::{
    AuditEventId, CreditEntryId, Cursor, PageRequest, Place, SessionId, Slice, StoreResult, UserId,
};
use portcullis_limits::{BucketKey, Policy};
use portcullis_storage::{Storage, TxMode, UnitOfWork};
use portcullis_system::SystemEntropy;
use time::Duration;

use super::{
    agent_rows::{
        address_of, new_agent, new_agent_token, new_api_key, new_code, new_recovery, new_server,
        new_spent,
    },
    lab::{
        PostgresLab, SqliteLab, at, new_email_change, new_invitation, new_mail, new_mailed_token,
        new_session, new_token, new_user,
    },
};

/// Tables that grow with the number of users and agents.
const LARGE: [&str; 20] = [
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
    "agents",
    "api_keys",
    "agent_tokens",
    "agent_networks",
    "recovery_requests",
    "recovery_codes",
    "spent_tokens",
    "credit_accounts",
    "credit_entries",
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
    call_agents(uow, user.id)?;
    call_credentials_of_agents(uow)?;
    call_credits(uow, user.id)?;
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

fn call_agents(uow: &mut dyn UnitOfWork, user: UserId) -> StoreResult<()> {
    let agent = new_agent();
    let address = address_of(&agent);
    let slice = Slice { after: Some(Place { at: at(9), id: agent.id }), limit: 10 };
    uow.agents().insert(&agent)?;
    uow.agents().find(agent.id)?;
    uow.agents().find_by_recovery(&agent.recovery.unwrap())?;
    uow.agents().lock(agent.id)?;
    uow.agents().update(&agent)?;
    uow.agents().list_proven(address, 5)?;
    uow.agents().list_pending(address, 5)?;
    uow.agents().list(&AgentFilter::default(), &slice)?;
    let text = || Some("x".to_owned());
    let filter =
        AgentFilter { email_contains: text(), name_contains: text(), ..AgentFilter::default() };
    uow.agents().list(&filter, &slice)?;
    let theirs = AgentFilter { owner: Some(user), ..AgentFilter::default() };
    uow.agents().list(&theirs, &Slice::first(10))?;
    uow.agents().list_public(&slice)?;
    uow.agents().list_owned(user)?;
    uow.agent_networks().touch(agent.id, "n", at(0), at(0))?;
    uow.agent_networks().touch(agent.id, "n", at(1), at(0))?;
    uow.agent_networks().is_known(address, "n", at(0))?;
    uow.agent_networks().delete_before(at(-1), 10)?;
    let request = new_recovery(address);
    uow.recoveries().open(&request)?;
    uow.recoveries().open(&new_recovery(address))?;
    uow.recoveries().find_open(request.id, at(0))?;
    uow.recoveries().lock_open(request.id, at(0))?;
    uow.recoveries().lock_all(address, at(0))?;
    uow.recoveries().add_code(&new_code(request.id, agent.id))?;
    uow.recoveries().codes(&[request.id])?;
    for tried in [Tried::ByAsker, Tried::ByOther] {
        uow.recoveries().take_try(request.id, tried, 3)?;
        uow.recoveries().give_back_try(request.id, tried)?;
    }
    uow.recoveries().spend(request.id, agent.id, at(0))?;
    uow.recoveries().remove_open_codes(agent.id)?;
    uow.recoveries().delete_expired(at(0), 10)?;
    let slice = Slice { after: Some(Place { at: at(9), id: new_event() }), limit: 10 };
    uow.audit().list_for_agent(agent.id, &slice)?;
    uow.audit().list_for_agent(agent.id, &Slice::first(10))?;
    uow.audit().pseudonymise_agent(agent.id)?;
    uow.agents().delete(agent.id).map(drop)
}

fn call_credentials_of_agents(uow: &mut dyn UnitOfWork) -> StoreResult<()> {
    let agent = new_agent();
    uow.agents().insert(&agent)?;
    let key = new_api_key(agent.id);
    uow.api_keys().insert(&key)?;
    uow.api_keys().find(key.id)?;
    uow.api_keys().count_live(agent.id, at(0))?;
    uow.api_keys().list_live(&[agent.id], at(0))?;
    uow.api_keys().list(agent.id, &Slice::first(10))?;
    let slice = Slice { after: Some(Place { at: at(9), id: key.id }), limit: 10 };
    uow.api_keys().list(agent.id, &slice)?;
    uow.api_keys().replace(key.id, agent.id, key.id, at(9), at(0))?;
    uow.api_keys().touch(key.id, at(0))?;
    uow.api_keys().revoke(key.id, agent.id, at(0))?;
    uow.api_keys().revoke_all(agent.id, at(0))?;
    uow.api_keys().delete_dead(at(0), 10)?;
    let token = new_agent_token(agent.id);
    uow.agent_tokens().put(&token)?;
    uow.agent_tokens().find(&token.digest, at(0))?;
    uow.agent_tokens().spend(&token.digest, at(0))?;
    uow.agent_tokens().remove_open(agent.id)?;
    uow.agent_tokens().delete_expired(at(0), 10)?;
    let spent = new_spent(agent.id);
    uow.spent_tokens().spend(&spent)?;
    uow.spent_tokens().is_spent(spent.id)?;
    uow.spent_tokens().delete_expired(at(0), 10)?;
    uow.agent_access().find_key(&key.digest)?;
    uow.agent_access().find_token(key.id, spent.id)?;
    let server = new_server();
    uow.resource_servers().insert(&server)?;
    uow.resource_servers().find_by_secret(&server.digest)?;
    uow.resource_servers().has_audience("https://api.example")?;
    uow.resource_servers().remove(server.id).map(drop)
}

fn call_credits(uow: &mut dyn UnitOfWork, user: UserId) -> StoreResult<()> {
    let agent = new_agent();
    uow.agents().insert(&agent)?;
    let (of_agent, of_user) = (AccountId::Agent(agent.id), AccountId::User(user));
    let id = || CreditEntryId::generate(&SystemEntropy).unwrap();
    let grant = Posting::grant(id(), of_agent, Amount::new(5).unwrap(), None, at(0));
    uow.credits().post(&grant)?;
    let by = (new_server().id, OperationId::parse("op").unwrap());
    let charge = Posting::charge(id(), of_agent, Cost::new(1).unwrap(), by, at(0));
    uow.credits().post(&charge)?;
    uow.credits().post(&charge)?;
    uow.credits().balance(of_agent)?;
    uow.credits().ledger(of_agent, 10)?;
    uow.credits().merge(of_agent, of_user)?;
    uow.agents().delete(agent.id).map(drop)
}

fn new_event() -> AuditEventId {
    AuditEventId::generate(&SystemEntropy).unwrap()
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
    assert!(statements.len() > 130, "{statements:#?}");
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
    assert!(statements.len() > 130, "{statements:#?}");
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

//! Who may register: anybody, the invited, certain domains, nobody.

use std::sync::Arc;

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_email::Content;
use portcullis_flows::{
    EngineOptions, RegistrationMode,
    admin::{Invite, InviteError, Invited},
    people::{Register, RegisterError, SignedIn},
};
use portcullis_kernel::{ErrorKind, ExposeSecret as _, Field, InvitationId, Origin, PageRequest};
use portcullis_storage::{MemoryStorage, TxMode};
use portcullis_testkit::{
    engine::TestEngine,
    faults::{FaultyStorage, Step},
};
use time::Duration;

use super::{
    JANE, JOHN, KEYS, PASSWORD, People as _, Stored as _, at_once, broken, from, home,
    mailbox::{Mail as _, carried, kinds, waiting},
    told,
};

const ANYBODY: &str = "anybody@elsewhere.example";

fn engine(mode: RegistrationMode, domains: &[&str]) -> TestEngine {
    let domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
    let builder = TestEngine::builder().options(|options| {
        options.registration.mode = mode;
        options.registration.domains = domains;
    });
    builder.build()
}

fn invite(engine: &TestEngine, email: Option<&str>) -> Result<Invited, InviteError> {
    let email = email.map_or(Field::Absent, Field::from);
    engine.invite(Invite { email }, Actor::Operator, &Origin::local())
}

/// The secret of a new invitation.
fn secret(engine: &TestEngine, email: Option<&str>) -> String {
    invite(engine, email).unwrap().secret.expose_secret().to_owned()
}

fn join(
    engine: &TestEngine,
    email: &str,
    invitation: Option<&str>,
) -> Result<SignedIn, RegisterError> {
    let input = Register {
        email: email.into(),
        password: Field::Given(PASSWORD.into()),
        invitation: invitation.map_or(Field::Absent, |secret| Field::Given(secret.into())),
        ..Register::default()
    };
    engine.register(engine.check_registration(input)?, &home())
}

fn is_refused<T>(result: &Result<T, RegisterError>) -> bool {
    matches!(result, Err(RegisterError::InvalidInvitation))
}

#[test]
fn who_may_register_follows_mode_and_domains_and_an_invitation_goes_before_both() {
    use RegistrationMode::{Closed, Invite, Open};
    const OURS: &[&str] = &["example.com", "example.org"];
    // The kind of refusal without and with an invitation, at a domain of ours and elsewhere.
    let (fine, closed, broken) = (None, Some(ErrorKind::Forbidden), Some(ErrorKind::InvalidInput));
    for (mode, domains, email, without, with) in [
        (Open, &[][..], JANE, fine, fine),
        (Open, OURS, JANE, fine, fine),
        (Open, OURS, ANYBODY, closed, fine),
        (Invite, &[], JANE, broken, fine),
        (Invite, OURS, JANE, broken, fine),
        (Invite, OURS, ANYBODY, broken, fine),
        (Closed, &[], JANE, closed, closed),
        (Closed, OURS, ANYBODY, closed, closed),
    ] {
        let label = format!("{mode:?} {domains:?} {email}");
        let kind = |result: Result<SignedIn, RegisterError>| result.err().map(|e| told(&e).0);
        assert_eq!(kind(join(&engine(mode, domains), email, None)), without, "{label} without");
        let engine = engine(mode, domains);
        // Made before registration was closed, where it is.
        let open = |options: &mut EngineOptions| options.registration.mode = RegistrationMode::Open;
        let secret = secret(&engine.peer().options(open).build(), None);
        assert_eq!(kind(join(&engine, email, Some(&secret))), with, "{label} with");
        assert_eq!(engine.find_user(email).is_ok(), with.is_none(), "{label}");
        let needed = with.is_none() && without.is_some();
        let left = engine.list_invitations(&PageRequest::first(10)).unwrap().items.len();
        assert_eq!(left, usize::from(!needed), "{label}: spent only where it is needed");
    }
}

#[test]
fn each_refusal_has_its_text_and_code() {
    let closed = join(&engine(RegistrationMode::Closed, &[]), JANE, None).unwrap_err();
    assert_eq!(
        (told(&closed).1, told(&closed).2.as_str()),
        ("forbidden", "Registration is closed.")
    );
    let domain = join(&engine(RegistrationMode::Open, &["example.org"]), JANE, None).unwrap_err();
    assert!(matches!(domain, RegisterError::DomainRefused));
    assert_eq!(told(&domain).1, "forbidden");
    let engine = engine(RegistrationMode::Invite, &[]);
    let Err(RegisterError::Invalid(missing)) = join(&engine, JANE, None) else { panic!() };
    assert_eq!(broken(&missing), [("invite_token", "is required")]);
    let Err(RegisterError::Invalid(empty)) = join(&engine, JANE, Some("")) else { panic!() };
    assert_eq!(broken(&empty), [("invite_token", "must not be empty")]);
    let unknown = join(&engine, JANE, Some("inv_x")).unwrap_err();
    let (kind, code, _) = told(&unknown);
    assert_eq!((kind, code), (ErrorKind::Unauthenticated, "invalid_token"));
    assert_eq!(engine.event_count(), KEYS, "those of the keys");
}

#[test]
fn an_invitation_is_good_once_also_on_two_servers_at_once() {
    let one = engine(RegistrationMode::Invite, &[]);
    let two = one.peer().build();
    let secret = secret(&one, None);
    let results = at_once(4, |index| {
        join([&one, &two][index % 2], &format!("user{index}@example.com"), Some(&secret))
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.iter().all(|result| result.is_ok() || is_refused(result)));
    let all = one.list_users(&portcullis_identity::UserFilter::default(), &PageRequest::first(9));
    assert_eq!(all.unwrap().items.len(), 1);
    assert!(is_refused(&join(&one, "late@example.com", Some(&secret))));
    assert!(one.list_invitations(&PageRequest::first(9)).unwrap().items.is_empty());
}

#[test]
fn an_invitation_for_one_address_is_mailed_to_it_and_good_for_it_alone() {
    let engine = engine(RegistrationMode::Invite, &[]);
    let invited = invite(&engine, Some("Jane@Example.com")).unwrap();
    let letters = engine.deliver();
    assert_eq!(kinds(&letters), [("Jane@example.com", "invitation")]);
    let Content::Invitation { expires_at, .. } = letters[0].content else { unreachable!() };
    let week = engine.now() + Duration::days(7);
    assert_eq!(expires_at.unix_timestamp(), week.unix_timestamp());
    assert_eq!((invited.invitation.expires_at, letters[0].asked.client), (week, None));
    let secret = carried(&letters[0]);
    assert_eq!(secret, invited.secret.expose_secret());
    assert!(is_refused(&join(&engine, JOHN, Some(&secret))));
    let joined = join(&engine, "JANE@example.com", Some(&secret)).unwrap();
    assert!(!joined.user.is_verified(), "it may have been forwarded");
}

#[test]
fn an_invitation_for_anybody_is_mailed_to_nobody() {
    let engine = engine(RegistrationMode::Invite, &[]);
    let invited = invite(&engine, None).unwrap();
    assert!(waiting(&engine).is_empty());
    assert_eq!(invited.invitation.email, None);
    let secret = invited.secret.expose_secret();
    assert!(secret.starts_with("inv_") && secret.len() == 4 + 43 + 6);
    assert!(!format!("{invited:?}").contains(secret));
}

#[test]
fn an_invitation_lives_seven_days_and_not_a_moment_longer() {
    for (late, good) in [(-Duration::SECOND, true), (Duration::ZERO, false)] {
        let engine = engine(RegistrationMode::Invite, &[]);
        let secret = secret(&engine, None);
        engine.clock.advance(Duration::days(7) + late);
        let listed = engine.list_invitations(&PageRequest::first(9)).unwrap().items.len();
        assert_eq!(listed, usize::from(good));
        assert_eq!(join(&engine, JANE, Some(&secret)).is_ok(), good, "{late}");
    }
}

#[test]
fn e1_nobody_who_was_not_invited_learns_whether_an_address_is_taken() {
    let engine = engine(RegistrationMode::Invite, &["example.com"]);
    join(&engine, JANE, Some(&secret(&engine, None))).unwrap();
    let bound = secret(&engine, Some(JOHN));
    let stale = secret(&engine, None);
    engine.clock.advance(Duration::days(7));
    let never_issued = secret(&TestEngine::new(), None);
    for invitation in ["inv_x", never_issued.as_str(), stale.as_str(), bound.as_str()] {
        for email in [JANE, "nobody@example.com"] {
            let refused = join(&engine, email, Some(invitation)).unwrap_err();
            assert!(matches!(refused, RegisterError::InvalidInvitation), "{email} {invitation}");
        }
    }
    let good = secret(&engine, None);
    assert!(matches!(join(&engine, JANE, Some(&good)), Err(RegisterError::EmailTaken)));
    assert!(join(&engine, JOHN, Some(&good)).is_ok(), "a conflict spends nothing");
}

#[test]
fn a_withdrawn_invitation_is_dead_and_its_waiting_mail_gone() {
    let engine = engine(RegistrationMode::Invite, &[]);
    let invited = invite(&engine, Some(JANE)).unwrap();
    let id = invited.invitation.id;
    engine.withdraw_invitation(id, Actor::Operator, &Origin::local()).unwrap();
    assert!(waiting(&engine).is_empty());
    assert!(is_refused(&join(&engine, JANE, Some(invited.secret.expose_secret()))));
    let again = engine.withdraw_invitation(id, Actor::Operator, &Origin::local()).unwrap_err();
    assert!(matches!(again, InviteError::NotFound));
    assert_eq!((told(&again).0, told(&again).1), (ErrorKind::NotFound, "not_found"));
    let never: InvitationId =
        format!("{}{}", &id.to_string()[..4], "0".repeat(32)).parse().unwrap();
    assert!(engine.withdraw_invitation(never, Actor::Operator, &Origin::local()).is_err());
    // Those of the keys, of the invitation, and of its end.
    assert_eq!(engine.event_count(), KEYS + 2);
}

/// What a registration with an invitation comes to when something happens after both were looked at.
fn with_something_in_between(
    between: impl FnOnce(&TestEngine, InvitationId) + Send + 'static,
) -> (Arc<TestEngine>, Result<SignedIn, RegisterError>) {
    let memory = MemoryStorage::default();
    let others = Arc::new(TestEngine::builder().storage(Arc::new(memory.clone())).build());
    let faulty = FaultyStorage::over(Arc::new(memory));
    let slow = others.peer().storage(faulty.clone());
    let slow = slow.options(|o| o.registration.mode = RegistrationMode::Invite).build();
    let invited = invite(&others, None).unwrap();
    let (acting, id) = (Arc::clone(&others), invited.invitation.id);
    // Two looks of two steps each: at the invitation, and at the address.
    faulty.run_at(4, move || between(&acting, id));
    let result = join(&slow, JANE, Some(invited.secret.expose_secret()));
    assert_eq!(faulty.steps()[4], Step::Begin(TxMode::Write));
    (others, result)
}

#[test]
fn an_invitation_withdrawn_meanwhile_makes_no_account() {
    let (engine, result) = with_something_in_between(|engine, id| {
        engine.withdraw_invitation(id, Actor::Operator, &Origin::local()).unwrap();
    });
    assert!(is_refused(&result));
    assert!(engine.find_user(JANE).is_err() && waiting(&engine).is_empty());
}

#[test]
fn an_address_taken_meanwhile_leaves_the_invitation_unspent() {
    let (engine, result) = with_something_in_between(|engine, _| drop(engine.join(JANE)));
    assert!(matches!(result, Err(RegisterError::EmailTaken)));
    assert_eq!(engine.list_invitations(&PageRequest::first(9)).unwrap().items.len(), 1);
}

#[test]
fn m7_a_spent_invitation_takes_its_waiting_mail_along() {
    let engine = engine(RegistrationMode::Invite, &[]);
    let invited = invite(&engine, Some(JANE)).unwrap();
    join(&engine, JANE, Some(invited.secret.expose_secret())).unwrap();
    assert_eq!(kinds(&engine.deliver()), [(JANE, "verify_email")]);
}

#[test]
fn an_address_that_has_an_account_is_not_invited() {
    let engine = TestEngine::new();
    engine.join(JANE);
    engine.deliver();
    let events = engine.event_count();
    let refused = invite(&engine, Some("JANE@example.com")).unwrap_err();
    assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::Conflict, "conflict"));
    let Err(InviteError::Invalid(invalid)) = invite(&engine, Some("jane")) else { panic!() };
    assert_eq!(broken(&invalid), [("email", "must be a valid email address")]);
    assert!(waiting(&engine).is_empty());
    assert!(engine.list_invitations(&PageRequest::first(9)).unwrap().items.is_empty());
    assert_eq!(engine.event_count(), events);
}

#[test]
fn invitations_are_listed_in_pages() {
    let engine = TestEngine::new();
    let mut made: Vec<_> = (0..5).map(|_| invite(&engine, None).unwrap().invitation).collect();
    made.sort_by_key(|invitation| invitation.id.to_string());
    let mut request = PageRequest::first(2);
    let mut listed = Vec::new();
    loop {
        let page = engine.list_invitations(&request).unwrap();
        assert!(page.items.len() <= 2);
        listed.extend(page.items);
        let Some(next) = page.next else { break };
        request.after = Some(next);
    }
    assert_eq!(listed, made);
}

#[test]
fn who_invited_is_written_down() {
    let engine = TestEngine::new();
    let admin = engine.join(JANE).user.id;
    let input = Invite { email: JOHN.into() };
    let invited = engine.invite(input, Actor::User(admin), &from("192.0.2.9")).unwrap();
    let id = invited.invitation.id;
    engine.withdraw_invitation(id, Actor::User(admin), &from("192.0.2.9")).unwrap();
    for action in [Action::UserInvited, Action::InvitationWithdrawn] {
        assert_eq!(engine.count(admin, action, Outcome::Success), 1, "{action:?}");
        let events = engine.events(admin);
        let event = events.iter().find(|event| event.action == action).unwrap();
        assert_eq!(event.detail, Some(id.to_string()));
        assert_eq!((event.actor, event.client), (Actor::User(admin), from("192.0.2.9").client));
        assert!(!format!("{event:?}").contains(JOHN));
    }
}

#[test]
fn where_registration_is_closed_nobody_is_invited() {
    let engine = engine(RegistrationMode::Closed, &[]);
    assert!(matches!(invite(&engine, Some(JANE)), Err(InviteError::Closed)));
    assert!(engine.deliver().is_empty());
}

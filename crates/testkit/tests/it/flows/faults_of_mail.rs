//! The database fails at every step of what is done by mail: each is done wholly or not at all, and can
//! be tried again.

use portcullis_audit::{Action, Actor, Outcome};
use portcullis_credentials::MailedKind;
use portcullis_email::RequestKind;
use portcullis_flows::{
    RegistrationMode,
    admin::{Invite, InviteError},
    mail::AddressInput,
    people::{Caller, Register},
};
use portcullis_identity::User;
use portcullis_kernel::{ExposeSecret as _, Field, Origin, PageRequest};
use portcullis_storage::StorageExt as _;
use portcullis_testkit::{engine::TestEngine, faults::Fault};

use super::{
    JANE, JOHN, KEYS, PASSWORD, People as _, Stored as _,
    faults::{Run, at_every_step},
    from, home,
    mailbox::{Mail as _, OTHER_PASSWORD, is_stored, kinds, presented, waiting},
};

/// How the database fails; what it answers is told alike everywhere, and other tests show that.
const FAULT: Fault = Fault::Unavailable;

/// Whether it was done, whatever its caller was told.
fn done<T, E>(run: &Run<T, E>) -> bool {
    run.result.is_ok() || run.committed
}

/// Somebody with a proven address, and a link to set a password.
fn with_link(engine: &TestEngine) -> (Caller, String) {
    let caller = engine.bearer(&engine.join_verified(JANE).tokens);
    (caller, engine.reset_token(JANE))
}

#[test]
fn an_address_is_confirmed_wholly_or_not_at_all() {
    let steps = at_every_step(
        FAULT,
        |engine| {
            engine.join(JANE);
            engine.receive("verify_email")
        },
        |engine, link| engine.try_verify(link),
        |engine, link, run| {
            let user: User = engine.find_user(JANE).unwrap();
            assert_eq!(user.is_verified(), done(&run));
            assert_eq!(is_stored(engine, MailedKind::VerifyEmail, &link), !done(&run));
            let events = engine.count(user.id, Action::EmailVerified, Outcome::Success);
            assert_eq!(events, usize::from(done(&run)));
            assert_eq!(engine.try_verify(&link).is_ok(), !done(&run));
        },
    );
    assert!(steps >= 10, "{steps}");
}

#[test]
fn an_account_is_disowned_wholly_or_not_at_all() {
    at_every_step(
        FAULT,
        |engine| (engine.join(JANE), engine.receive("verify_email")),
        |engine, (_, link)| engine.try_disown(link),
        |engine, (joined, link), run| {
            assert_eq!(engine.find_user(JANE).is_err(), done(&run));
            assert_eq!(engine.is_alive(&joined.tokens), !done(&run));
            let events = engine.events(joined.user.id);
            assert_eq!(events.iter().all(|event| event.client.is_none()), done(&run));
            assert_eq!(engine.try_disown(&link).is_ok(), !done(&run));
        },
    );
}

#[test]
fn v10_a_reset_is_done_wholly_or_not_at_all() {
    let steps = at_every_step(
        FAULT,
        |engine| {
            let joined = engine.join(JANE);
            engine.deliver();
            (joined, engine.reset_token(JANE))
        },
        |engine, (_, link)| engine.try_reset(link, OTHER_PASSWORD),
        |engine, (joined, link), run| {
            let done = done(&run);
            assert_eq!(engine.find_user(JANE).unwrap().is_verified(), done);
            assert_eq!(engine.is_alive(&joined.tokens), !done);
            assert_eq!(engine.try_enter(JANE, PASSWORD, &home()).is_ok(), !done);
            assert_eq!(waiting(engine).len(), usize::from(done), "the notice");
            assert_eq!(engine.try_reset(&link, OTHER_PASSWORD).is_ok(), !done);
            engine.try_enter(JANE, OTHER_PASSWORD, &home()).unwrap();
            let id = joined.user.id;
            assert_eq!(engine.count(id, Action::PasswordReset, Outcome::Success), 1);
        },
    );
    assert!(steps >= 16, "{steps}");
}

#[test]
fn p10_a_password_is_changed_wholly_or_not_at_all() {
    at_every_step(
        FAULT,
        |engine| (with_link(engine), engine.enter(JANE)),
        |engine, ((caller, _), _)| engine.try_change_password(caller, PASSWORD, OTHER_PASSWORD),
        |engine, ((caller, link), other), run| {
            let done = done(&run);
            assert_eq!(engine.is_alive(&other.tokens), !done);
            assert_eq!(is_stored(engine, MailedKind::ResetPassword, &link), !done);
            assert_eq!(waiting(engine).len(), usize::from(done), "the notice");
            assert_eq!(engine.try_enter(JANE, PASSWORD, &home()).is_ok(), !done);
            assert_eq!(engine.try_enter(JANE, OTHER_PASSWORD, &home()).is_ok(), done);
            let id = caller.user.id;
            let events = engine.count(id, Action::PasswordChanged, Outcome::Success);
            assert_eq!(events, usize::from(done));
        },
    );
}

#[test]
fn a_change_of_address_is_begun_wholly_or_not_at_all() {
    at_every_step(
        FAULT,
        with_link,
        |engine, (caller, _)| engine.try_change_email(caller, JOHN, PASSWORD),
        |engine, (caller, _), run| {
            let letters = engine.deliver();
            assert_eq!(letters.len(), if done(&run) { 2 } else { 0 }, "{:?}", kinds(&letters));
            let id = caller.user.id;
            let events = engine.count(id, Action::EmailChangeAsked, Outcome::Success);
            assert_eq!(events, usize::from(done(&run)));
            engine.try_change_email(&caller, JOHN, PASSWORD).unwrap();
            let code = engine.receive("confirm_new_email");
            engine.try_confirm(&caller, &code).unwrap();
        },
    );
}

#[test]
fn an_own_account_is_erased_wholly_or_not_at_all() {
    at_every_step(
        FAULT,
        with_link,
        |engine, (caller, _)| engine.try_delete(caller, Some(PASSWORD)),
        |engine, (caller, link), run| {
            let done = done(&run);
            assert_eq!(engine.find_user(JANE).is_err(), done);
            assert_eq!(is_stored(engine, MailedKind::ResetPassword, &link), !done);
            assert_eq!(waiting(engine).len(), usize::from(done), "the farewell");
            let mut events = engine.events(caller.user.id);
            events.retain(|event| event.outcome == Outcome::Success);
            assert_eq!(events.iter().all(|event| event.client.is_none()), done);
        },
    );
}

#[test]
fn a_link_to_erase_an_account_is_mailed_and_followed_wholly_or_not_at_all() {
    let prepare = |engine: &TestEngine| {
        let (caller, _) = with_link(engine);
        engine.storage.transact(|uow| uow.passwords().remove(caller.user.id)).unwrap();
        caller
    };
    at_every_step(
        FAULT,
        prepare,
        |engine, caller| engine.try_delete(caller, None),
        |engine, _, run| assert_eq!(engine.deliver().len(), usize::from(done(&run))),
    );
    at_every_step(
        FAULT,
        |engine| {
            let caller = prepare(engine);
            engine.try_delete(&caller, None).unwrap();
            presented(MailedKind::DeleteAccount, &engine.receive("confirm_deletion"))
        },
        |engine, link| engine.confirm_deletion(link, &home()),
        |engine, link, run| {
            assert_eq!(engine.find_user(JANE).is_err(), done(&run));
            assert_eq!(engine.confirm_deletion(&link, &home()).is_ok(), !done(&run));
            assert_eq!(kinds(&engine.deliver()), [(JANE, "account_deleted")]);
        },
    );
}

#[test]
fn m7_a_request_for_a_mail_is_queued_wholly_or_not_at_all() {
    for kind in [RequestKind::Verification, RequestKind::Reset] {
        at_every_step(
            FAULT,
            |engine| {
                engine.join(JANE);
                engine.deliver();
                let input = AddressInput { email: JANE.into() };
                engine.check_ask_for_mail(kind, input).unwrap()
            },
            |engine, ask| engine.ask_for_mail(ask, &home()),
            |engine, _, run| {
                assert_eq!(waiting(engine).len(), usize::from(done(&run)));
                // What was not queued was not counted.
                let left = if kind == RequestKind::Reset { 3 } else { 2 };
                let left = left - usize::from(done(&run));
                engine.deliver();
                let mut mails = 0;
                for _ in 0..4 {
                    engine.ask(kind, JANE);
                    mails += engine.deliver().len();
                }
                assert_eq!(mails, left);
            },
        );
    }
}

#[test]
fn an_invitation_is_made_withdrawn_and_spent_wholly_or_not_at_all() {
    let only_invited = |engine: &TestEngine| {
        let options = |o: &mut portcullis_flows::EngineOptions| {
            o.registration.mode = RegistrationMode::Invite;
        };
        engine.peer().storage(engine.storage.clone()).options(options).build()
    };
    let invite = |engine: &TestEngine| {
        engine.invite(Invite { email: JANE.into() }, Actor::Operator, &Origin::local())
    };
    let listed =
        |engine: &TestEngine| engine.list_invitations(&PageRequest::first(9)).unwrap().items.len();
    at_every_step(
        FAULT,
        |_| (),
        |engine, ()| invite(engine),
        |engine, (), run| {
            let made = usize::from(done(&run));
            assert_eq!((listed(engine), waiting(engine).len()), (made, made));
            assert_eq!(engine.event_count(), KEYS + made as u64);
        },
    );
    at_every_step(
        FAULT,
        |engine| invite(engine).unwrap().invitation.id,
        |engine, id| engine.withdraw_invitation(*id, Actor::Operator, &Origin::local()),
        |engine, id, run| {
            let left = usize::from(!done(&run));
            assert_eq!((listed(engine), waiting(engine).len()), (left, left));
            let again = engine.withdraw_invitation(id, Actor::Operator, &Origin::local());
            assert_eq!(matches!(again, Err(InviteError::NotFound)), done(&run));
        },
    );
    at_every_step(
        FAULT,
        |engine| {
            let secret = invite(engine).unwrap().secret.expose_secret().to_owned();
            (only_invited(engine), secret)
        },
        |_, (engine, secret)| {
            let input = Register {
                email: JANE.into(),
                password: Field::Given(PASSWORD.into()),
                invitation: Field::Given(secret.as_str().into()),
                ..Register::default()
            };
            engine.register(engine.check_registration(input)?, &home())
        },
        |engine, _, run| {
            assert_eq!(engine.find_user(JANE).is_ok(), done(&run));
            assert_eq!(listed(engine), usize::from(!done(&run)));
            let kind = if done(&run) { "verify_email" } else { "invitation" };
            assert_eq!(kinds(&engine.deliver()), [(JANE, kind)]);
        },
    );
}

#[test]
fn a_sign_in_that_is_told_is_stored_with_its_notice_or_not_at_all() {
    at_every_step(
        FAULT,
        |engine| drop(engine.join_verified(JANE)),
        |engine, ()| engine.try_enter_page(JANE, PASSWORD, &from("198.51.100.9")),
        |engine, (), run| {
            let begun = usize::from(done(&run));
            assert_eq!(engine.show_user(JANE).unwrap().sessions.len(), 1 + begun);
            assert_eq!(waiting(engine).len(), begun);
            if let Ok(page) = run.result {
                assert!(engine.page(&page.token).is_some());
            }
        },
    );
}

#[test]
fn r3_a_replay_is_ended_written_down_and_told_or_none_of_it() {
    at_every_step(
        FAULT,
        |engine| {
            let first = engine.join_verified(JANE);
            let second = engine.rotate(&first.tokens.refresh).unwrap();
            engine.rotate(&second.refresh).unwrap();
            first
        },
        |engine, first| match engine.rotate(&first.tokens.refresh) {
            Err(portcullis_flows::people::RefreshError::Fault(fault)) => Err(fault),
            Err(_) => Ok(()),
            Ok(_) => panic!("a used token gave a successor"),
        },
        |engine, first, run| {
            let ended = engine.show_user(JANE).unwrap().sessions.is_empty();
            assert_eq!(ended, done(&run));
            assert_eq!(waiting(engine).len(), usize::from(ended));
            let id = first.user.id;
            let events = engine.count(id, Action::RefreshReplayed, Outcome::Failure);
            assert_eq!(events, usize::from(ended));
        },
    );
}

//! Every action by mail, page or administrator is written down once, with who did it and from where.

use portcullis_audit::{Action, Actor, AuditEvent, Outcome};
use portcullis_credentials::MailedKind;
use portcullis_email::RequestKind;
use portcullis_flows::{admin::Invite, mail::Failure, people::Caller};
use portcullis_kernel::{Field, Origin, UserId};
use portcullis_storage::StorageExt as _;
use portcullis_testkit::engine::TestEngine;

use super::{
    JANE, JOHN, PASSWORD, People as _, Stored as _, home,
    mailbox::{Mail as _, OTHER_PASSWORD, presented},
};

/// An engine with Jane, who is signed in, and the link to confirm her address.
struct Scene {
    engine: TestEngine,
    jane: UserId,
    caller: Caller,
    link: String,
}

impl Scene {
    fn new() -> Self {
        let engine = TestEngine::new();
        let joined = engine.join(JANE);
        let caller = engine.bearer(&joined.tokens);
        let link = engine.receive("verify_email");
        Self { engine, jane: joined.user.id, caller, link }
    }

    fn verified() -> Self {
        let scene = Self::new();
        let user = scene.engine.try_verify(&scene.link).unwrap();
        Self { caller: Caller { user, ..scene.caller }, ..scene }
    }

    /// The one event that this writes of Jane.
    fn one(&self, work: impl FnOnce(&Self)) -> AuditEvent {
        let (count, before) = (self.engine.event_count(), self.engine.events(self.jane));
        work(self);
        assert_eq!(self.engine.event_count(), count + 1, "of everybody");
        let mut new = self.engine.events(self.jane);
        new.retain(|event| !before.iter().any(|old| old.id == event.id));
        assert_eq!(new.len(), 1, "{new:?}");
        new.remove(0)
    }

    /// The same of what Jane did from home.
    fn own(&self, action: Action, work: impl FnOnce(&Self)) {
        let event = self.one(work);
        assert_eq!((event.action, event.outcome), (action, Outcome::Success));
        assert_eq!((event.actor, event.subject), (Actor::User(self.jane), Some(self.jane)));
        assert_eq!((event.client, event.request_id), (home().client, home().request_id));
    }
}

#[test]
fn g3_what_a_person_does_by_mail_is_one_event() {
    Scene::new().own(Action::EmailVerified, |scene| {
        scene.engine.try_verify(&scene.link).unwrap();
    });
    let scene = Scene::verified();
    let token = scene.engine.reset_token(JANE);
    scene.own(Action::PasswordReset, |scene| {
        scene.engine.try_reset(&token, OTHER_PASSWORD).unwrap();
    });
    let disowned = Scene::new();
    let event = disowned.one(|scene| scene.engine.try_disown(&scene.link).unwrap());
    assert_eq!((event.action, event.actor), (Action::UserDisowned, Actor::Anonymous));
    assert_eq!((event.subject, event.client), (Some(disowned.jane), None));
}

#[test]
fn g3_asking_for_a_mail_is_one_event_when_it_is_looked_into() {
    for (kind, action) in [
        (RequestKind::Verification, Action::VerificationAsked),
        (RequestKind::Reset, Action::PasswordResetAsked),
    ] {
        let scene = Scene::new();
        let event = scene.one(|scene| {
            scene.engine.ask(kind, JANE);
            assert_eq!(scene.engine.deliver().len(), 1);
        });
        assert_eq!((event.action, event.outcome), (action, Outcome::Success));
        assert_eq!((event.actor, event.subject), (Actor::Anonymous, Some(scene.jane)));
        assert_eq!((event.client, event.request_id), (home().client, home().request_id));
    }
}

#[test]
fn g3_what_a_signed_in_person_changes_is_one_event() {
    Scene::verified().own(Action::PasswordChanged, |scene| {
        scene.engine.try_change_password(&scene.caller, PASSWORD, OTHER_PASSWORD).unwrap();
    });
    let scene = Scene::verified();
    scene.own(Action::EmailChangeAsked, |scene| {
        scene.engine.try_change_email(&scene.caller, JOHN, PASSWORD).unwrap();
    });
    let code = scene.engine.receive("confirm_new_email");
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let event = scene.one(|scene| assert!(scene.engine.try_confirm(&scene.caller, wrong).is_err()));
    assert_eq!((event.action, event.outcome), (Action::EmailChanged, Outcome::Failure));
    assert_eq!(
        (event.detail.as_deref(), event.session),
        (Some("code"), Some(scene.caller.session))
    );
    scene.own(Action::EmailChanged, |scene| {
        scene.engine.try_confirm(&scene.caller, &code).unwrap();
    });
}

#[test]
fn g3_a_wrong_password_is_one_event_wherever_it_is_asked_for_again() {
    let places: [fn(&Scene) -> bool; 3] = [
        |scene| scene.engine.try_change_password(&scene.caller, "wrong", OTHER_PASSWORD).is_err(),
        |scene| scene.engine.try_change_email(&scene.caller, JOHN, "wrong").is_err(),
        |scene| scene.engine.try_delete(&scene.caller, Some("wrong")).is_err(),
    ];
    for place in places {
        let scene = Scene::verified();
        let event = scene.one(|scene| assert!(place(scene)));
        assert_eq!((event.action, event.outcome), (Action::PasswordRefused, Outcome::Failure));
        assert_eq!((event.actor, event.client), (Actor::User(scene.jane), home().client));
    }
}

#[test]
fn g3_a_deletion_is_one_event_and_asking_for_its_link_another() {
    let deleted = Scene::verified();
    let event = deleted.one(|scene| {
        scene.engine.try_delete(&scene.caller, Some(PASSWORD)).unwrap();
    });
    assert_eq!((event.action, event.actor), (Action::UserDeleted, Actor::User(deleted.jane)));
    let scene = Scene::verified();
    scene.engine.storage.transact(|uow| uow.passwords().remove(scene.jane)).unwrap();
    scene.own(Action::DeletionAsked, |scene| {
        scene.engine.try_delete(&scene.caller, None).unwrap();
    });
    let link = presented(MailedKind::DeleteAccount, &scene.engine.receive("confirm_deletion"));
    let event = scene.one(|scene| scene.engine.confirm_deletion(&link, &home()).unwrap());
    assert_eq!((event.action, event.client), (Action::UserDeleted, None));
}

#[test]
fn g3_signing_in_and_out_on_the_pages_is_one_event_each() {
    let scene = Scene::verified();
    scene.own(Action::SignedIn, |scene| {
        scene.engine.enter_page(JANE);
    });
    let browser = scene.engine.page(&scene.engine.enter_page(JANE)).unwrap();
    scene.own(Action::SessionEnded, |scene| {
        scene.engine.sign_out_page(&browser, &home()).unwrap();
    });
}

#[test]
fn g3_what_an_operator_and_the_server_do_is_one_event_each() {
    let scene = Scene::verified();
    let event = scene.one(|scene| {
        scene.engine.revoke_sessions(scene.jane, Actor::Operator, &Origin::local()).unwrap();
    });
    assert_eq!((event.action, event.actor), (Action::SessionsRevoked, Actor::Operator));
    scene.engine.ask(RequestKind::Reset, JANE);
    let mail = scene.engine.claim_mail().unwrap().unwrap();
    let event = scene.one(|scene| {
        scene.engine.mail_failed(&mail, Failure::Final).unwrap();
    });
    assert_eq!((event.action, event.actor), (Action::MailRefused, Actor::System));
    let count = scene.engine.event_count();
    let input = Invite { email: Field::Absent };
    let invited = scene.engine.invite(input, Actor::Operator, &Origin::local()).unwrap();
    assert_eq!(scene.engine.event_count(), count + 1);
    let id = invited.invitation.id;
    scene.engine.withdraw_invitation(id, Actor::Operator, &Origin::local()).unwrap();
    assert_eq!(scene.engine.event_count(), count + 2);
}

#[test]
fn g1_no_event_holds_an_address_a_password_a_code_or_a_token() {
    let scene = Scene::verified();
    scene.engine.try_change_email(&scene.caller, JOHN, PASSWORD).unwrap();
    let code = scene.engine.receive("confirm_new_email");
    scene.engine.try_confirm(&scene.caller, &code).unwrap();
    let token = scene.engine.reset_token(JOHN);
    scene.engine.try_reset(&token, OTHER_PASSWORD).unwrap();
    let events = scene.engine.events(scene.jane);
    assert!(events.len() >= 6);
    // Not the words of the ids, which may hold any six digits.
    let told: Vec<_> = events.iter().map(|event| format!("{:?}", event.detail)).collect();
    for secret in [JANE, JOHN, PASSWORD, OTHER_PASSWORD, &code, &token, &scene.link] {
        assert!(!told.iter().any(|told| told.contains(secret)), "{secret}: {told:?}");
    }
}

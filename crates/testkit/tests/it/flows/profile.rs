use portcullis_audit::{Action, Actor, Outcome};
use portcullis_flows::people::{ProfileError, UpdateProfile};
use portcullis_kernel::{ErrorKind, Field, Origin};
use portcullis_testkit::engine::TestEngine;

use super::{JANE, JOHN, People as _, Stored as _, broken, home, told};

fn named(name: &str) -> UpdateProfile {
    UpdateProfile { display_name: Some(name.into()) }
}

#[test]
fn a_name_is_set_trimmed_kept_when_absent_and_cleared_by_null() {
    let engine = TestEngine::new();
    let tokens = engine.join(JANE).tokens;
    let john = engine.join(JOHN).tokens;
    let update = |input| engine.update_profile(engine.bearer(&tokens), input, &home()).unwrap();
    let name = || engine.bearer(&tokens).user.display_name.map(|name| name.as_str().to_owned());
    let user = update(named("  Jané 🦀 "));
    assert_eq!(user.display_name.as_ref().unwrap().as_str(), "Jané 🦀");
    assert_eq!(name().as_deref(), Some("Jané 🦀"));
    assert_eq!(update(UpdateProfile::default()), user);
    assert_eq!(name().as_deref(), Some("Jané 🦀"));
    let cleared = update(UpdateProfile { display_name: Some(Field::Absent) });
    assert_eq!((cleared.display_name, name()), (None, None));
    assert_eq!(engine.bearer(&john).user.display_name, None);
}

#[test]
fn only_what_changes_is_written_down_once() {
    let engine = TestEngine::new();
    let joined = engine.join(JANE);
    for input in [named("Jane"), named(" Jane"), UpdateProfile::default(), named("Jane")] {
        engine.update_profile(engine.bearer(&joined.tokens), input, &home()).unwrap();
    }
    assert_eq!(engine.count(joined.user.id, Action::ProfileChanged, Outcome::Success), 1);
}

#[test]
fn a_name_that_breaks_a_rule_changes_nothing() {
    let engine = TestEngine::new();
    let tokens = engine.join(JANE).tokens;
    let too_long = "x".repeat(81);
    for field in ["", " \t ", &too_long, "a\u{0}b", "a\u{202e}b"]
        .map(Field::from)
        .into_iter()
        .chain([Field::Invalid("must be a string".into())])
    {
        let input = UpdateProfile { display_name: Some(field) };
        let refused = engine.update_profile(engine.bearer(&tokens), input, &home()).unwrap_err();
        let ProfileError::Invalid(invalid) = &refused else { panic!("{refused:?}") };
        assert_eq!(broken(invalid)[0].0, "display_name");
    }
    assert_eq!(engine.bearer(&tokens).user.display_name, None);
}

#[test]
fn a_user_erased_a_moment_ago_is_no_longer_authenticated() {
    let engine = TestEngine::new();
    let caller = engine.bearer(&engine.join(JANE).tokens);
    engine.delete_user(caller.user.id, Actor::Operator, &Origin::local()).unwrap();
    let refused = engine.update_profile(caller, named("Jane"), &home()).unwrap_err();
    assert_eq!((told(&refused).0, told(&refused).1), (ErrorKind::Unauthenticated, "unauthorized"));
}

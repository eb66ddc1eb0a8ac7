//! What is said of a registration that breaks a rule.

use portcullis_flows::registration::{ClaimInput, CompleteInput, SignUp, SignUpInput, ViewInput};
use portcullis_kernel::{Classify as _, Field};
use portcullis_testkit::engine::TestEngine;

use super::super::JANE;

fn invalid<T>() -> Field<T> {
    Field::Invalid("must be a string".into())
}

fn for_jane() -> SignUpInput {
    SignUpInput {
        kind: "identity_assertion".into(),
        assertion_type: "verified_email".into(),
        assertion: JANE.into(),
        credential_type: Field::Absent,
    }
}

#[test]
fn a_registration_is_anonymous_or_for_an_address() {
    let engine = TestEngine::new();
    let anonymous = || SignUpInput { kind: "anonymous".into(), ..SignUpInput::default() };
    let with = |credential_type: &str| SignUpInput {
        credential_type: credential_type.into(),
        ..anonymous()
    };
    for input in [anonymous(), with("api_key")] {
        assert_eq!(engine.check_sign_up(input).unwrap(), SignUp::Anonymous);
    }
    let SignUp::Email(email) = engine.check_sign_up(for_jane()).unwrap() else { unreachable!() };
    assert_eq!(email.as_str(), JANE);
}

#[test]
fn a_registration_that_breaks_a_rule_is_told_which() {
    let engine = TestEngine::new();
    let code = |input| engine.check_sign_up(input).unwrap_err().code();
    for (input, expected) in [
        (SignUpInput::default(), "validation_error"),
        (SignUpInput { kind: invalid(), ..for_jane() }, "validation_error"),
        (SignUpInput { kind: "Anonymous".into(), ..for_jane() }, "unsupported_type"),
        (SignUpInput { kind: "service_auth".into(), ..for_jane() }, "unsupported_type"),
        (SignUpInput { assertion_type: Field::Absent, ..for_jane() }, "validation_error"),
        (SignUpInput { assertion_type: "x".into(), ..for_jane() }, "unsupported_assertion_type"),
        (SignUpInput { assertion: Field::Absent, ..for_jane() }, "validation_error"),
        (SignUpInput { assertion: invalid(), ..for_jane() }, "validation_error"),
        (SignUpInput { assertion: "jane".into(), ..for_jane() }, "invalid_email"),
        (SignUpInput { assertion: "a@b@example.com".into(), ..for_jane() }, "invalid_email"),
        (
            SignUpInput { credential_type: "access_token".into(), ..for_jane() },
            "unsupported_credential_type",
        ),
        (SignUpInput { credential_type: invalid(), ..for_jane() }, "validation_error"),
    ] {
        let shown = format!("{input:?}");
        assert_eq!(code(input), expected, "{shown}");
    }
}

#[test]
fn tokens_addresses_and_codes_are_strings_that_are_there() {
    let engine = TestEngine::new();
    let token = || Field::Given("clm_x".into());
    for broken in [Field::Absent, Field::Given("".into()), invalid()] {
        let input = ClaimInput { token: broken.clone(), email: JANE.into() };
        let refused = engine.check_start_claim(input.clone()).unwrap_err();
        assert_eq!(refused.code(), "validation_error");
        assert!(engine.check_start_claim_by_view(input).is_err());
        assert!(ViewInput { token: broken.clone() }.check().is_err());
        assert!(ViewInput { token: broken.clone() }.check_undo().is_err());
        for input in [
            CompleteInput { token: broken.clone(), code: Field::Given("000000".into()) },
            CompleteInput { token: token(), code: broken },
        ] {
            assert_eq!(input.check().unwrap_err().code(), "validation_error");
        }
    }
    for (email, expected) in [
        (Field::Absent, "validation_error"),
        (invalid(), "validation_error"),
        ("jane".into(), "invalid_email"),
        ("".into(), "invalid_email"),
    ] {
        let refused = engine.check_start_claim(ClaimInput { token: token(), email }).unwrap_err();
        assert_eq!(refused.code(), expected);
    }
}

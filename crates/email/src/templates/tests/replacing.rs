//! What an operator may replace, and what is refused.

use super::*;
use crate::Content;

fn replacing(name: &str, source: &str) -> Result<Templates, TemplateError> {
    Templates::new(branding(), BTreeMap::from([(name.to_owned(), source.to_owned())]))
}

#[test]
fn a_replaced_template_is_used_as_an_editor_left_it() {
    let source = "\u{feff}Subject: It works, {{ service }}\r\n\r\nHello\r\n\r\n{{ asked_at }}\r\n";
    let templates = replacing("test.txt", source).unwrap();
    let letters = samples::letters();
    let test = letters.iter().find(|letter| letter.content.kind() == "test").unwrap();
    let message = templates.render(test).unwrap();
    assert_eq!(message.subject, "It works, Portcullis");
    assert_eq!(message.text, "Hello\n\n21 November 2026, 18:41 UTC\n");
    assert!(message.html.contains("This is a test."));
}

#[test]
fn a_replaced_layout_is_used_by_every_kind() {
    let source = "<p>Ours</p>{% block body %}{% endblock %}";
    let templates = replacing("layout.html", source).unwrap();
    for letter in samples::letters() {
        assert!(templates.render(&letter).unwrap().html.starts_with("<p>Ours</p>"));
    }
}

#[test]
fn a_bad_replacement_is_refused_at_start() {
    let link = "<a href=\"{{ link }}\">x</a>";
    for (name, source, template, cause) in [
        ("verify.txt", "", "verify.txt", "there is none of this name; there are account_del"),
        ("../test.txt", "", "../test.txt", "there is none of this name"),
        ("test.txt", "Subject: a\n\n{% if %}", "test.txt", "syntax error"),
        ("test.txt", "Subject: a\n\n\n{{ link }}", "test.txt", "undefined value"),
        ("test.txt", "Subject: {{ link }}\n\nHello", "test.txt", "undefined value"),
        ("test.txt", "Subject: {% if %}\n\nHello", "test.txt", "syntax error"),
        ("test.txt", "", "test.txt", "does not begin with `Subject:`"),
        ("test.txt", "Hello\n\nHello", "test.txt", "does not begin with `Subject:`"),
        ("test.txt", "Subject: a\nHello", "test.txt", "its second line is not empty"),
        ("test.txt", "Subject: \n\nHello", "test.txt", "its subject is empty"),
        ("test.txt", "Subject: {{ \"a\\nb\" }}\n\nHello", "test.txt", "more than a plain line"),
        ("test.txt", &format!("Subject: {}\n\nHello", "a".repeat(201)), "test.txt", "longer than"),
        ("test.html", "{% include \"nothing.html\" %}", "test.html", "nothing.html"),
        ("layout.txt", "{{ nothing }}", "layout.txt", "undefined value"),
        ("parts.html", "{% macro button(label) %}{% endmacro %}", "account_reclaimed.html", ""),
        ("agent_deleted.txt", "Subject: {{ link }}\n\nHello", "agent_deleted.txt", "undefined"),
        // What only some letters of a kind reach is tried as well.
        (
            "account_reclaimed.html",
            &format!("{link}{{% if not opened_from %}}{{{{ wrong }}}}{{% endif %}}"),
            "account_reclaimed.html",
            "undefined value",
        ),
        (
            "layout.html",
            "{% block body %}{% endblock %}{% if not network %}{{ wrong }}{% endif %}",
            "layout.html",
            "undefined value",
        ),
    ] {
        let error = replacing(name, source).err().unwrap_or_else(|| panic!("{name}: {source}"));
        assert!(error.cause.contains(cause), "{error}");
        if name != "parts.html" {
            assert_eq!(error.template, template, "{error}");
        }
    }
}

#[test]
fn a_mail_must_tell_every_link_and_code_that_it_is_for_and_none_in_its_subject() {
    let (lacks_link, lacks_code) = ("it lacks the link", "it lacks a code alone on a line");
    let tells = "its subject tells the token or code";
    for (name, source, cause) in [
        ("verify_email.txt", "Subject: a\n\nHello", lacks_link),
        ("verify_email.html", "<p>Hello</p>", lacks_link),
        ("verify_email.txt", "Subject: {{ link }}\n\n{{ link }}", tells),
        ("agent_verify_email.txt", "Subject: a\n\nHello", lacks_link),
        ("confirm_new_email.html", "<p>Hello</p>", lacks_code),
        ("confirm_new_email.html", "<p>Your code: {{ code }}</p>", lacks_code),
        ("confirm_new_email.txt", "Subject: a\n\nYour code: {{ code }}", lacks_code),
        ("confirm_new_email.txt", "Subject: {{ code }}\n\n{{ code }}", tells),
        ("agent_recovery_codes.txt", "Subject: a\n\n{{ agents[0].code }}", lacks_code),
        ("agent_recovery_codes.html", "{% for a in agents %}{{ a.code }} {% endfor %}", lacks_code),
        (
            "agent_recovery_codes.txt",
            "Subject: {{ (agents | last).code }}\n\n{% for a in agents %}\n{{ a.code }}\n{% endfor %}",
            tells,
        ),
    ] {
        let error = replacing(name, source).err().unwrap_or_else(|| panic!("{name}: {source}"));
        assert_eq!((error.template.as_str(), error.cause.contains(cause)), (name, true), "{error}");
    }
}

#[test]
fn an_error_tells_the_line_of_the_file() {
    let error = replacing("test.txt", "Subject: a\n\nHello\n{{ wrong }}\n").err().unwrap();
    assert_eq!(
        error.to_string(),
        "the mail template test.txt cannot be used: undefined value (in test.txt:4)"
    );
}

#[test]
fn g1_an_error_never_shows_what_a_letter_carries() {
    let source = "Subject: a\n\n{{ link }}{% if service == 'B' %}{% include link %}{% endif %}";
    let mut templates = replacing("verify_email.txt", source).unwrap();
    templates.branding.service = "B".to_owned();
    let error = templates.render(&samples::letters()[0]).unwrap_err();
    assert!(error.cause.contains("verify-email?token=…"), "{error}");
    assert!(!error.to_string().contains("uvt_"), "{error}");
}

#[test]
fn g1_an_error_never_shows_any_of_several_codes() {
    let source = "Subject: a\n\n{% for a in agents %}\n{{ a.code }}\n{% endfor %}\n\
        {% if service == 'B' %}{% include agents[0].code ~ agents[1].code %}{% endif %}";
    let mut templates = replacing("agent_recovery_codes.txt", source).unwrap();
    templates.branding.service = "B".to_owned();
    let letters = samples::letters();
    let several = letters.iter().find(|letter| {
        matches!(&letter.content, Content::AgentRecoveryCodes { agents, .. } if agents.len() == 2)
    });
    let error = templates.render(several.unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the mail template agent_recovery_codes.txt cannot be used: template not found: tried to \
         include non-existing template '……' (in agent_recovery_codes.txt:6)"
    );
}

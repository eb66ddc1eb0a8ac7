//! Who may register, and the invitations that an operator makes.

use serde_json::{Value, json};

use crate::harness::{
    Account, Answer, Arrivals, Client, Home, Request, each_database, people::is_refused_token,
};

fn register(client: &mut Client, account: &Account, invitation: Option<&str>) -> Answer {
    let mut body = json!({ "email": account.email, "password": account.password });
    if let Some(invitation) = invitation {
        body["invite_token"] = invitation.into();
    }
    client.ask(&Request::post("/v1/auth/register", &body))
}

fn invite(home: &Home, more: &[&str]) -> Value {
    let said = home.run(&[&["users", "invite", "--json"], more].concat()).succeeded();
    serde_json::from_str(&said).unwrap()
}

fn an_invitation_lets_one_person_in(home: &mut Home) {
    home.without_limits();
    home.set("people.registration", "invite");
    let mailbox = home.with_mail();
    let server = home.start();
    let mut client = server.client();
    let refused = register(&mut client, &Account::new(), None).with_status(400);
    assert!(refused.json()["error"]["details"]["invite_token"].is_string());

    let invitation = invite(home, &[]);
    let secret = invitation["invite_token"].as_str().unwrap();
    let link = invitation["link"].as_str().unwrap();
    assert!(link.starts_with("http://127.0.0.1:") && link.ends_with(secret), "{link}");
    register(&mut client, &Account::new(), Some(secret)).with_status(201);
    let again = register(&mut client, &Account::new(), Some(secret));
    assert!(is_refused_token(&crate::harness::Outcome::Answered(again)));

    let invited = Account::new();
    let made = home.run(&["users", "invite", "--email", &invited.email]).succeeded();
    assert!(made.contains(&invited.email) && made.contains("inv_"), "{made}");
    let mailed = mailbox.wait_for_token(&invited.email, "inv_");
    assert!(made.contains(&mailed));
    register(&mut client, &Account::new(), Some(&mailed)).with_status(401);
    register(&mut client, &invited, Some(&mailed)).with_status(201);
}

fn a_withdrawn_invitation_lets_nobody_in(home: &mut Home) {
    home.without_limits();
    home.set("people.registration", "invite");
    let server = home.start();
    let (first, second) = (invite(home, &[]), invite(home, &["--email", "jane@example.com"]));
    let listed = home.run(&["users", "invitations"]).succeeded();
    let id = first["id"].as_str().unwrap();
    assert!(listed.contains(id) && listed.contains("jane@example.com"), "{listed}");
    assert!(!listed.contains("inv_"), "the secret is shown once: {listed}");
    home.run(&["users", "withdraw", id]).succeeded();
    let complaint = home.run(&["users", "withdraw", id]).failed();
    assert!(complaint.contains("No such invitation"), "{complaint}");
    let listed = home.run(&["users", "invitations", "--json"]).succeeded();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["invitations"].as_array().unwrap().len(), 1);
    assert_eq!(listed["invitations"][0]["id"], second["id"]);
    let secret = first["invite_token"].as_str().unwrap();
    register(&mut server.client(), &Account::new(), Some(secret)).with_status(401);
}

fn r9_an_operator_signs_somebody_out_everywhere(home: &mut Home) {
    home.without_limits();
    let server = home.start();
    let mut client = server.client();
    let account = Account::new();
    let sessions = [account.register(&mut client), account.signed_in(&mut client)];
    home.run(&["users", "sign-out", &account.email]).succeeded();
    for tokens in &sessions {
        client.ask(&tokens.me()).with_status(401);
        assert!(is_refused_token(&client.send(&tokens.rotation())));
    }
    account.signed_in(&mut client);
}

each_database!(
    an_invitation_lets_one_person_in,
    a_withdrawn_invitation_lets_nobody_in,
    r9_an_operator_signs_somebody_out_everywhere,
);

#[test]
fn a_closed_registration_lets_nobody_in_and_makes_no_invitation() {
    let mut home = Home::on_sqlite();
    home.set("people.registration", "closed");
    let server = home.start();
    let refused = register(&mut server.client(), &Account::new(), None).with_status(403);
    assert_eq!(refused.json()["error"]["code"], "forbidden");
    let complaint = home.run(&["users", "invite"]).failed();
    assert!(complaint.contains("people.registration"), "{complaint}");
    home.run(&["users", "create", "jane@example.com"]).succeeded();
}

#[test]
fn people_of_other_domains_need_an_invitation() {
    let mut home = Home::on_sqlite();
    home.without_limits();
    home.set("people.allowed_domains", "Example.ORG, example.net");
    let server = home.start();
    let mut client = server.client();
    let of = |domain: &str| Account { email: format!("jane@{domain}"), ..Account::new() };
    register(&mut client, &of("example.com"), None).with_status(403);
    register(&mut client, &of("sub.example.org"), None).with_status(403);
    register(&mut client, &of("EXAMPLE.org"), None).with_status(201);
    let secret = invite(&home, &[]);
    let secret = secret["invite_token"].as_str();
    register(&mut client, &of("example.com"), secret).with_status(201);
}

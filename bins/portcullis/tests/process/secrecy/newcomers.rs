//! Everything that agents do that sign themselves up, good and bad, with every kind of secret they have.

use super::secrets::{MANY, Secrets};
use crate::harness::{
    Arrivals as _, Mailbox, Newcomer, Request, Server,
    agents::{new_mailbox, wrong_code},
    newcomers::{credential, giving_back},
};

pub(super) fn everything(server: &Server, mailbox: &Mailbox, secrets: &mut Secrets) {
    let mut client = server.client();
    let mut codes = Vec::new();
    for round in 0..MANY {
        let email = new_mailbox();
        let (newcomer, code) = if round == 0 {
            let newcomer = Newcomer::sign_up_for(&mut client, &email);
            (newcomer, mailbox.wait_for_code(&email))
        } else {
            let newcomer = Newcomer::sign_up(&mut client);
            secrets.add_basic(&newcomer.agent, &newcomer.key);
            let issued = client.ask(&newcomer.exchange(&newcomer.key)).with_status(200);
            secrets.add_jwt(issued.json()["access_token"].as_str().unwrap());
            let code = newcomer.code(&mut client, mailbox, &email);
            (newcomer, code)
        };
        secrets.add(&newcomer.claim);
        secrets.add(&newcomer.view);
        codes.push(code.clone());
        client.get(&format!("/claim?token={}", newcomer.view));
        client.get(&format!("/v1/auth/agent/claim?claim_token={}", newcomer.claim));
        client.ask(&newcomer.completion(&wrong_code([&code]))).with_status(401);
        if round == 1 {
            // This one stays open, with its code.
            continue;
        }
        let key = credential(&client.ask(&newcomer.completion(&code)).with_status(200));
        client.ask(&newcomer.completion(&code)).with_status(409);
        secrets.add_basic(&newcomer.agent, &key);
        let undo = mailbox.wait_for_token(&email, "crt_");
        secrets.add(&undo);
        client.get(&format!("/claim/undo?token={undo}"));
        let wrong = Request::get("/v1/users/me").bearer(&newcomer.claim);
        client.ask(&wrong).with_status(401);
        client.ask(&giving_back(&newcomer.claim)).with_status(401);
        client.ask(&giving_back(&key)).with_status(200);
        client.ask(&giving_back(&key)).with_status(401);
    }
    secrets.add_codes(codes);
}

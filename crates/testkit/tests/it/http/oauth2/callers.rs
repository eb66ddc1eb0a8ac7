//! Who calls `/oauth2/*`, and how.

use portcullis_audit::Actor;
use portcullis_flows::oauth::AddServer;
use portcullis_identity::AgentStatus;
use portcullis_kernel::{ExposeSecret as _, Field, Origin};
use portcullis_testkit::app::{Bot, Client, Reply, Request, TestApp};

pub(crate) const TOKEN: &str = "/oauth2/token";
pub(crate) const INTROSPECT: &str = "/oauth2/introspect";
pub(crate) const REVOKE: &str = "/oauth2/revoke";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
/// Of a key for which none are named.
pub(crate) const SCOPES: &str = "messages:read messages:write conversations:read presence:update";

/// What every Basic route of this surface asks for.
pub(crate) const BASIC: &str = r#"Basic realm="agents", charset="UTF-8""#;

/// A resource server, and what it holds.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// A resource server that an operator adds.
pub(crate) fn server(app: &TestApp, scopes: &str, audience: Option<&str>, people: bool) -> Server {
    let input = AddServer {
        name: "an API".into(),
        audience: audience.map_or(Field::Absent, Field::from),
        scopes: Field::Given(scopes.split(' ').map(str::to_owned).collect()),
        people,
    };
    let added = app.engine().add_server(input, Actor::Operator, &Origin::local()).unwrap();
    Server {
        id: added.server.id.to_string(),
        secret: added.secret.into_secret().expose_secret().to_owned(),
    }
}

/// A resource server that sees every key, token for everybody, and person.
pub(crate) fn watcher(app: &TestApp) -> Server {
    server(app, SCOPES, None, true)
}

/// A form of these fields.
pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// A request with a form.
pub(crate) fn ask<'a>(client: &Client<'a>, path: &str, fields: &[(&str, &str)]) -> Request<'a> {
    client.post(path).body(FORM, encoded(fields))
}

/// An exchange of the agent's key with these parameters besides the grant.
pub(crate) fn grant<'a>(client: &Client<'a>, bot: &Bot, fields: &[(&str, &str)]) -> Request<'a> {
    let mut all = vec![("grant_type", "client_credentials")];
    all.extend_from_slice(fields);
    ask(client, TOKEN, &all).basic(&bot.id, &bot.api_key)
}

/// The token that such an exchange gives.
pub(crate) async fn granted(client: &Client<'_>, bot: &Bot, fields: &[(&str, &str)]) -> String {
    grant(client, bot, fields).await.expect(200).string("/access_token")
}

/// What a resource server is told.
pub(crate) async fn introspect(client: &Client<'_>, server: &Server, token: &str) -> Reply {
    let asked = ask(client, INTROSPECT, &[("token", token)]);
    asked.basic(&server.id, &server.secret).await.expect(200)
}

/// Whether a resource server is told that it works. What does not is told of in one way only.
pub(crate) async fn is_active(app: &TestApp, server: &Server, token: &str) -> bool {
    let reply = introspect(&app.client(), server, token).await;
    let active = reply.json()["active"].as_bool().unwrap();
    assert!(active || reply.text() == r#"{"active":false}"#, "{}", reply.text());
    active
}

/// A revocation by whoever holds the token.
pub(crate) async fn revoke(app: &TestApp, token: &str) {
    let reply = ask(&app.client(), REVOKE, &[("token", token)]).await.expect(200);
    assert!(reply.text().is_empty());
}

pub(crate) fn set_status(app: &TestApp, bot: &Bot, status: AgentStatus) {
    let (id, local) = (bot.agent_id(), Origin::local());
    app.engine().set_agent_status(id, status, Actor::Operator, &local).unwrap();
}

/// Another key of the agent, with its id.
pub(crate) async fn another_key(
    app: &TestApp,
    bot: &Bot,
    body: &serde_json::Value,
) -> (String, String) {
    let made = app.client().make_key(bot, body).await.expect(201);
    (made.string("/key_id"), made.string("/api_key"))
}

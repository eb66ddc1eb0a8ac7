use serde_json::{Value, json};

use super::{Client, Reply, Request, TestApp};

/// An agent with an account, and what it holds.
#[derive(Clone, Debug)]
pub struct Bot {
    /// The account's id.
    pub id: String,
    /// The name it gave itself.
    pub name: String,
    /// What manages the account.
    pub recovery_key: String,
    /// The id of its API key.
    pub key_id: String,
    /// The secret of its API key.
    pub api_key: String,
    /// An access token of the key.
    pub access: String,
}

impl Bot {
    /// The account's id, as the domain knows it.
    ///
    /// # Panics
    /// Never: it was read from an answer.
    pub fn agent_id(&self) -> portcullis_kernel::AgentId {
        self.id.parse().expect("an agent's id")
    }

    /// A path below the agent's own.
    pub fn path(&self, rest: &str) -> String {
        format!("/api/agents/{}{rest}", self.id)
    }

    /// The path of its API key.
    pub fn key_path(&self) -> String {
        self.path(&format!("/keys/{}", self.key_id))
    }
}

impl TestApp {
    /// An agent without an address, with a key and a token.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn bot(&self, name: &str) -> Bot {
        let reply = self.client().register_agent(name, None).await.expect(201);
        self.equipped(&reply).await
    }

    /// An agent whose address is proven, with a key and a token; no mail waits afterwards.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn proven_bot(&self, name: &str, email: &str) -> Bot {
        self.mails();
        let reply = self.client().register_agent(name, Some(email)).await.expect(201);
        let body = json!({ "token": self.mailed("agent_verify_email") });
        self.client().post("/api/auth/verify-email").json(&body).await.expect(200);
        self.equipped(&reply).await
    }

    /// What just registered, with a key and a token.
    async fn equipped(&self, registered: &Reply) -> Bot {
        let mut bot = Bot {
            id: registered.string("/agent_id"),
            name: registered.string("/agent_name"),
            recovery_key: registered.string("/recovery_key"),
            key_id: String::new(),
            api_key: String::new(),
            access: String::new(),
        };
        let made = self.client().make_key(&bot, &json!({ "name": "first" })).await.expect(201);
        bot.key_id = made.string("/key_id");
        bot.api_key = made.string("/api_key");
        let issued = self.client().exchange(&bot.id, &bot.api_key).await.expect(200);
        bot.access = issued.string("/access_token");
        bot
    }
}

impl Client<'_> {
    /// Makes an agent's account.
    pub async fn register_agent(&self, name: &str, email: Option<&str>) -> Reply {
        let mut body = json!({ "agent_name": name });
        if let Some(email) = email {
            body["email"] = email.into();
        }
        self.post("/api/auth/register").json(&body).await
    }

    /// Makes an API key with the agent's recovery key.
    pub async fn make_key(&self, bot: &Bot, body: &Value) -> Reply {
        self.post(&bot.path("")).recovering(bot).json(body).await
    }

    /// Exchanges an API key for an access token.
    pub async fn exchange(&self, id: &str, api_key: &str) -> Reply {
        self.post("/api/auth/token").basic(id, api_key).await
    }

    /// The account of the agent with this access token.
    pub async fn agent(&self, access: &str) -> Reply {
        self.get("/api/agents/me").bearer(access).await
    }

    /// Asks for recovery codes.
    pub async fn ask_recovery(&self, email: &str) -> Reply {
        self.post("/api/auth/recovery/request").json(&json!({ "email": email })).await
    }

    /// Tries a recovery code.
    pub async fn recover(&self, email: &str, code: &str) -> Reply {
        let body = json!({ "email": email, "code": code });
        self.post("/api/auth/recovery/verify").json(&body).await
    }
}

impl Request<'_> {
    /// Adds the agent's recovery key.
    #[must_use]
    pub fn recovering(self, bot: &Bot) -> Self {
        self.basic(&bot.id, &bot.recovery_key)
    }
}

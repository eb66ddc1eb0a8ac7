use portcullis_audit::Actor;
use portcullis_identity::Role;
use portcullis_kernel::Origin;
use serde_json::{Value, json};

use super::{Client, Reply, TestApp};

/// A password that every rule accepts.
pub const PASSWORD: &str = "SecureP@ssw0rd!";

/// Somebody with an account, and what they hold.
#[derive(Clone, Debug)]
pub struct Person {
    /// The account's id.
    pub id: String,
    /// The account's address.
    pub email: String,
    /// An access token.
    pub access: String,
    /// A refresh token.
    pub refresh: String,
}

impl Person {
    /// Reads the answer to a registration or a sign-in.
    #[track_caller]
    pub fn from_reply(reply: &Reply) -> Self {
        Self {
            id: reply.string("/user/id"),
            email: reply.string("/user/email"),
            access: reply.string("/access_token"),
            refresh: reply.string("/refresh_token"),
        }
    }

    /// The account's id, as the domain knows it.
    ///
    /// # Panics
    /// Never: it was read from an answer.
    pub fn user_id(&self) -> portcullis_kernel::UserId {
        self.id.parse().expect("a user id")
    }

    /// The body that signs this person in.
    pub fn credentials(&self) -> Value {
        json!({ "email": self.email, "password": PASSWORD })
    }
}

impl TestApp {
    /// Somebody with an account whose address is proven; no mail waits afterwards.
    ///
    /// # Panics
    /// When they are refused.
    pub async fn verified(&self, email: &str) -> Person {
        self.mails();
        let person = self.client().register(email).await;
        let body = json!({ "token": self.mailed("verify_email") });
        self.client().post("/v1/auth/verify-email").json(&body).await.expect(200);
        person
    }

    /// Somebody with an account and the role `admin`, whose access token does not tell of it yet.
    ///
    /// # Panics
    /// When they are refused.
    pub async fn admin(&self, email: &str) -> Person {
        let person = self.client().register(email).await;
        let (id, local) = (person.user_id(), Origin::local());
        self.engine.set_role(id, Role::Admin, Actor::Operator, &local).expect("their account");
        person
    }
}

impl Client<'_> {
    /// Makes an account with [`PASSWORD`].
    ///
    /// # Panics
    /// When it is refused.
    pub async fn register(&self, email: &str) -> Person {
        let body = json!({ "email": email, "password": PASSWORD, "display_name": "Jane Smith" });
        let reply = self.post("/v1/auth/register").json(&body).await.expect(201);
        Person::from_reply(&reply)
    }

    /// Signs in with [`PASSWORD`].
    ///
    /// # Panics
    /// When it is refused.
    pub async fn sign_in(&self, email: &str) -> Person {
        let reply = self.try_sign_in(email, PASSWORD).await.expect(200);
        Person::from_reply(&reply)
    }

    /// Tries to sign in.
    pub async fn try_sign_in(&self, email: &str, password: &str) -> Reply {
        let body = json!({ "email": email, "password": password });
        self.post("/v1/auth/login").json(&body).await
    }

    /// Rotates a refresh token.
    pub async fn refresh(&self, token: &str) -> Reply {
        self.post("/v1/auth/refresh").json(&json!({ "refresh_token": token })).await
    }

    /// Signs out of the session of a refresh token.
    pub async fn sign_out(&self, access: &str, refresh: &str) -> Reply {
        let request = self.post("/v1/auth/logout").bearer(access);
        request.json(&json!({ "refresh_token": refresh })).await
    }

    /// The caller's account.
    pub async fn me(&self, access: &str) -> Reply {
        self.get("/v1/users/me").bearer(access).await
    }
}

//! The HTTP edge, in modules that mirror its URLs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code beside the tests"
)]

mod at_rest;
mod bearer;
mod bodies;
mod envelopes;
mod headers;
mod health;
mod hostile;
mod index;
mod jwt;
mod limits;
mod openapi;
mod order;
mod routes;
mod unavailable;

mod api {
    mod bodies;
    mod credentials;
    pub(crate) mod headers;
    mod hostile;
    mod order;
    pub(crate) mod routes;
    mod unavailable;
    mod agents {
        mod account;
        mod audit_logs;
        mod key;
        mod keys;
        mod me;
        mod profile;
    }
    mod auth {
        mod logout;
        mod refresh;
        mod register;
        mod resend;
        mod token;
        mod verify_email;
        mod recovery {
            mod request;
            mod verify;
        }
    }
}

mod oauth2 {
    pub(crate) mod callers;
    mod endings;
    mod introspect;
    mod requests;
    mod revoke;
    mod token;
    mod token_refusals;
}

mod pages {
    mod account;
    mod agents;
    pub(crate) mod browser;
    mod claim;
    mod dev;
    mod errors;
    mod forms;
    mod limits;
    mod register;
    mod reset;
    mod sign_in;
    mod verify;
    mod verify_agent;
}

mod well_known {
    mod agent_auth;
    mod discovery;
    mod jwks;
}

pub(crate) mod v1 {
    pub(crate) mod balance;
    mod credits {
        mod topups;
        mod unavailable;
    }
    mod meter {
        pub(crate) mod charge;
    }
    mod admin {
        mod agents;
        mod agents_made;
        mod invitations;
        mod one_user;
        mod users;
    }
    pub(crate) mod auth {
        pub(crate) mod agent {
            mod bodies;
            mod claim;
            mod complete;
            mod revoke;
            pub(crate) mod sign_up;
        }
        mod login;
        mod logout;
        mod refresh;
        mod refresh_replays;
        mod register;
        mod register_fields;
        mod register_modes;
        mod sessions;
        mod verify_email;
        mod verify_email_resend;
        mod password {
            mod change;
            mod reset;
            mod reset_confirm;
        }
    }
    pub(crate) mod users {
        mod me;
        pub(crate) mod me_agents;
        mod me_delete;
        mod me_email;
    }
}

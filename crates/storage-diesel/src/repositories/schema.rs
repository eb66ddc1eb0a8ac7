//! The tables, as the migrations make them.

mod claims;
mod ledgers;

pub(super) use claims::{claim_attempts, registrations};
pub(super) use ledgers::{credit_accounts, credit_entries};

use super::super::InstantSql;

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use super::InstantSql;

    users (id) {
        id -> Text,
        email -> Text,
        email_delivery -> Text,
        email_verified_at -> Nullable<InstantSql>,
        display_name -> Nullable<Text>,
        role -> Text,
        status -> Text,
        created_at -> InstantSql,
        opened_from -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::InstantSql;

    known_addresses (user_id, address) {
        user_id -> Text,
        address -> Text,
        seen_at -> InstantSql,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::InstantSql;

    passwords (user_id) {
        user_id -> Text,
        hash -> Text,
        updated_at -> InstantSql,
    }
}

diesel::table! {
    use diesel::sql_types::{Integer, Nullable, Text};
    use super::InstantSql;

    sessions (id) {
        id -> Text,
        user_id -> Text,
        created_at -> InstantSql,
        last_used_at -> InstantSql,
        expires_at -> InstantSql,
        ip -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        generation -> Integer,
        ended_at -> Nullable<InstantSql>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Integer, Nullable, Text};
    use super::InstantSql;

    refresh_tokens (digest) {
        digest -> Binary,
        session_id -> Text,
        generation -> Integer,
        issued_at -> InstantSql,
        expires_at -> InstantSql,
        used_at -> Nullable<InstantSql>,
        raced_at -> Nullable<InstantSql>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Integer, Nullable, Text};
    use super::InstantSql;

    signing_keys (kid) {
        kid -> Text,
        purpose -> Text,
        generation -> Integer,
        algorithm -> Text,
        public_jwk -> Text,
        sealed -> Binary,
        sealed_by -> Text,
        created_at -> InstantSql,
        active_from -> InstantSql,
        retired_at -> Nullable<InstantSql>,
        removed_at -> Nullable<InstantSql>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Text};
    use super::InstantSql;

    mailed_tokens (digest) {
        digest -> Binary,
        kind -> Text,
        user_id -> Text,
        email -> Text,
        created_at -> InstantSql,
        expires_at -> InstantSql,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Integer, Text};
    use super::InstantSql;

    email_changes (id) {
        id -> Text,
        user_id -> Text,
        session_id -> Text,
        email -> Text,
        email_delivery -> Text,
        code -> Binary,
        tries -> Integer,
        created_at -> InstantSql,
        expires_at -> InstantSql,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Nullable, Text};
    use super::InstantSql;

    invitations (id) {
        id -> Text,
        digest -> Binary,
        email -> Nullable<Text>,
        email_delivery -> Nullable<Text>,
        created_at -> InstantSql,
        expires_at -> InstantSql,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Integer, Nullable, Text};
    use super::InstantSql;

    outbox (id) {
        id -> Text,
        kind -> Text,
        user_id -> Nullable<Text>,
        token -> Nullable<Binary>,
        change_id -> Nullable<Text>,
        invitation_id -> Nullable<Text>,
        sealed -> Binary,
        sealed_by -> Text,
        created_at -> InstantSql,
        due_at -> InstantSql,
        expires_at -> InstantSql,
        attempts -> Integer,
        agent_id -> Nullable<Text>,
        agent_token -> Nullable<Binary>,
        recovery_id -> Nullable<Text>,
        claim_attempt_id -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Text};
    use super::InstantSql;

    inbox (id) {
        id -> Text,
        received_at -> InstantSql,
        sealed -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use super::InstantSql;

    audit_events (id) {
        id -> Text,
        at -> InstantSql,
        action -> Text,
        outcome -> Text,
        actor_kind -> Text,
        actor_user -> Nullable<Text>,
        subject -> Nullable<Text>,
        session_id -> Nullable<Text>,
        client -> Nullable<Text>,
        request_id -> Nullable<Text>,
        detail -> Nullable<Text>,
        agent_id -> Nullable<Text>,
        key_id -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::InstantSql;

    rate_limits (key) {
        key -> Text,
        hits -> Text,
        empty_at -> InstantSql,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Nullable, Text};
    use super::InstantSql;

    agents (id) {
        id -> Text,
        name -> Text,
        description -> Nullable<Text>,
        owner_text -> Nullable<Text>,
        version -> Nullable<Text>,
        email -> Nullable<Text>,
        email_delivery -> Nullable<Text>,
        email_verified_at -> Nullable<InstantSql>,
        pending_email -> Nullable<Text>,
        pending_delivery -> Nullable<Text>,
        recovery -> Nullable<Binary>,
        status -> Text,
        owner_id -> Nullable<Text>,
        display_name -> Nullable<Text>,
        profile_description -> Nullable<Text>,
        tags -> Text,
        visibility -> Text,
        created_at -> InstantSql,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};
    use super::InstantSql;

    api_keys (id) {
        id -> Text,
        agent_id -> Text,
        name -> Text,
        hint -> Text,
        digest -> Binary,
        scopes -> Text,
        networks -> Nullable<Text>,
        rate_limit -> Nullable<BigInt>,
        created_at -> InstantSql,
        expires_at -> Nullable<InstantSql>,
        last_used_at -> Nullable<InstantSql>,
        revoked_at -> Nullable<InstantSql>,
        replaced_by -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Nullable, Text};
    use super::InstantSql;

    agent_tokens (digest) {
        digest -> Binary,
        agent_id -> Text,
        email -> Text,
        created_at -> InstantSql,
        expires_at -> InstantSql,
        used_at -> Nullable<InstantSql>,
    }
}

diesel::table! {
    use diesel::sql_types::{Integer, Nullable, Text};
    use super::InstantSql;

    recovery_requests (id) {
        id -> Text,
        email -> Text,
        side -> Text,
        asked_from -> Text,
        own_tries -> Integer,
        other_tries -> Integer,
        created_at -> InstantSql,
        expires_at -> InstantSql,
        closed_at -> Nullable<InstantSql>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Nullable, Text};
    use super::InstantSql;

    recovery_codes (request_id, agent_id) {
        request_id -> Text,
        agent_id -> Text,
        code -> Binary,
        used_at -> Nullable<InstantSql>,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::InstantSql;

    agent_networks (agent_id, network) {
        agent_id -> Text,
        network -> Text,
        seen_at -> InstantSql,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use super::InstantSql;

    spent_tokens (id) {
        id -> Text,
        agent_id -> Text,
        successor -> Nullable<Text>,
        spent_at -> InstantSql,
        forget_at -> InstantSql,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Bool, Nullable, Text};
    use super::InstantSql;

    resource_servers (id) {
        id -> Text,
        name -> Text,
        digest -> Binary,
        audience -> Nullable<Text>,
        scopes -> Text,
        people -> Bool,
        created_at -> InstantSql,
    }
}

diesel::joinable!(refresh_tokens -> sessions (session_id));
diesel::joinable!(api_keys -> agents (agent_id));
diesel::joinable!(agent_networks -> agents (agent_id));
diesel::allow_tables_to_appear_in_same_query!(sessions, refresh_tokens);
diesel::allow_tables_to_appear_in_same_query!(
    agents,
    api_keys,
    agent_networks,
    spent_tokens,
    users
);

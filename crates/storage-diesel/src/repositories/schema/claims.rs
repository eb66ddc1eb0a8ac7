use super::InstantSql;

diesel::table! {
    use diesel::sql_types::{Binary, Integer, Nullable, Text};
    use super::InstantSql;

    registrations (id) {
        id -> Text,
        agent_id -> Text,
        kind -> Text,
        email -> Nullable<Text>,
        claim -> Binary,
        view_token -> Binary,
        codes -> Integer,
        asked_from -> Nullable<Text>,
        created_at -> InstantSql,
        expires_at -> InstantSql,
        claimed_at -> Nullable<InstantSql>,
        denied_at -> Nullable<InstantSql>,
        undo -> Nullable<Binary>,
        undo_until -> Nullable<InstantSql>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Integer, Nullable, Text};
    use super::InstantSql;

    claim_attempts (id) {
        id -> Text,
        registration_id -> Text,
        email -> Text,
        email_delivery -> Text,
        code -> Nullable<Binary>,
        tries -> Integer,
        created_at -> InstantSql,
        expires_at -> InstantSql,
    }
}

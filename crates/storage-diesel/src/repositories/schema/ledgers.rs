use super::InstantSql;

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};

    credit_accounts (id) {
        id -> Text,
        user_id -> Nullable<Text>,
        agent_id -> Nullable<Text>,
        balance -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};
    use super::InstantSql;

    credit_entries (id) {
        id -> Text,
        account_id -> Text,
        delta -> BigInt,
        balance -> BigInt,
        reason -> Text,
        server_id -> Text,
        operation_id -> Nullable<Text>,
        addressee -> Nullable<Binary>,
        note -> Nullable<Text>,
        created_at -> InstantSql,
    }
}

diesel::joinable!(credit_entries -> credit_accounts (account_id));
diesel::allow_tables_to_appear_in_same_query!(credit_accounts, credit_entries);

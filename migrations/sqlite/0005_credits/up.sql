-- The id is that of the user or agent.
CREATE TABLE credit_accounts (
    id       TEXT NOT NULL,
    user_id  TEXT REFERENCES users (id) ON DELETE CASCADE,
    agent_id TEXT REFERENCES agents (id) ON DELETE CASCADE,
    balance  INTEGER NOT NULL,
    CONSTRAINT credit_accounts_pkey PRIMARY KEY (id),
    CONSTRAINT credit_accounts_id_check CHECK (id = coalesce(user_id, agent_id)),
    CONSTRAINT credit_accounts_holder_check CHECK ((user_id IS NULL) <> (agent_id IS NULL)),
    CONSTRAINT credit_accounts_balance_check CHECK (balance >= 0)
) STRICT;
CREATE INDEX credit_accounts_user_id_idx ON credit_accounts (user_id);
CREATE INDEX credit_accounts_agent_id_idx ON credit_accounts (agent_id);

-- No resource server is the empty text, for a unique key tells no two NULLs apart. It has no foreign key:
-- what a server that is gone has charged stays charged. The balance is that right after the entry.
-- The addressee is a digest of the id that a top-up names, for an agent may be erased before its entry.
CREATE TABLE credit_entries (
    id           TEXT NOT NULL,
    account_id   TEXT NOT NULL REFERENCES credit_accounts (id) ON DELETE CASCADE,
    delta        INTEGER NOT NULL,
    balance      INTEGER NOT NULL,
    reason       TEXT NOT NULL,
    server_id    TEXT NOT NULL,
    operation_id TEXT,
    addressee    BLOB,
    note         TEXT,
    created_at   INTEGER NOT NULL,
    CONSTRAINT credit_entries_pkey PRIMARY KEY (id),
    CONSTRAINT credit_entries_operation_key UNIQUE (server_id, operation_id, reason),
    CONSTRAINT credit_entries_reason_check
        CHECK (reason IN ('grant', 'topup', 'charge', 'refund')),
    CONSTRAINT credit_entries_delta_check CHECK ((delta < 0) = (reason = 'charge') AND delta <> 0),
    CONSTRAINT credit_entries_addressee_check
        CHECK ((addressee IS NOT NULL) = (reason = 'topup') AND length(addressee) = 32),
    CONSTRAINT credit_entries_balance_check CHECK (balance >= 0)
) STRICT;
CREATE INDEX credit_entries_account_id_created_at_id_idx
    ON credit_entries (account_id, created_at, id);

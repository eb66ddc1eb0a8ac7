ALTER TABLE users ADD COLUMN opened_from TEXT;

CREATE TABLE mailed_tokens (
    digest     BLOB NOT NULL,
    kind       TEXT NOT NULL,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    CONSTRAINT mailed_tokens_pkey PRIMARY KEY (digest),
    CONSTRAINT mailed_tokens_user_id_kind_key UNIQUE (user_id, kind),
    CONSTRAINT mailed_tokens_digest_check CHECK (length(digest) = 32),
    CONSTRAINT mailed_tokens_kind_check
        CHECK (kind IN ('verify_email', 'reset_password', 'delete_account'))
) STRICT;
CREATE INDEX mailed_tokens_expires_at_idx ON mailed_tokens (expires_at);

CREATE TABLE email_changes (
    id             TEXT NOT NULL,
    user_id        TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id     TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    email          TEXT NOT NULL,
    email_delivery TEXT NOT NULL,
    code           BLOB NOT NULL,
    tries          INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    CONSTRAINT email_changes_pkey PRIMARY KEY (id),
    CONSTRAINT email_changes_user_id_key UNIQUE (user_id),
    CONSTRAINT email_changes_code_check CHECK (length(code) = 32),
    CONSTRAINT email_changes_tries_check CHECK (tries >= 0)
) STRICT;
CREATE INDEX email_changes_session_id_idx ON email_changes (session_id);
CREATE INDEX email_changes_expires_at_idx ON email_changes (expires_at);

CREATE TABLE invitations (
    id             TEXT NOT NULL,
    digest         BLOB NOT NULL,
    email          TEXT,
    email_delivery TEXT,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    CONSTRAINT invitations_pkey PRIMARY KEY (id),
    CONSTRAINT invitations_digest_key UNIQUE (digest),
    CONSTRAINT invitations_digest_check CHECK (length(digest) = 32),
    CONSTRAINT invitations_email_check CHECK ((email IS NULL) = (email_delivery IS NULL))
) STRICT;
CREATE INDEX invitations_expires_at_idx ON invitations (expires_at);
CREATE INDEX invitations_email_idx ON invitations (email) WHERE email IS NOT NULL;

-- What waits goes with what it is about.
CREATE TABLE outbox (
    id            TEXT NOT NULL,
    kind          TEXT NOT NULL,
    user_id       TEXT REFERENCES users (id) ON DELETE CASCADE,
    token         BLOB REFERENCES mailed_tokens (digest) ON DELETE CASCADE,
    change_id     TEXT REFERENCES email_changes (id) ON DELETE CASCADE,
    invitation_id TEXT REFERENCES invitations (id) ON DELETE CASCADE,
    sealed        BLOB NOT NULL,
    sealed_by     TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    due_at        INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    CONSTRAINT outbox_pkey PRIMARY KEY (id),
    CONSTRAINT outbox_attempts_check CHECK (attempts >= 0)
) STRICT;
CREATE INDEX outbox_sealed_by_due_at_id_idx ON outbox (sealed_by, due_at, id);
CREATE INDEX outbox_expires_at_idx ON outbox (expires_at);
CREATE INDEX outbox_user_id_idx ON outbox (user_id);
CREATE INDEX outbox_token_idx ON outbox (token);
CREATE INDEX outbox_change_id_idx ON outbox (change_id);
CREATE INDEX outbox_invitation_id_idx ON outbox (invitation_id);

CREATE TABLE inbox (
    id          TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    sealed      BLOB NOT NULL,
    CONSTRAINT inbox_pkey PRIMARY KEY (id)
) STRICT;
CREATE INDEX inbox_received_at_id_idx ON inbox (received_at, id);

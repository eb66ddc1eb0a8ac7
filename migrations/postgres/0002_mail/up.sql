ALTER TABLE users ADD COLUMN opened_from TEXT;

CREATE TABLE mailed_tokens (
    digest     BYTEA NOT NULL,
    kind       TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email      TEXT COLLATE "C" NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT mailed_tokens_pkey PRIMARY KEY (digest),
    CONSTRAINT mailed_tokens_user_id_kind_key UNIQUE (user_id, kind),
    CONSTRAINT mailed_tokens_digest_check CHECK (length(digest) = 32),
    CONSTRAINT mailed_tokens_kind_check
        CHECK (kind IN ('verify_email', 'reset_password', 'delete_account'))
);
CREATE INDEX mailed_tokens_expires_at_idx ON mailed_tokens (expires_at);

CREATE TABLE email_changes (
    id             TEXT COLLATE "C" NOT NULL,
    user_id        TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id     TEXT COLLATE "C" NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    email          TEXT COLLATE "C" NOT NULL,
    email_delivery TEXT NOT NULL,
    code           BYTEA NOT NULL,
    tries          INTEGER NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL,
    expires_at     TIMESTAMPTZ NOT NULL,
    CONSTRAINT email_changes_pkey PRIMARY KEY (id),
    CONSTRAINT email_changes_user_id_key UNIQUE (user_id),
    CONSTRAINT email_changes_code_check CHECK (length(code) = 32),
    CONSTRAINT email_changes_tries_check CHECK (tries >= 0)
);
CREATE INDEX email_changes_session_id_idx ON email_changes (session_id);
CREATE INDEX email_changes_expires_at_idx ON email_changes (expires_at);

CREATE TABLE invitations (
    id             TEXT COLLATE "C" NOT NULL,
    digest         BYTEA NOT NULL,
    email          TEXT COLLATE "C",
    email_delivery TEXT,
    created_at     TIMESTAMPTZ NOT NULL,
    expires_at     TIMESTAMPTZ NOT NULL,
    CONSTRAINT invitations_pkey PRIMARY KEY (id),
    CONSTRAINT invitations_digest_key UNIQUE (digest),
    CONSTRAINT invitations_digest_check CHECK (length(digest) = 32),
    CONSTRAINT invitations_email_check CHECK ((email IS NULL) = (email_delivery IS NULL))
);
CREATE INDEX invitations_expires_at_idx ON invitations (expires_at);
CREATE INDEX invitations_email_idx ON invitations (email) WHERE email IS NOT NULL;

-- What waits goes with what it is about.
CREATE TABLE outbox (
    id            TEXT COLLATE "C" NOT NULL,
    kind          TEXT COLLATE "C" NOT NULL,
    user_id       TEXT COLLATE "C" REFERENCES users (id) ON DELETE CASCADE,
    token         BYTEA REFERENCES mailed_tokens (digest) ON DELETE CASCADE,
    change_id     TEXT COLLATE "C" REFERENCES email_changes (id) ON DELETE CASCADE,
    invitation_id TEXT COLLATE "C" REFERENCES invitations (id) ON DELETE CASCADE,
    sealed        BYTEA NOT NULL,
    sealed_by     TEXT COLLATE "C" NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    due_at        TIMESTAMPTZ NOT NULL,
    expires_at    TIMESTAMPTZ NOT NULL,
    attempts      INTEGER NOT NULL,
    CONSTRAINT outbox_pkey PRIMARY KEY (id),
    CONSTRAINT outbox_attempts_check CHECK (attempts >= 0)
);
CREATE INDEX outbox_sealed_by_due_at_id_idx ON outbox (sealed_by, due_at, id);
CREATE INDEX outbox_expires_at_idx ON outbox (expires_at);
CREATE INDEX outbox_user_id_idx ON outbox (user_id);
CREATE INDEX outbox_token_idx ON outbox (token);
CREATE INDEX outbox_change_id_idx ON outbox (change_id);
CREATE INDEX outbox_invitation_id_idx ON outbox (invitation_id);

CREATE TABLE inbox (
    id          TEXT COLLATE "C" NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    sealed      BYTEA NOT NULL,
    CONSTRAINT inbox_pkey PRIMARY KEY (id)
);
CREATE INDEX inbox_received_at_id_idx ON inbox (received_at, id);

-- Ids, names and keys are ASCII and are compared and sorted bytewise, as SQLite does: COLLATE "C".

CREATE TABLE users (
    id                TEXT COLLATE "C" NOT NULL,
    email             TEXT COLLATE "C" NOT NULL,
    email_delivery    TEXT NOT NULL,
    email_verified_at TIMESTAMPTZ,
    display_name      TEXT,
    role              TEXT COLLATE "C" NOT NULL,
    status            TEXT COLLATE "C" NOT NULL,
    created_at        TIMESTAMPTZ NOT NULL,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_key UNIQUE (email),
    CONSTRAINT users_role_check CHECK (role IN ('user', 'verified_user', 'host', 'admin')),
    CONSTRAINT users_status_check CHECK (status IN ('active', 'suspended'))
);

CREATE TABLE known_addresses (
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    address TEXT COLLATE "C" NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT known_addresses_pkey PRIMARY KEY (user_id, address)
);
CREATE INDEX known_addresses_seen_at_idx ON known_addresses (seen_at);

CREATE TABLE passwords (
    user_id    TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash       TEXT COLLATE "C" NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT passwords_pkey PRIMARY KEY (user_id)
);

CREATE TABLE sessions (
    id           TEXT COLLATE "C" NOT NULL,
    user_id      TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   TIMESTAMPTZ NOT NULL,
    last_used_at TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ NOT NULL,
    ip           TEXT,
    user_agent   TEXT,
    generation   INTEGER NOT NULL,
    ended_at     TIMESTAMPTZ,
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_generation_check CHECK (generation >= 0)
);
CREATE INDEX sessions_user_id_idx ON sessions (user_id);
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);
CREATE INDEX sessions_ended_at_idx ON sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE refresh_tokens (
    digest     BYTEA NOT NULL,
    session_id TEXT COLLATE "C" NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    generation INTEGER NOT NULL,
    issued_at  TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    used_at    TIMESTAMPTZ,
    raced_at   TIMESTAMPTZ,
    CONSTRAINT refresh_tokens_pkey PRIMARY KEY (digest),
    CONSTRAINT refresh_tokens_session_id_generation_key UNIQUE (session_id, generation),
    CONSTRAINT refresh_tokens_digest_check CHECK (length(digest) = 32)
);
CREATE INDEX refresh_tokens_expires_at_idx ON refresh_tokens (expires_at);

CREATE TABLE signing_keys (
    kid         TEXT COLLATE "C" NOT NULL,
    purpose     TEXT COLLATE "C" NOT NULL,
    generation  INTEGER NOT NULL,
    algorithm   TEXT COLLATE "C" NOT NULL,
    public_jwk  TEXT NOT NULL,
    sealed      BYTEA NOT NULL,
    sealed_by   TEXT COLLATE "C" NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    active_from TIMESTAMPTZ NOT NULL,
    retired_at  TIMESTAMPTZ,
    removed_at  TIMESTAMPTZ,
    CONSTRAINT signing_keys_pkey PRIMARY KEY (kid),
    CONSTRAINT signing_keys_purpose_generation_key UNIQUE (purpose, generation)
);

-- No foreign keys: events outlive the accounts they tell of.
CREATE TABLE audit_events (
    id         TEXT COLLATE "C" NOT NULL,
    at         TIMESTAMPTZ NOT NULL,
    action     TEXT COLLATE "C" NOT NULL,
    outcome    TEXT COLLATE "C" NOT NULL,
    actor_kind TEXT COLLATE "C" NOT NULL,
    actor_user TEXT COLLATE "C",
    subject    TEXT COLLATE "C",
    session_id TEXT COLLATE "C",
    client     TEXT,
    request_id TEXT,
    detail     TEXT,
    CONSTRAINT audit_events_pkey PRIMARY KEY (id),
    CONSTRAINT audit_events_outcome_check CHECK (outcome IN ('success', 'failure'))
);
CREATE INDEX audit_events_at_idx ON audit_events (at);
CREATE INDEX audit_events_actor_user_at_idx ON audit_events (actor_user, at);
CREATE INDEX audit_events_subject_at_idx ON audit_events (subject, at);

CREATE TABLE rate_limits (
    key      TEXT COLLATE "C" NOT NULL,
    hits     TEXT COLLATE "C" NOT NULL,
    empty_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT rate_limits_pkey PRIMARY KEY (key)
);
CREATE INDEX rate_limits_empty_at_idx ON rate_limits (empty_at);

-- Times are microseconds since 1970, so that they compare exactly.

CREATE TABLE users (
    id                TEXT NOT NULL,
    email             TEXT NOT NULL,
    email_delivery    TEXT NOT NULL,
    email_verified_at INTEGER,
    display_name      TEXT,
    role              TEXT NOT NULL,
    status            TEXT NOT NULL,
    created_at        INTEGER NOT NULL,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_key UNIQUE (email),
    CONSTRAINT users_role_check CHECK (role IN ('user', 'verified_user', 'host', 'admin')),
    CONSTRAINT users_status_check CHECK (status IN ('active', 'suspended'))
) STRICT;

CREATE TABLE known_addresses (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    address TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    CONSTRAINT known_addresses_pkey PRIMARY KEY (user_id, address)
) STRICT;
CREATE INDEX known_addresses_seen_at_idx ON known_addresses (seen_at);

CREATE TABLE passwords (
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash       TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    CONSTRAINT passwords_pkey PRIMARY KEY (user_id)
) STRICT;

CREATE TABLE sessions (
    id           TEXT NOT NULL,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    ip           TEXT,
    user_agent   TEXT,
    generation   INTEGER NOT NULL,
    ended_at     INTEGER,
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_generation_check CHECK (generation >= 0)
) STRICT;
CREATE INDEX sessions_user_id_idx ON sessions (user_id);
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);
CREATE INDEX sessions_ended_at_idx ON sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE refresh_tokens (
    digest     BLOB NOT NULL,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    generation INTEGER NOT NULL,
    issued_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER,
    raced_at   INTEGER,
    CONSTRAINT refresh_tokens_pkey PRIMARY KEY (digest),
    CONSTRAINT refresh_tokens_session_id_generation_key UNIQUE (session_id, generation),
    CONSTRAINT refresh_tokens_digest_check CHECK (length(digest) = 32)
) STRICT;
CREATE INDEX refresh_tokens_expires_at_idx ON refresh_tokens (expires_at);

CREATE TABLE signing_keys (
    kid         TEXT NOT NULL,
    purpose     TEXT NOT NULL,
    generation  INTEGER NOT NULL,
    algorithm   TEXT NOT NULL,
    public_jwk  TEXT NOT NULL,
    sealed      BLOB NOT NULL,
    sealed_by   TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    active_from INTEGER NOT NULL,
    retired_at  INTEGER,
    removed_at  INTEGER,
    CONSTRAINT signing_keys_pkey PRIMARY KEY (kid),
    CONSTRAINT signing_keys_purpose_generation_key UNIQUE (purpose, generation)
) STRICT;

-- No foreign keys: events outlive the accounts they tell of.
CREATE TABLE audit_events (
    id         TEXT NOT NULL,
    at         INTEGER NOT NULL,
    action     TEXT NOT NULL,
    outcome    TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_user TEXT,
    subject    TEXT,
    session_id TEXT,
    client     TEXT,
    request_id TEXT,
    detail     TEXT,
    CONSTRAINT audit_events_pkey PRIMARY KEY (id),
    CONSTRAINT audit_events_outcome_check CHECK (outcome IN ('success', 'failure'))
) STRICT;
CREATE INDEX audit_events_at_idx ON audit_events (at);
CREATE INDEX audit_events_actor_user_at_idx ON audit_events (actor_user, at);
CREATE INDEX audit_events_subject_at_idx ON audit_events (subject, at);

CREATE TABLE rate_limits (
    key      TEXT NOT NULL,
    hits     TEXT NOT NULL,
    empty_at INTEGER NOT NULL,
    CONSTRAINT rate_limits_pkey PRIMARY KEY (key)
) STRICT;
CREATE INDEX rate_limits_empty_at_idx ON rate_limits (empty_at);

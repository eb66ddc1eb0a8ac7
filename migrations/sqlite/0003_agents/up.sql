CREATE TABLE agents (
    id                  TEXT NOT NULL,
    name                TEXT NOT NULL,
    description         TEXT,
    owner_text          TEXT,
    version             TEXT,
    email               TEXT,
    email_delivery      TEXT,
    email_verified_at   INTEGER,
    pending_email       TEXT,
    pending_delivery    TEXT,
    recovery            BLOB,
    status              TEXT NOT NULL,
    owner_id            TEXT REFERENCES users (id) ON DELETE SET NULL,
    display_name        TEXT,
    profile_description TEXT,
    tags                TEXT NOT NULL,
    visibility          TEXT NOT NULL,
    created_at          INTEGER NOT NULL,
    CONSTRAINT agents_pkey PRIMARY KEY (id),
    CONSTRAINT agents_recovery_key UNIQUE (recovery),
    CONSTRAINT agents_recovery_check CHECK (length(recovery) = 32),
    CONSTRAINT agents_email_check CHECK ((email IS NULL) = (email_delivery IS NULL)
        AND (email IS NULL) = (email_verified_at IS NULL)),
    CONSTRAINT agents_pending_email_check
        CHECK ((pending_email IS NULL) = (pending_delivery IS NULL)),
    CONSTRAINT agents_status_check CHECK (status IN ('active', 'suspended')),
    CONSTRAINT agents_visibility_check CHECK (visibility IN ('private', 'public'))
) STRICT;
CREATE INDEX agents_email_created_at_id_idx ON agents (email, created_at, id)
    WHERE email IS NOT NULL;
CREATE INDEX agents_pending_email_created_at_id_idx ON agents (pending_email, created_at, id)
    WHERE pending_email IS NOT NULL;
CREATE INDEX agents_owner_id_idx ON agents (owner_id);
CREATE INDEX agents_created_at_id_idx ON agents (created_at, id);
CREATE INDEX agents_public_created_at_id_idx ON agents (created_at, id)
    WHERE visibility = 'public';

CREATE TABLE api_keys (
    id           TEXT NOT NULL,
    agent_id     TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    hint         TEXT NOT NULL,
    digest       BLOB NOT NULL,
    scopes       TEXT NOT NULL,
    networks     TEXT,
    rate_limit   INTEGER,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    revoked_at   INTEGER,
    replaced_by  TEXT,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_digest_key UNIQUE (digest),
    CONSTRAINT api_keys_digest_check CHECK (length(digest) = 32),
    CONSTRAINT api_keys_rate_limit_check CHECK (rate_limit >= 0)
) STRICT;
CREATE INDEX api_keys_agent_id_created_at_id_idx ON api_keys (agent_id, created_at, id);
CREATE INDEX api_keys_expires_at_idx ON api_keys (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX api_keys_revoked_at_idx ON api_keys (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE agent_tokens (
    digest     BLOB NOT NULL,
    agent_id   TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    email      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER,
    CONSTRAINT agent_tokens_pkey PRIMARY KEY (digest),
    CONSTRAINT agent_tokens_digest_check CHECK (length(digest) = 32)
) STRICT;
CREATE INDEX agent_tokens_agent_id_idx ON agent_tokens (agent_id);
-- Of several that are put at once, one stays.
CREATE UNIQUE INDEX agent_tokens_open_key ON agent_tokens (agent_id) WHERE used_at IS NULL;
CREATE INDEX agent_tokens_expires_at_idx ON agent_tokens (expires_at);

-- The side of strangers is the empty text, for a unique key tells no two NULLs apart.
CREATE TABLE recovery_requests (
    id          TEXT NOT NULL,
    email       TEXT NOT NULL,
    side        TEXT NOT NULL,
    asked_from  TEXT NOT NULL,
    own_tries   INTEGER NOT NULL,
    other_tries INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    closed_at   INTEGER,
    CONSTRAINT recovery_requests_pkey PRIMARY KEY (id),
    CONSTRAINT recovery_requests_own_tries_check CHECK (own_tries >= 0),
    CONSTRAINT recovery_requests_other_tries_check CHECK (other_tries >= 0)
) STRICT;
CREATE INDEX recovery_requests_email_idx ON recovery_requests (email);
CREATE UNIQUE INDEX recovery_requests_open_key ON recovery_requests (email, side)
    WHERE closed_at IS NULL;
CREATE INDEX recovery_requests_expires_at_idx ON recovery_requests (expires_at);

CREATE TABLE recovery_codes (
    request_id TEXT NOT NULL REFERENCES recovery_requests (id) ON DELETE CASCADE,
    agent_id   TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    code       BLOB NOT NULL,
    used_at    INTEGER,
    CONSTRAINT recovery_codes_pkey PRIMARY KEY (request_id, agent_id),
    CONSTRAINT recovery_codes_code_check CHECK (length(code) = 32)
) STRICT;
CREATE INDEX recovery_codes_agent_id_idx ON recovery_codes (agent_id);

CREATE TABLE agent_networks (
    agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    network  TEXT NOT NULL,
    seen_at  INTEGER NOT NULL,
    CONSTRAINT agent_networks_pkey PRIMARY KEY (agent_id, network)
) STRICT;
CREATE INDEX agent_networks_seen_at_idx ON agent_networks (seen_at);

-- No foreign key: a token stays spent when its agent is gone.
CREATE TABLE spent_tokens (
    id        TEXT NOT NULL,
    agent_id  TEXT NOT NULL,
    successor TEXT,
    spent_at  INTEGER NOT NULL,
    forget_at INTEGER NOT NULL,
    CONSTRAINT spent_tokens_pkey PRIMARY KEY (id)
) STRICT;
CREATE INDEX spent_tokens_forget_at_idx ON spent_tokens (forget_at);

CREATE TABLE resource_servers (
    id         TEXT NOT NULL,
    name       TEXT NOT NULL,
    digest     BLOB NOT NULL,
    audience   TEXT,
    scopes     TEXT NOT NULL,
    people     INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    CONSTRAINT resource_servers_pkey PRIMARY KEY (id),
    CONSTRAINT resource_servers_digest_key UNIQUE (digest),
    CONSTRAINT resource_servers_digest_check CHECK (length(digest) = 32),
    CONSTRAINT resource_servers_people_check CHECK (people IN (0, 1))
) STRICT;
CREATE INDEX resource_servers_audience_idx ON resource_servers (audience)
    WHERE audience IS NOT NULL;

ALTER TABLE audit_events ADD COLUMN agent_id TEXT;
ALTER TABLE audit_events ADD COLUMN key_id TEXT;
CREATE INDEX audit_events_agent_id_at_id_idx ON audit_events (agent_id, at, id)
    WHERE agent_id IS NOT NULL;

ALTER TABLE outbox ADD COLUMN agent_id TEXT
    REFERENCES agents (id) ON DELETE CASCADE;
ALTER TABLE outbox ADD COLUMN agent_token BLOB
    REFERENCES agent_tokens (digest) ON DELETE CASCADE;
ALTER TABLE outbox ADD COLUMN recovery_id TEXT
    REFERENCES recovery_requests (id) ON DELETE CASCADE;
CREATE INDEX outbox_agent_id_idx ON outbox (agent_id);
CREATE INDEX outbox_agent_token_idx ON outbox (agent_token);
CREATE INDEX outbox_recovery_id_idx ON outbox (recovery_id);

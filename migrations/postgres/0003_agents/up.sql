CREATE TABLE agents (
    id                  TEXT COLLATE "C" NOT NULL,
    name                TEXT COLLATE "C" NOT NULL,
    description         TEXT,
    owner_text          TEXT,
    version             TEXT,
    email               TEXT COLLATE "C",
    email_delivery      TEXT,
    email_verified_at   TIMESTAMPTZ,
    pending_email       TEXT COLLATE "C",
    pending_delivery    TEXT,
    recovery            BYTEA,
    status              TEXT COLLATE "C" NOT NULL,
    owner_id            TEXT COLLATE "C" REFERENCES users (id) ON DELETE SET NULL,
    display_name        TEXT,
    profile_description TEXT,
    tags                TEXT NOT NULL,
    visibility          TEXT COLLATE "C" NOT NULL,
    created_at          TIMESTAMPTZ NOT NULL,
    CONSTRAINT agents_pkey PRIMARY KEY (id),
    CONSTRAINT agents_recovery_key UNIQUE (recovery),
    CONSTRAINT agents_recovery_check CHECK (length(recovery) = 32),
    CONSTRAINT agents_email_check CHECK ((email IS NULL) = (email_delivery IS NULL)
        AND (email IS NULL) = (email_verified_at IS NULL)),
    CONSTRAINT agents_pending_email_check
        CHECK ((pending_email IS NULL) = (pending_delivery IS NULL)),
    CONSTRAINT agents_status_check CHECK (status IN ('active', 'suspended')),
    CONSTRAINT agents_visibility_check CHECK (visibility IN ('private', 'public'))
);
CREATE INDEX agents_email_created_at_id_idx ON agents (email, created_at, id)
    WHERE email IS NOT NULL;
CREATE INDEX agents_pending_email_created_at_id_idx ON agents (pending_email, created_at, id)
    WHERE pending_email IS NOT NULL;
CREATE INDEX agents_owner_id_idx ON agents (owner_id);
CREATE INDEX agents_created_at_id_idx ON agents (created_at, id);
CREATE INDEX agents_public_created_at_id_idx ON agents (created_at, id)
    WHERE visibility = 'public';

CREATE TABLE api_keys (
    id           TEXT COLLATE "C" NOT NULL,
    agent_id     TEXT COLLATE "C" NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    hint         TEXT COLLATE "C" NOT NULL,
    digest       BYTEA NOT NULL,
    scopes       TEXT COLLATE "C" NOT NULL,
    networks     TEXT COLLATE "C",
    rate_limit   BIGINT,
    created_at   TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ,
    last_used_at TIMESTAMPTZ,
    revoked_at   TIMESTAMPTZ,
    replaced_by  TEXT COLLATE "C",
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_digest_key UNIQUE (digest),
    CONSTRAINT api_keys_digest_check CHECK (length(digest) = 32),
    CONSTRAINT api_keys_rate_limit_check CHECK (rate_limit >= 0)
);
CREATE INDEX api_keys_agent_id_created_at_id_idx ON api_keys (agent_id, created_at, id);
CREATE INDEX api_keys_expires_at_idx ON api_keys (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX api_keys_revoked_at_idx ON api_keys (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE agent_tokens (
    digest     BYTEA NOT NULL,
    agent_id   TEXT COLLATE "C" NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    email      TEXT COLLATE "C" NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    used_at    TIMESTAMPTZ,
    CONSTRAINT agent_tokens_pkey PRIMARY KEY (digest),
    CONSTRAINT agent_tokens_digest_check CHECK (length(digest) = 32)
);
CREATE INDEX agent_tokens_agent_id_idx ON agent_tokens (agent_id);
-- Of several that are put at once, one stays.
CREATE UNIQUE INDEX agent_tokens_open_key ON agent_tokens (agent_id) WHERE used_at IS NULL;
CREATE INDEX agent_tokens_expires_at_idx ON agent_tokens (expires_at);

-- The side of strangers is the empty text, for a unique key tells no two NULLs apart.
CREATE TABLE recovery_requests (
    id          TEXT COLLATE "C" NOT NULL,
    email       TEXT COLLATE "C" NOT NULL,
    side        TEXT COLLATE "C" NOT NULL,
    asked_from  TEXT COLLATE "C" NOT NULL,
    own_tries   INTEGER NOT NULL,
    other_tries INTEGER NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    expires_at  TIMESTAMPTZ NOT NULL,
    closed_at   TIMESTAMPTZ,
    CONSTRAINT recovery_requests_pkey PRIMARY KEY (id),
    CONSTRAINT recovery_requests_own_tries_check CHECK (own_tries >= 0),
    CONSTRAINT recovery_requests_other_tries_check CHECK (other_tries >= 0)
);
CREATE INDEX recovery_requests_email_idx ON recovery_requests (email);
CREATE UNIQUE INDEX recovery_requests_open_key ON recovery_requests (email, side)
    WHERE closed_at IS NULL;
CREATE INDEX recovery_requests_expires_at_idx ON recovery_requests (expires_at);

CREATE TABLE recovery_codes (
    request_id TEXT COLLATE "C" NOT NULL REFERENCES recovery_requests (id) ON DELETE CASCADE,
    agent_id   TEXT COLLATE "C" NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    code       BYTEA NOT NULL,
    used_at    TIMESTAMPTZ,
    CONSTRAINT recovery_codes_pkey PRIMARY KEY (request_id, agent_id),
    CONSTRAINT recovery_codes_code_check CHECK (length(code) = 32)
);
CREATE INDEX recovery_codes_agent_id_idx ON recovery_codes (agent_id);

CREATE TABLE agent_networks (
    agent_id TEXT COLLATE "C" NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    network  TEXT COLLATE "C" NOT NULL,
    seen_at  TIMESTAMPTZ NOT NULL,
    CONSTRAINT agent_networks_pkey PRIMARY KEY (agent_id, network)
);
CREATE INDEX agent_networks_seen_at_idx ON agent_networks (seen_at);

-- No foreign key: a token stays spent when its agent is gone.
CREATE TABLE spent_tokens (
    id        TEXT COLLATE "C" NOT NULL,
    agent_id  TEXT COLLATE "C" NOT NULL,
    successor TEXT COLLATE "C",
    spent_at  TIMESTAMPTZ NOT NULL,
    forget_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT spent_tokens_pkey PRIMARY KEY (id)
);
CREATE INDEX spent_tokens_forget_at_idx ON spent_tokens (forget_at);

CREATE TABLE resource_servers (
    id         TEXT COLLATE "C" NOT NULL,
    name       TEXT NOT NULL,
    digest     BYTEA NOT NULL,
    audience   TEXT COLLATE "C",
    scopes     TEXT COLLATE "C" NOT NULL,
    people     BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT resource_servers_pkey PRIMARY KEY (id),
    CONSTRAINT resource_servers_digest_key UNIQUE (digest),
    CONSTRAINT resource_servers_digest_check CHECK (length(digest) = 32)
);
CREATE INDEX resource_servers_audience_idx ON resource_servers (audience)
    WHERE audience IS NOT NULL;

ALTER TABLE audit_events ADD COLUMN agent_id TEXT COLLATE "C";
ALTER TABLE audit_events ADD COLUMN key_id TEXT COLLATE "C";
CREATE INDEX audit_events_agent_id_at_id_idx ON audit_events (agent_id, at, id)
    WHERE agent_id IS NOT NULL;

ALTER TABLE outbox ADD COLUMN agent_id TEXT COLLATE "C"
    REFERENCES agents (id) ON DELETE CASCADE;
ALTER TABLE outbox ADD COLUMN agent_token BYTEA
    REFERENCES agent_tokens (digest) ON DELETE CASCADE;
ALTER TABLE outbox ADD COLUMN recovery_id TEXT COLLATE "C"
    REFERENCES recovery_requests (id) ON DELETE CASCADE;
CREATE INDEX outbox_agent_id_idx ON outbox (agent_id);
CREATE INDEX outbox_agent_token_idx ON outbox (agent_token);
CREATE INDEX outbox_recovery_id_idx ON outbox (recovery_id);

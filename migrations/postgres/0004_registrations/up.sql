-- Agents that signed themselves up, and the people who claim them.
CREATE TABLE registrations (
    id         TEXT COLLATE "C" NOT NULL,
    agent_id   TEXT COLLATE "C" NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    kind       TEXT COLLATE "C" NOT NULL,
    email      TEXT COLLATE "C",
    claim      BYTEA NOT NULL,
    view_token BYTEA NOT NULL,
    codes      INTEGER NOT NULL,
    asked_from TEXT COLLATE "C",
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    claimed_at TIMESTAMPTZ,
    denied_at  TIMESTAMPTZ,
    undo       BYTEA,
    undo_until TIMESTAMPTZ,
    CONSTRAINT registrations_pkey PRIMARY KEY (id),
    CONSTRAINT registrations_agent_id_key UNIQUE (agent_id),
    CONSTRAINT registrations_claim_key UNIQUE (claim),
    CONSTRAINT registrations_view_token_key UNIQUE (view_token),
    CONSTRAINT registrations_undo_key UNIQUE (undo),
    CONSTRAINT registrations_kind_check
        CHECK (kind IN ('anonymous', 'email') AND (kind = 'email') = (email IS NOT NULL)),
    CONSTRAINT registrations_digests_check CHECK (length(claim) = 32 AND length(view_token) = 32
        AND (undo IS NULL OR length(undo) = 32)),
    CONSTRAINT registrations_codes_check CHECK (codes >= 0),
    CONSTRAINT registrations_state_check CHECK (claimed_at IS NULL OR denied_at IS NULL),
    CONSTRAINT registrations_undo_check
        CHECK ((undo IS NULL) = (undo_until IS NULL) AND (undo IS NULL OR claimed_at IS NOT NULL))
);
CREATE INDEX registrations_unclaimed_email_idx ON registrations (expires_at, id)
    WHERE claimed_at IS NULL AND kind = 'email';
CREATE INDEX registrations_unclaimed_anonymous_idx ON registrations (created_at, id)
    WHERE claimed_at IS NULL AND kind = 'anonymous';

CREATE TABLE claim_attempts (
    id              TEXT COLLATE "C" NOT NULL,
    registration_id TEXT COLLATE "C" NOT NULL REFERENCES registrations (id) ON DELETE CASCADE,
    email           TEXT COLLATE "C" NOT NULL,
    email_delivery  TEXT NOT NULL,
    code            BYTEA,
    tries           INTEGER NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    expires_at      TIMESTAMPTZ NOT NULL,
    CONSTRAINT claim_attempts_pkey PRIMARY KEY (id),
    CONSTRAINT claim_attempts_registration_id_key UNIQUE (registration_id),
    CONSTRAINT claim_attempts_code_check CHECK (code IS NULL OR length(code) = 32),
    CONSTRAINT claim_attempts_tries_check CHECK (tries >= 0)
);
CREATE INDEX claim_attempts_expires_at_idx ON claim_attempts (expires_at);

ALTER TABLE outbox ADD COLUMN claim_attempt_id TEXT COLLATE "C"
    REFERENCES claim_attempts (id) ON DELETE CASCADE;
CREATE INDEX outbox_claim_attempt_id_idx ON outbox (claim_attempt_id);

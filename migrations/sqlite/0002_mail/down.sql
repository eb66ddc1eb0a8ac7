DROP TABLE inbox;
DROP TABLE outbox;
DROP TABLE invitations;
DROP TABLE email_changes;
DROP TABLE mailed_tokens;
ALTER TABLE users DROP COLUMN opened_from;

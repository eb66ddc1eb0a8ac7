DROP TABLE rate_limits;
DROP TABLE audit_events;
DROP TABLE signing_keys;
DROP TABLE refresh_tokens;
DROP TABLE sessions;
DROP TABLE passwords;
DROP TABLE known_addresses;
DROP TABLE users;

-- What only this schema can say.
DELETE FROM signing_keys WHERE purpose = 'agents';
DELETE FROM audit_events
WHERE action LIKE 'agent.%'
    OR action LIKE 'api\_key.%' ESCAPE '\'
    OR action LIKE 'resource\_server.%' ESCAPE '\';
DELETE FROM outbox
WHERE agent_id IS NOT NULL OR agent_token IS NOT NULL OR recovery_id IS NOT NULL;
UPDATE audit_events SET actor_kind = 'anonymous' WHERE actor_kind = 'agent';

DROP INDEX outbox_recovery_id_idx;
DROP INDEX outbox_agent_token_idx;
DROP INDEX outbox_agent_id_idx;
ALTER TABLE outbox DROP COLUMN recovery_id;
ALTER TABLE outbox DROP COLUMN agent_token;
ALTER TABLE outbox DROP COLUMN agent_id;
DROP INDEX audit_events_agent_id_at_id_idx;
ALTER TABLE audit_events DROP COLUMN key_id;
ALTER TABLE audit_events DROP COLUMN agent_id;
DROP TABLE resource_servers;
DROP TABLE spent_tokens;
DROP TABLE agent_networks;
DROP TABLE recovery_codes;
DROP TABLE recovery_requests;
DROP TABLE agent_tokens;
DROP TABLE api_keys;
DROP TABLE agents;

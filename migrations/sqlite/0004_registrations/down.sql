-- What only this schema can say.
DELETE FROM audit_events WHERE action LIKE 'registration.%';
DELETE FROM outbox
WHERE claim_attempt_id IS NOT NULL OR kind IN ('claim_code', 'claim_code_request', 'agent_claimed');

DROP INDEX outbox_claim_attempt_id_idx;
ALTER TABLE outbox DROP COLUMN claim_attempt_id;
DROP TABLE claim_attempts;
DROP TABLE registrations;

-- What only this schema can say.
DELETE FROM audit_events WHERE action LIKE 'credits.%';

DROP TABLE credit_entries;
DROP TABLE credit_accounts;

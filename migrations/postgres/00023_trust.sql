-- +goose Up

-- Sources are found by a MAC of their intake token, under a key that is not in the
-- database; token is sealed. What stands there in clear the program seals when it
-- starts next, as SQL knows no keys; old_token is empty from then on.
ALTER TABLE sources ADD COLUMN token_mac bytea;
ALTER TABLE sources ADD COLUMN old_token_mac bytea;
CREATE UNIQUE INDEX sources_token_mac ON sources (token_mac) WHERE token_mac IS NOT NULL;
CREATE UNIQUE INDEX sources_old_token_mac ON sources (old_token_mac) WHERE old_token_mac IS NOT NULL;

-- A person is found without reading all leads: leads_phone and leads_email leave
-- out what these have, and texts that may be an address or a number are rare among
-- the dynamic properties.
CREATE INDEX leads_phone_again ON leads (phone) WHERE phone IS NOT NULL AND (duplicate_of_id IS NOT NULL OR is_test);
CREATE INDEX leads_email_again ON leads (email) WHERE email IS NOT NULL AND (duplicate_of_id IS NOT NULL OR is_test);
CREATE INDEX leads_phone_raw ON leads (phone_raw) WHERE phone_raw IS NOT NULL AND phone IS NULL;
CREATE INDEX leads_other_emails ON leads (id) WHERE strpos(CAST(properties AS text), '@') > 0;
CREATE INDEX leads_other_phones ON leads (id) WHERE CAST(properties AS text) ~ '[0-9]{4}"';

-- +goose Down

DROP INDEX leads_other_phones;
DROP INDEX leads_other_emails;
DROP INDEX leads_phone_raw;
DROP INDEX leads_email_again;
DROP INDEX leads_phone_again;
-- What was sealed stays so: such a source needs a new token.
DROP INDEX sources_old_token_mac;
DROP INDEX sources_token_mac;
ALTER TABLE sources DROP COLUMN old_token_mac;
ALTER TABLE sources DROP COLUMN token_mac;

-- +goose Up

-- Sources are found by a MAC of their intake token, under a key that is not in the
-- database; token is sealed. What stands there in clear the program seals when it
-- starts next, as SQL knows no keys; old_token is empty from then on.
ALTER TABLE sources ADD COLUMN token_mac blob;
ALTER TABLE sources ADD COLUMN old_token_mac blob;
CREATE UNIQUE INDEX sources_token_mac ON sources (token_mac) WHERE token_mac IS NOT NULL;
CREATE UNIQUE INDEX sources_old_token_mac ON sources (old_token_mac) WHERE old_token_mac IS NOT NULL;

-- +goose Down

-- What was sealed stays so: such a source needs a new token.
DROP INDEX sources_old_token_mac;
DROP INDEX sources_token_mac;
ALTER TABLE sources DROP COLUMN old_token_mac;
ALTER TABLE sources DROP COLUMN token_mac;

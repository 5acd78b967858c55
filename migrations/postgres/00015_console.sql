-- +goose Up

-- What the console shows a user in, and which of their sessions is which: agent
-- and address are those of the browser, empty for tokens of the API.
ALTER TABLE users ADD COLUMN language text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN time_zone text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN agent text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN address text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN seen_at timestamptz;

-- +goose Down
ALTER TABLE sessions DROP COLUMN seen_at;
ALTER TABLE sessions DROP COLUMN address;
ALTER TABLE sessions DROP COLUMN agent;
ALTER TABLE users DROP COLUMN time_zone;
ALTER TABLE users DROP COLUMN language;

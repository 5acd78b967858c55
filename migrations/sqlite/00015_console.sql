-- +goose Up

-- What the console speaks to a user, and when a browser last used its session,
-- null for those that are used by tokens.
ALTER TABLE users ADD COLUMN language text NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN time_zone text NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN seen_at datetime;

-- +goose Down
ALTER TABLE sessions DROP COLUMN seen_at;
ALTER TABLE users DROP COLUMN time_zone;
ALTER TABLE users DROP COLUMN language;

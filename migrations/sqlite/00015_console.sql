-- +goose Up

-- What the console shows a user in, and when a browser's session was last used.
ALTER TABLE users ADD COLUMN language text NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN time_zone text NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN seen_at datetime;

-- +goose Down
ALTER TABLE sessions DROP COLUMN seen_at;
ALTER TABLE users DROP COLUMN time_zone;
ALTER TABLE users DROP COLUMN language;

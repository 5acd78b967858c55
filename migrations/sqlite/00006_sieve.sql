-- +goose Up

-- What a source keeps out, and what it takes for the same person again.
ALTER TABLE sources ADD COLUMN duplicate_window text NOT NULL DEFAULT '';
ALTER TABLE sources ADD COLUMN duplicate_by text NOT NULL DEFAULT '';
ALTER TABLE sources ADD COLUMN duplicate_across boolean NOT NULL DEFAULT false;
ALTER TABLE sources ADD COLUMN route_duplicates boolean NOT NULL DEFAULT false;
ALTER TABLE sources ADD COLUMN checks text NOT NULL DEFAULT '[]' CHECK (json_valid(checks));
ALTER TABLE sources ADD COLUMN honeypot text NOT NULL DEFAULT '';
ALTER TABLE sources ADD COLUMN fill_time_field text NOT NULL DEFAULT '';
ALTER TABLE sources ADD COLUMN min_fill_seconds integer NOT NULL DEFAULT 0;
ALTER TABLE sources ADD COLUMN per_address integer NOT NULL DEFAULT 0;
ALTER TABLE sources ADD COLUMN old_token text;
ALTER TABLE sources ADD COLUMN old_token_until datetime;
ALTER TABLE sources ADD COLUMN rejected_count integer NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX sources_old_token ON sources (old_token) WHERE old_token IS NOT NULL;

-- The same person again is found by one look-up in each of these.
CREATE INDEX leads_phone ON leads (phone, received_at, source_id) WHERE phone IS NOT NULL AND duplicate_of_id IS NULL AND NOT is_test;
CREATE INDEX leads_email ON leads (email, received_at, source_id) WHERE email IS NOT NULL AND duplicate_of_id IS NULL AND NOT is_test;

CREATE TABLE new_rejections (
    id          integer PRIMARY KEY AUTOINCREMENT,
    source_id   integer NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    number      integer NOT NULL,
    received_at datetime NOT NULL,
    code        text NOT NULL,
    reason      text NOT NULL,
    target      text NOT NULL DEFAULT '',
    body        text NOT NULL DEFAULT ''
);
INSERT INTO new_rejections (id, source_id, number, received_at, code, reason, target, body)
    SELECT id, source_id, row_number() OVER (PARTITION BY source_id ORDER BY id), received_at, 'invalid', reason, target,
        coalesce(CAST(body AS text), '') FROM rejections;
DROP TABLE rejections;
ALTER TABLE new_rejections RENAME TO rejections;
CREATE INDEX rejections_source_id ON rejections (source_id, received_at);
UPDATE sources SET rejected_count = (SELECT count(*) FROM rejections r WHERE r.source_id = sources.id);

-- +goose Down

CREATE TABLE new_rejections (
    id          integer PRIMARY KEY AUTOINCREMENT,
    source_id   integer NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    received_at datetime NOT NULL,
    reason      text NOT NULL,
    target      text NOT NULL DEFAULT '',
    body        blob
);
INSERT INTO new_rejections (id, source_id, received_at, reason, target, body)
    SELECT id, source_id, received_at, reason, target, CAST(body AS blob) FROM rejections;
DROP TABLE rejections;
ALTER TABLE new_rejections RENAME TO rejections;
CREATE INDEX rejections_source_id ON rejections (source_id, received_at);

DROP INDEX leads_email;
DROP INDEX leads_phone;
DROP INDEX sources_old_token;
ALTER TABLE sources DROP COLUMN rejected_count;
ALTER TABLE sources DROP COLUMN old_token_until;
ALTER TABLE sources DROP COLUMN old_token;
ALTER TABLE sources DROP COLUMN per_address;
ALTER TABLE sources DROP COLUMN min_fill_seconds;
ALTER TABLE sources DROP COLUMN fill_time_field;
ALTER TABLE sources DROP COLUMN honeypot;
ALTER TABLE sources DROP COLUMN checks;
ALTER TABLE sources DROP COLUMN route_duplicates;
ALTER TABLE sources DROP COLUMN duplicate_across;
ALTER TABLE sources DROP COLUMN duplicate_by;
ALTER TABLE sources DROP COLUMN duplicate_window;

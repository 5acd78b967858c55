-- +goose Up

-- What a source keeps out, and what it takes for the same person again.
ALTER TABLE sources
    ADD COLUMN duplicate_window text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN duplicate_by     text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN duplicate_across boolean NOT NULL DEFAULT false,
    ADD COLUMN route_duplicates boolean NOT NULL DEFAULT false,
    ADD COLUMN checks           jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN honeypot         text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN fill_time_field  text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN min_fill_seconds bigint NOT NULL DEFAULT 0,
    ADD COLUMN per_address      bigint NOT NULL DEFAULT 0,
    ADD COLUMN old_token        text COLLATE "C",
    ADD COLUMN old_token_until  timestamptz,
    ADD COLUMN rejected_count   bigint NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX sources_old_token ON sources (old_token) WHERE old_token IS NOT NULL;

-- The same person again is found by one look-up in each of these.
CREATE INDEX leads_phone ON leads (phone, received_at, source_id) WHERE phone IS NOT NULL AND duplicate_of_id IS NULL AND NOT is_test;
CREATE INDEX leads_email ON leads (email, received_at, source_id) WHERE email IS NOT NULL AND duplicate_of_id IS NULL AND NOT is_test;

ALTER TABLE rejections
    ADD COLUMN number bigint,
    ADD COLUMN code   text COLLATE "C" NOT NULL DEFAULT 'invalid',
    ALTER COLUMN body TYPE text COLLATE "C" USING coalesce(convert_from(body, 'UTF8'), ''),
    ALTER COLUMN body SET DEFAULT '',
    ALTER COLUMN body SET NOT NULL;
UPDATE rejections SET number = n.number
    FROM (SELECT id, row_number() OVER (PARTITION BY source_id ORDER BY id) AS number FROM rejections) n WHERE n.id = rejections.id;
ALTER TABLE rejections ALTER COLUMN number SET NOT NULL, ALTER COLUMN code DROP DEFAULT;
UPDATE sources SET rejected_count = (SELECT count(*) FROM rejections r WHERE r.source_id = sources.id);

-- +goose Down

ALTER TABLE rejections
    DROP COLUMN number,
    DROP COLUMN code,
    ALTER COLUMN body DROP NOT NULL,
    ALTER COLUMN body DROP DEFAULT,
    ALTER COLUMN body TYPE bytea USING convert_to(body, 'UTF8');

DROP INDEX leads_email;
DROP INDEX leads_phone;
DROP INDEX sources_old_token;
ALTER TABLE sources
    DROP COLUMN rejected_count,
    DROP COLUMN old_token_until,
    DROP COLUMN old_token,
    DROP COLUMN per_address,
    DROP COLUMN min_fill_seconds,
    DROP COLUMN fill_time_field,
    DROP COLUMN honeypot,
    DROP COLUMN checks,
    DROP COLUMN route_duplicates,
    DROP COLUMN duplicate_across,
    DROP COLUMN duplicate_by,
    DROP COLUMN duplicate_window;

-- +goose Up

-- Sources of more kinds, each with settings and a mapping of its own. A column
-- takes its CHECK along, so the table need not be made anew. sealed_secret is of
-- the kinds whose signatures are made with the secret itself.
ALTER TABLE sources ADD COLUMN wider_kind text NOT NULL DEFAULT 'json' CHECK (wider_kind IN (
    'json', 'form', 'google-ads', 'meta', 'linkedin', 'typeform', 'elementor', 'salesforce-web-to-lead', 'leadmanager'));
UPDATE sources SET wider_kind = kind;
ALTER TABLE sources DROP COLUMN kind;
ALTER TABLE sources RENAME COLUMN wider_kind TO kind;
ALTER TABLE sources ADD COLUMN sealed_secret blob;
ALTER TABLE sources ADD COLUMN settings text NOT NULL DEFAULT '{}' CHECK (json_valid(settings));
ALTER TABLE sources ADD COLUMN mapping text NOT NULL DEFAULT '[]' CHECK (json_valid(mapping));

-- Leads that were announced, and are still to be read from the announcing
-- platform. lead_id is the id the lead will have. next_attempt_at is the queue's
-- due time; null for what waits for staff.
CREATE TABLE retrievals (
    id              integer PRIMARY KEY AUTOINCREMENT,
    source_id       integer NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    external_id     text NOT NULL,
    lead_id         text NOT NULL,
    notice          text NOT NULL CHECK (json_valid(notice)),
    remote_address  text NOT NULL DEFAULT '',
    user_agent      text NOT NULL DEFAULT '',
    received_at     datetime NOT NULL,
    attempt_count   integer NOT NULL DEFAULT 0,
    next_attempt_at datetime,
    lease_token     text,
    error           text
);
CREATE UNIQUE INDEX retrievals_external_id ON retrievals (source_id, external_id);
CREATE INDEX retrievals_next_attempt_at ON retrievals (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

-- +goose Down

DROP TABLE retrievals;
ALTER TABLE sources ADD COLUMN narrow_kind text NOT NULL DEFAULT 'json' CHECK (narrow_kind IN ('json', 'form', 'google-ads'));
UPDATE sources SET enabled = false WHERE kind NOT IN ('json', 'form', 'google-ads');
UPDATE sources SET narrow_kind = kind WHERE kind IN ('json', 'form', 'google-ads');
ALTER TABLE sources DROP COLUMN kind;
ALTER TABLE sources RENAME COLUMN narrow_kind TO kind;
ALTER TABLE sources DROP COLUMN sealed_secret;
ALTER TABLE sources DROP COLUMN settings;
ALTER TABLE sources DROP COLUMN mapping;

-- +goose Up

-- Who changed what of the configuration, the keys and the staff, and who exported
-- or erased personal data. Each row's hash is over the one before it as well;
-- settings.audit_head holds the last.
CREATE TABLE audit_events (
    id             bigint PRIMARY KEY,
    at             timestamptz NOT NULL,
    actor_kind     text COLLATE "C" NOT NULL,
    actor_id       text COLLATE "C" NOT NULL DEFAULT '',
    actor_name     text COLLATE "C" NOT NULL DEFAULT '',
    through        text COLLATE "C" NOT NULL DEFAULT '',
    remote_address text COLLATE "C" NOT NULL DEFAULT '',
    action         text COLLATE "C" NOT NULL,
    entity         text COLLATE "C" NOT NULL,
    key            text COLLATE "C" NOT NULL DEFAULT '',
    before         jsonb NOT NULL DEFAULT '{}',
    after          jsonb NOT NULL DEFAULT '{}',
    hash           bytea NOT NULL
);
CREATE INDEX audit_events_entity ON audit_events (entity, key, id);
CREATE INDEX audit_events_at ON audit_events (at, id);

-- +goose StatementBegin
CREATE FUNCTION audit_events_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is only added to';
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_events_keep BEFORE UPDATE OR DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_events_keep();
CREATE TRIGGER audit_events_keep_all BEFORE TRUNCATE ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION audit_events_keep();

-- +goose Down

DROP TABLE audit_events;
DROP FUNCTION audit_events_keep();
DELETE FROM settings WHERE name = 'audit_head';

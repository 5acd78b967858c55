-- +goose Up

-- Who changed what of the configuration, the keys and the staff, and who exported
-- or erased personal data. Each row's hash is over the one before it as well;
-- settings.audit_head holds the last.
CREATE TABLE audit_events (
    id             integer PRIMARY KEY,
    at             datetime NOT NULL,
    actor_kind     text NOT NULL,
    actor_id       text NOT NULL DEFAULT '',
    actor_name     text NOT NULL DEFAULT '',
    through        text NOT NULL DEFAULT '',
    remote_address text NOT NULL DEFAULT '',
    action         text NOT NULL,
    entity         text NOT NULL,
    key            text NOT NULL DEFAULT '',
    before         text NOT NULL DEFAULT '{}' CHECK (json_valid(before)),
    after          text NOT NULL DEFAULT '{}' CHECK (json_valid(after)),
    hash           blob NOT NULL
);
CREATE INDEX audit_events_entity ON audit_events (entity, key, id);
CREATE INDEX audit_events_at ON audit_events (at, id);

-- +goose StatementBegin
CREATE TRIGGER audit_events_update BEFORE UPDATE ON audit_events BEGIN
    SELECT RAISE(ABORT, 'the audit trail is only added to');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_events_delete BEFORE DELETE ON audit_events BEGIN
    SELECT RAISE(ABORT, 'the audit trail is only added to');
END;
-- +goose StatementEnd

-- +goose Down

DROP TABLE audit_events;
DELETE FROM settings WHERE name = 'audit_head';

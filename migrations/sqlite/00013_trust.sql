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

-- What a person agreed to, and leads whose personal properties are gone.
ALTER TABLE leads ADD COLUMN consent_text text;
ALTER TABLE leads ADD COLUMN consent_at datetime;
ALTER TABLE leads ADD COLUMN erased_at datetime;
DROP TRIGGER "leads_changes_update";
-- +goose StatementBegin
CREATE TRIGGER "leads_changes_update" AFTER UPDATE ON "leads" FOR EACH ROW BEGIN
    INSERT INTO "leads_changes" ("mask", "id", "customer_id") VALUES (0
        | CASE WHEN OLD."source_id" IS DISTINCT FROM NEW."source_id" THEN 1 ELSE 0 END
        | CASE WHEN OLD."received_at" IS DISTINCT FROM NEW."received_at" THEN 2 ELSE 0 END
        | CASE WHEN OLD."first_name" IS DISTINCT FROM NEW."first_name" THEN 4 ELSE 0 END
        | CASE WHEN OLD."last_name" IS DISTINCT FROM NEW."last_name" THEN 8 ELSE 0 END
        | CASE WHEN OLD."phone" IS DISTINCT FROM NEW."phone" THEN 16 ELSE 0 END
        | CASE WHEN OLD."phone_raw" IS DISTINCT FROM NEW."phone_raw" THEN 32 ELSE 0 END
        | CASE WHEN OLD."email" IS DISTINCT FROM NEW."email" THEN 64 ELSE 0 END
        | CASE WHEN OLD."city" IS DISTINCT FROM NEW."city" THEN 128 ELSE 0 END
        | CASE WHEN OLD."message" IS DISTINCT FROM NEW."message" THEN 256 ELSE 0 END
        | CASE WHEN OLD."campaign" IS DISTINCT FROM NEW."campaign" THEN 512 ELSE 0 END
        | CASE WHEN OLD."utm_source" IS DISTINCT FROM NEW."utm_source" THEN 1024 ELSE 0 END
        | CASE WHEN OLD."utm_medium" IS DISTINCT FROM NEW."utm_medium" THEN 2048 ELSE 0 END
        | CASE WHEN OLD."utm_campaign" IS DISTINCT FROM NEW."utm_campaign" THEN 4096 ELSE 0 END
        | CASE WHEN OLD."utm_term" IS DISTINCT FROM NEW."utm_term" THEN 8192 ELSE 0 END
        | CASE WHEN OLD."utm_content" IS DISTINCT FROM NEW."utm_content" THEN 16384 ELSE 0 END
        | CASE WHEN OLD."external_id" IS DISTINCT FROM NEW."external_id" THEN 32768 ELSE 0 END
        | CASE WHEN OLD."is_test" IS DISTINCT FROM NEW."is_test" THEN 65536 ELSE 0 END
        | CASE WHEN OLD."duplicate_of_id" IS DISTINCT FROM NEW."duplicate_of_id" THEN 131072 ELSE 0 END
        | CASE WHEN OLD."state" IS DISTINCT FROM NEW."state" THEN 262144 ELSE 0 END
        | CASE WHEN OLD."reason_id" IS DISTINCT FROM NEW."reason_id" THEN 524288 ELSE 0 END
        | CASE WHEN OLD."feedback_at" IS DISTINCT FROM NEW."feedback_at" THEN 1048576 ELSE 0 END
        | CASE WHEN OLD."version" IS DISTINCT FROM NEW."version" THEN 2305843009213693952 ELSE 0 END
        | CASE WHEN OLD."consent_text" IS DISTINCT FROM NEW."consent_text" THEN 4194304 ELSE 0 END
        | CASE WHEN OLD."consent_at" IS DISTINCT FROM NEW."consent_at" THEN 8388608 ELSE 0 END
        | CASE WHEN OLD."erased_at" IS DISTINCT FROM NEW."erased_at" THEN 16777216 ELSE 0 END
        | CASE WHEN CAST(OLD."properties" AS text) IS DISTINCT FROM CAST(NEW."properties" AS text) THEN 33554432 ELSE 0 END, OLD."id", NULL);
END;
-- +goose StatementEnd

-- The dynamic properties have another bit than before.
UPDATE leads_changes SET mask = mask - 4194304 + 33554432 WHERE mask > 0 AND mask & 4194304 <> 0;

-- How long the leads of a source are kept, in days.
ALTER TABLE sources ADD COLUMN mask_after_days integer;
ALTER TABLE sources ADD COLUMN drop_after_days integer;
ALTER TABLE sources ADD COLUMN attempts_days integer;

-- +goose Down

DROP TRIGGER "leads_changes_update";
-- +goose StatementBegin
CREATE TRIGGER "leads_changes_update" AFTER UPDATE ON "leads" FOR EACH ROW BEGIN
    INSERT INTO "leads_changes" ("mask", "id", "customer_id") VALUES (0
        | CASE WHEN OLD."source_id" IS DISTINCT FROM NEW."source_id" THEN 1 ELSE 0 END
        | CASE WHEN OLD."received_at" IS DISTINCT FROM NEW."received_at" THEN 2 ELSE 0 END
        | CASE WHEN OLD."first_name" IS DISTINCT FROM NEW."first_name" THEN 4 ELSE 0 END
        | CASE WHEN OLD."last_name" IS DISTINCT FROM NEW."last_name" THEN 8 ELSE 0 END
        | CASE WHEN OLD."phone" IS DISTINCT FROM NEW."phone" THEN 16 ELSE 0 END
        | CASE WHEN OLD."phone_raw" IS DISTINCT FROM NEW."phone_raw" THEN 32 ELSE 0 END
        | CASE WHEN OLD."email" IS DISTINCT FROM NEW."email" THEN 64 ELSE 0 END
        | CASE WHEN OLD."city" IS DISTINCT FROM NEW."city" THEN 128 ELSE 0 END
        | CASE WHEN OLD."message" IS DISTINCT FROM NEW."message" THEN 256 ELSE 0 END
        | CASE WHEN OLD."campaign" IS DISTINCT FROM NEW."campaign" THEN 512 ELSE 0 END
        | CASE WHEN OLD."utm_source" IS DISTINCT FROM NEW."utm_source" THEN 1024 ELSE 0 END
        | CASE WHEN OLD."utm_medium" IS DISTINCT FROM NEW."utm_medium" THEN 2048 ELSE 0 END
        | CASE WHEN OLD."utm_campaign" IS DISTINCT FROM NEW."utm_campaign" THEN 4096 ELSE 0 END
        | CASE WHEN OLD."utm_term" IS DISTINCT FROM NEW."utm_term" THEN 8192 ELSE 0 END
        | CASE WHEN OLD."utm_content" IS DISTINCT FROM NEW."utm_content" THEN 16384 ELSE 0 END
        | CASE WHEN OLD."external_id" IS DISTINCT FROM NEW."external_id" THEN 32768 ELSE 0 END
        | CASE WHEN OLD."is_test" IS DISTINCT FROM NEW."is_test" THEN 65536 ELSE 0 END
        | CASE WHEN OLD."duplicate_of_id" IS DISTINCT FROM NEW."duplicate_of_id" THEN 131072 ELSE 0 END
        | CASE WHEN OLD."state" IS DISTINCT FROM NEW."state" THEN 262144 ELSE 0 END
        | CASE WHEN OLD."reason_id" IS DISTINCT FROM NEW."reason_id" THEN 524288 ELSE 0 END
        | CASE WHEN OLD."feedback_at" IS DISTINCT FROM NEW."feedback_at" THEN 1048576 ELSE 0 END
        | CASE WHEN OLD."version" IS DISTINCT FROM NEW."version" THEN 2305843009213693952 ELSE 0 END
        | CASE WHEN CAST(OLD."properties" AS text) IS DISTINCT FROM CAST(NEW."properties" AS text) THEN 4194304 ELSE 0 END, OLD."id", NULL);
END;
-- +goose StatementEnd
UPDATE leads_changes SET mask = (mask & ~33554432 & ~29360128) | CASE WHEN mask & 33554432 <> 0 THEN 4194304 ELSE 0 END WHERE mask > 0 AND mask & 62914560 <> 0;
ALTER TABLE sources DROP COLUMN attempts_days;
ALTER TABLE sources DROP COLUMN drop_after_days;
ALTER TABLE sources DROP COLUMN mask_after_days;
ALTER TABLE leads DROP COLUMN erased_at;
ALTER TABLE leads DROP COLUMN consent_at;
ALTER TABLE leads DROP COLUMN consent_text;
DROP TABLE audit_events;
DELETE FROM settings WHERE name = 'audit_head';

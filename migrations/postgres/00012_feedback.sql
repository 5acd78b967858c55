-- +goose Up

-- How the system of a connection reports by a fixed webhook, and how long after
-- delivery, in nanoseconds; null: for ever.
ALTER TABLE connections ADD COLUMN feedback_fields jsonb NOT NULL DEFAULT '{}';
ALTER TABLE connections ADD COLUMN allow_get boolean NOT NULL DEFAULT false;
ALTER TABLE connections ADD COLUMN max_feedback_age bigint;

ALTER TABLE feedback_reasons ADD COLUMN asks_for_return boolean NOT NULL DEFAULT false;
UPDATE feedback_reasons SET asks_for_return = true WHERE id = 12;

-- Amounts are in 1/10000 of the currency.
ALTER TABLE feedback ADD COLUMN amount bigint;
ALTER TABLE feedback ADD COLUMN currency text COLLATE "C";
ALTER TABLE feedback ADD COLUMN return_state text COLLATE "C" CHECK (return_state IN ('requested', 'approved', 'declined'));
ALTER TABLE feedback ADD COLUMN return_comment text COLLATE "C";
ALTER TABLE feedback ADD COLUMN return_decided_at timestamptz;
CREATE INDEX feedback_return_state ON feedback (return_state, id) WHERE return_state IS NOT NULL;

ALTER TABLE routings ADD COLUMN returned_at timestamptz;

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION "feedback_reasons_changes_update"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO "feedback_reasons_changes" ("mask", "id", "active") VALUES (0
        | CASE WHEN OLD."name" IS DISTINCT FROM NEW."name" THEN 1 ELSE 0 END
        | CASE WHEN CAST(OLD."names" AS text) IS DISTINCT FROM CAST(NEW."names" AS text) THEN 2 ELSE 0 END
        | CASE WHEN OLD."category" IS DISTINCT FROM NEW."category" THEN 4 ELSE 0 END
        | CASE WHEN OLD."closes_lead" IS DISTINCT FROM NEW."closes_lead" THEN 8 ELSE 0 END
        | CASE WHEN OLD."counts_as_sale" IS DISTINCT FROM NEW."counts_as_sale" THEN 16 ELSE 0 END
        | CASE WHEN OLD."asks_for_return" IS DISTINCT FROM NEW."asks_for_return" THEN 32 ELSE 0 END
        | CASE WHEN OLD."position" IS DISTINCT FROM NEW."position" THEN 64 ELSE 0 END
        | CASE WHEN OLD."active" IS DISTINCT FROM NEW."active" THEN 128 ELSE 0 END
        | CASE WHEN OLD."created_at" IS DISTINCT FROM NEW."created_at" THEN 256 ELSE 0 END
        | CASE WHEN OLD."version" IS DISTINCT FROM NEW."version" THEN 2305843009213693952 ELSE 0 END, OLD."id", OLD."active");
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION "feedback_changes_update"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO "feedback_changes" ("mask", "id", "customer_id") VALUES (0
        | CASE WHEN OLD."routing_id" IS DISTINCT FROM NEW."routing_id" THEN 1 ELSE 0 END
        | CASE WHEN OLD."reason_id" IS DISTINCT FROM NEW."reason_id" THEN 2 ELSE 0 END
        | CASE WHEN OLD."comment" IS DISTINCT FROM NEW."comment" THEN 4 ELSE 0 END
        | CASE WHEN OLD."occurred_at" IS DISTINCT FROM NEW."occurred_at" THEN 8 ELSE 0 END
        | CASE WHEN OLD."received_at" IS DISTINCT FROM NEW."received_at" THEN 16 ELSE 0 END
        | CASE WHEN OLD."external_id" IS DISTINCT FROM NEW."external_id" THEN 32 ELSE 0 END
        | CASE WHEN OLD."external_link" IS DISTINCT FROM NEW."external_link" THEN 64 ELSE 0 END
        | CASE WHEN OLD."owner" IS DISTINCT FROM NEW."owner" THEN 128 ELSE 0 END
        | CASE WHEN OLD."amount" IS DISTINCT FROM NEW."amount" THEN 256 ELSE 0 END
        | CASE WHEN OLD."currency" IS DISTINCT FROM NEW."currency" THEN 512 ELSE 0 END
        | CASE WHEN OLD."connection_id" IS DISTINCT FROM NEW."connection_id" THEN 1024 ELSE 0 END
        | CASE WHEN OLD."status" IS DISTINCT FROM NEW."status" THEN 2048 ELSE 0 END
        | CASE WHEN OLD."return_state" IS DISTINCT FROM NEW."return_state" THEN 4096 ELSE 0 END
        | CASE WHEN OLD."return_comment" IS DISTINCT FROM NEW."return_comment" THEN 8192 ELSE 0 END
        | CASE WHEN OLD."return_decided_at" IS DISTINCT FROM NEW."return_decided_at" THEN 16384 ELSE 0 END, OLD."id", (SELECT "customer_id" FROM "routings" WHERE "id" = OLD."routing_id"));
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION "routings_changes_update"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO "routings_changes" ("mask", "id", "customer_id") VALUES (0
        | CASE WHEN OLD."lead_id" IS DISTINCT FROM NEW."lead_id" THEN 1 ELSE 0 END
        | CASE WHEN OLD."customer_id" IS DISTINCT FROM NEW."customer_id" THEN 2 ELSE 0 END
        | CASE WHEN OLD."rule_id" IS DISTINCT FROM NEW."rule_id" THEN 4 ELSE 0 END
        | CASE WHEN OLD."rule_revision" IS DISTINCT FROM NEW."rule_revision" THEN 8 ELSE 0 END
        | CASE WHEN OLD."state" IS DISTINCT FROM NEW."state" THEN 16 ELSE 0 END
        | CASE WHEN OLD."attempt_count" IS DISTINCT FROM NEW."attempt_count" THEN 32 ELSE 0 END
        | CASE WHEN OLD."next_attempt_at" IS DISTINCT FROM NEW."next_attempt_at" THEN 64 ELSE 0 END
        | CASE WHEN OLD."created_at" IS DISTINCT FROM NEW."created_at" THEN 128 ELSE 0 END
        | CASE WHEN OLD."delivered_at" IS DISTINCT FROM NEW."delivered_at" THEN 256 ELSE 0 END
        | CASE WHEN OLD."external_id" IS DISTINCT FROM NEW."external_id" THEN 512 ELSE 0 END
        | CASE WHEN OLD."external_link" IS DISTINCT FROM NEW."external_link" THEN 1024 ELSE 0 END
        | CASE WHEN OLD."error" IS DISTINCT FROM NEW."error" THEN 2048 ELSE 0 END
        | CASE WHEN OLD."reason_id" IS DISTINCT FROM NEW."reason_id" THEN 4096 ELSE 0 END
        | CASE WHEN OLD."feedback_at" IS DISTINCT FROM NEW."feedback_at" THEN 8192 ELSE 0 END
        | CASE WHEN OLD."returned_at" IS DISTINCT FROM NEW."returned_at" THEN 16384 ELSE 0 END
        | CASE WHEN OLD."version" IS DISTINCT FROM NEW."version" THEN 2305843009213693952 ELSE 0 END, OLD."id", OLD."customer_id");
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose Down

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION "feedback_reasons_changes_update"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO "feedback_reasons_changes" ("mask", "id", "active") VALUES (0
        | CASE WHEN OLD."name" IS DISTINCT FROM NEW."name" THEN 1 ELSE 0 END
        | CASE WHEN CAST(OLD."names" AS text) IS DISTINCT FROM CAST(NEW."names" AS text) THEN 2 ELSE 0 END
        | CASE WHEN OLD."category" IS DISTINCT FROM NEW."category" THEN 4 ELSE 0 END
        | CASE WHEN OLD."closes_lead" IS DISTINCT FROM NEW."closes_lead" THEN 8 ELSE 0 END
        | CASE WHEN OLD."counts_as_sale" IS DISTINCT FROM NEW."counts_as_sale" THEN 16 ELSE 0 END
        | CASE WHEN OLD."position" IS DISTINCT FROM NEW."position" THEN 32 ELSE 0 END
        | CASE WHEN OLD."active" IS DISTINCT FROM NEW."active" THEN 64 ELSE 0 END
        | CASE WHEN OLD."created_at" IS DISTINCT FROM NEW."created_at" THEN 128 ELSE 0 END
        | CASE WHEN OLD."version" IS DISTINCT FROM NEW."version" THEN 2305843009213693952 ELSE 0 END, OLD."id", OLD."active");
    RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION "feedback_changes_update"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO "feedback_changes" ("mask", "id", "customer_id") VALUES (0
        | CASE WHEN OLD."routing_id" IS DISTINCT FROM NEW."routing_id" THEN 1 ELSE 0 END
        | CASE WHEN OLD."reason_id" IS DISTINCT FROM NEW."reason_id" THEN 2 ELSE 0 END
        | CASE WHEN OLD."comment" IS DISTINCT FROM NEW."comment" THEN 4 ELSE 0 END
        | CASE WHEN OLD."occurred_at" IS DISTINCT FROM NEW."occurred_at" THEN 8 ELSE 0 END
        | CASE WHEN OLD."received_at" IS DISTINCT FROM NEW."received_at" THEN 16 ELSE 0 END
        | CASE WHEN OLD."external_id" IS DISTINCT FROM NEW."external_id" THEN 32 ELSE 0 END
        | CASE WHEN OLD."external_link" IS DISTINCT FROM NEW."external_link" THEN 64 ELSE 0 END
        | CASE WHEN OLD."owner" IS DISTINCT FROM NEW."owner" THEN 128 ELSE 0 END
        | CASE WHEN OLD."connection_id" IS DISTINCT FROM NEW."connection_id" THEN 256 ELSE 0 END
        | CASE WHEN OLD."status" IS DISTINCT FROM NEW."status" THEN 512 ELSE 0 END, OLD."id", (SELECT "customer_id" FROM "routings" WHERE "id" = OLD."routing_id"));
    RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION "routings_changes_update"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO "routings_changes" ("mask", "id", "customer_id") VALUES (0
        | CASE WHEN OLD."lead_id" IS DISTINCT FROM NEW."lead_id" THEN 1 ELSE 0 END
        | CASE WHEN OLD."customer_id" IS DISTINCT FROM NEW."customer_id" THEN 2 ELSE 0 END
        | CASE WHEN OLD."rule_id" IS DISTINCT FROM NEW."rule_id" THEN 4 ELSE 0 END
        | CASE WHEN OLD."rule_revision" IS DISTINCT FROM NEW."rule_revision" THEN 8 ELSE 0 END
        | CASE WHEN OLD."state" IS DISTINCT FROM NEW."state" THEN 16 ELSE 0 END
        | CASE WHEN OLD."attempt_count" IS DISTINCT FROM NEW."attempt_count" THEN 32 ELSE 0 END
        | CASE WHEN OLD."next_attempt_at" IS DISTINCT FROM NEW."next_attempt_at" THEN 64 ELSE 0 END
        | CASE WHEN OLD."created_at" IS DISTINCT FROM NEW."created_at" THEN 128 ELSE 0 END
        | CASE WHEN OLD."delivered_at" IS DISTINCT FROM NEW."delivered_at" THEN 256 ELSE 0 END
        | CASE WHEN OLD."external_id" IS DISTINCT FROM NEW."external_id" THEN 512 ELSE 0 END
        | CASE WHEN OLD."external_link" IS DISTINCT FROM NEW."external_link" THEN 1024 ELSE 0 END
        | CASE WHEN OLD."error" IS DISTINCT FROM NEW."error" THEN 2048 ELSE 0 END
        | CASE WHEN OLD."reason_id" IS DISTINCT FROM NEW."reason_id" THEN 4096 ELSE 0 END
        | CASE WHEN OLD."feedback_at" IS DISTINCT FROM NEW."feedback_at" THEN 8192 ELSE 0 END
        | CASE WHEN OLD."version" IS DISTINCT FROM NEW."version" THEN 2305843009213693952 ELSE 0 END, OLD."id", OLD."customer_id");
    RETURN NULL;
END $$;
-- +goose StatementEnd
ALTER TABLE routings DROP COLUMN returned_at;
DROP INDEX feedback_return_state;
ALTER TABLE feedback DROP COLUMN return_decided_at;
ALTER TABLE feedback DROP COLUMN return_comment;
ALTER TABLE feedback DROP COLUMN return_state;
ALTER TABLE feedback DROP COLUMN currency;
ALTER TABLE feedback DROP COLUMN amount;
ALTER TABLE feedback_reasons DROP COLUMN asks_for_return;
ALTER TABLE connections DROP COLUMN max_feedback_age;
ALTER TABLE connections DROP COLUMN allow_get;
ALTER TABLE connections DROP COLUMN feedback_fields;

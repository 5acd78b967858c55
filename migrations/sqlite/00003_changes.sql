-- +goose Up

-- Change logs: for each table that clients can follow, a table in which triggers
-- note which of its rows changed. They are what odata.Service.CreateChangeLogs
-- gives for the models as of this migration.

CREATE TABLE "customers_changes" (
    "n" integer PRIMARY KEY,
    "mask" integer,
    "at" integer NOT NULL DEFAULT (unixepoch()),
    "id" integer
);
INSERT INTO "customers_changes" ("n") VALUES (unixepoch() * 1000);
-- +goose StatementBegin
CREATE TRIGGER "customers_changes_insert" AFTER INSERT ON "customers" FOR EACH ROW BEGIN
    INSERT INTO "customers_changes" ("mask", "id") VALUES (NULL, NEW."id");
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "customers_changes_update" AFTER UPDATE ON "customers" FOR EACH ROW BEGIN
    INSERT INTO "customers_changes" ("mask", "id") VALUES (0
        | CASE WHEN OLD."name" IS DISTINCT FROM NEW."name" THEN 35184372088832 ELSE 0 END
        | CASE WHEN OLD."description" IS DISTINCT FROM NEW."description" THEN 33554432 ELSE 0 END
        | CASE WHEN OLD."created_at" IS DISTINCT FROM NEW."created_at" THEN 8192 ELSE 0 END
        | CASE WHEN OLD."version" IS DISTINCT FROM NEW."version" THEN 2305843009213693952 ELSE 0 END, OLD."id");
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "customers_changes_rename" AFTER UPDATE OF "id" ON "customers" FOR EACH ROW WHEN OLD."id" IS DISTINCT FROM NEW."id" BEGIN
    INSERT INTO "customers_changes" ("mask", "id") VALUES (-1, OLD."id");
    INSERT INTO "customers_changes" ("mask", "id") VALUES (NULL, NEW."id");
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "customers_changes_delete" AFTER DELETE ON "customers" FOR EACH ROW BEGIN
    INSERT INTO "customers_changes" ("mask", "id") VALUES (-1, OLD."id");
END;
-- +goose StatementEnd

CREATE TABLE "leads_changes" (
    "n" integer PRIMARY KEY,
    "mask" integer,
    "at" integer NOT NULL DEFAULT (unixepoch()),
    "id" text,
    "customer_id" integer
);
INSERT INTO "leads_changes" ("n") VALUES (unixepoch() * 1000);
-- +goose StatementBegin
CREATE TRIGGER "leads_changes_insert" AFTER INSERT ON "leads" FOR EACH ROW BEGIN
    INSERT INTO "leads_changes" ("mask", "id", "customer_id") VALUES (NULL, NEW."id", NULL);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "leads_changes_update" AFTER UPDATE ON "leads" FOR EACH ROW BEGIN
    INSERT INTO "leads_changes" ("mask", "id", "customer_id") VALUES (0
        | CASE WHEN OLD."source_id" IS DISTINCT FROM NEW."source_id" THEN 4 ELSE 0 END
        | CASE WHEN OLD."received_at" IS DISTINCT FROM NEW."received_at" THEN 2147483648 ELSE 0 END
        | CASE WHEN OLD."first_name" IS DISTINCT FROM NEW."first_name" THEN 137438953472 ELSE 0 END
        | CASE WHEN OLD."last_name" IS DISTINCT FROM NEW."last_name" OR OLD."duplicate_of_id" IS DISTINCT FROM NEW."duplicate_of_id" THEN 68719476736 ELSE 0 END
        | CASE WHEN OLD."phone" IS DISTINCT FROM NEW."phone" THEN 8796093022208 ELSE 0 END
        | CASE WHEN OLD."phone_raw" IS DISTINCT FROM NEW."phone_raw" OR OLD."feedback_at" IS DISTINCT FROM NEW."feedback_at" THEN 16 ELSE 0 END
        | CASE WHEN OLD."email" IS DISTINCT FROM NEW."email" THEN 4294967296 ELSE 0 END
        | CASE WHEN OLD."city" IS DISTINCT FROM NEW."city" OR OLD."utm_content" IS DISTINCT FROM NEW."utm_content" THEN 33554432 ELSE 0 END
        | CASE WHEN OLD."message" IS DISTINCT FROM NEW."message" THEN 16777216 ELSE 0 END
        | CASE WHEN OLD."campaign" IS DISTINCT FROM NEW."campaign" THEN 256 ELSE 0 END
        | CASE WHEN OLD."utm_source" IS DISTINCT FROM NEW."utm_source" THEN 262144 ELSE 0 END
        | CASE WHEN OLD."utm_medium" IS DISTINCT FROM NEW."utm_medium" THEN 134217728 ELSE 0 END
        | CASE WHEN OLD."utm_campaign" IS DISTINCT FROM NEW."utm_campaign" THEN 536870912 ELSE 0 END
        | CASE WHEN OLD."utm_term" IS DISTINCT FROM NEW."utm_term" THEN 2199023255552 ELSE 0 END
        | CASE WHEN OLD."external_id" IS DISTINCT FROM NEW."external_id" THEN 562949953421312 ELSE 0 END
        | CASE WHEN OLD."is_test" IS DISTINCT FROM NEW."is_test" THEN 1 ELSE 0 END
        | CASE WHEN OLD."state" IS DISTINCT FROM NEW."state" THEN 18014398509481984 ELSE 0 END
        | CASE WHEN OLD."reason_id" IS DISTINCT FROM NEW."reason_id" THEN 1152921504606846976 ELSE 0 END
        | CASE WHEN OLD."version" IS DISTINCT FROM NEW."version" THEN 2305843009213693952 ELSE 0 END
        | CASE WHEN CAST(OLD."properties" AS text) IS DISTINCT FROM CAST(NEW."properties" AS text) THEN 1073741824 ELSE 0 END, OLD."id", NULL);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "leads_changes_rename" AFTER UPDATE OF "id" ON "leads" FOR EACH ROW WHEN OLD."id" IS DISTINCT FROM NEW."id" BEGIN
    INSERT INTO "leads_changes" ("mask", "id", "customer_id") VALUES (-1, OLD."id", NULL);
    INSERT INTO "leads_changes" ("mask", "id", "customer_id") VALUES (NULL, NEW."id", NULL);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "leads_changes_delete" AFTER DELETE ON "leads" FOR EACH ROW BEGIN
    INSERT INTO "leads_changes" ("mask", "id", "customer_id") VALUES (-1, OLD."id", NULL);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "leads_changes_routings_insert" AFTER INSERT ON "routings" FOR EACH ROW BEGIN
    INSERT INTO "leads_changes" ("mask", "id", "customer_id") SELECT NULL, NEW."lead_id", NULL WHERE NEW."lead_id" IS NOT NULL;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "leads_changes_routings_update" AFTER UPDATE OF "customer_id", "lead_id" ON "routings" FOR EACH ROW WHEN OLD."customer_id" IS DISTINCT FROM NEW."customer_id" OR OLD."lead_id" IS DISTINCT FROM NEW."lead_id" BEGIN
    INSERT INTO "leads_changes" ("mask", "id", "customer_id") SELECT 4611686018427387904, OLD."lead_id", OLD."customer_id" WHERE OLD."lead_id" IS NOT NULL;
    INSERT INTO "leads_changes" ("mask", "id", "customer_id") SELECT NULL, NEW."lead_id", NULL WHERE NEW."lead_id" IS NOT NULL;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "leads_changes_routings_delete" AFTER DELETE ON "routings" FOR EACH ROW BEGIN
    INSERT INTO "leads_changes" ("mask", "id", "customer_id") SELECT 4611686018427387904, OLD."lead_id", OLD."customer_id" WHERE OLD."lead_id" IS NOT NULL;
END;
-- +goose StatementEnd

CREATE TABLE "routings_changes" (
    "n" integer PRIMARY KEY,
    "mask" integer,
    "at" integer NOT NULL DEFAULT (unixepoch()),
    "id" text,
    "customer_id" integer
);
INSERT INTO "routings_changes" ("n") VALUES (unixepoch() * 1000);
-- +goose StatementBegin
CREATE TRIGGER "routings_changes_insert" AFTER INSERT ON "routings" FOR EACH ROW BEGIN
    INSERT INTO "routings_changes" ("mask", "id", "customer_id") VALUES (NULL, NEW."id", NULL);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "routings_changes_update" AFTER UPDATE ON "routings" FOR EACH ROW BEGIN
    INSERT INTO "routings_changes" ("mask", "id", "customer_id") VALUES (0
        | CASE WHEN OLD."lead_id" IS DISTINCT FROM NEW."lead_id" THEN 65536 ELSE 0 END
        | CASE WHEN OLD."customer_id" IS DISTINCT FROM NEW."customer_id" THEN 536870912 ELSE 0 END
        | CASE WHEN OLD."rule_id" IS DISTINCT FROM NEW."rule_id" OR OLD."reason_id" IS DISTINCT FROM NEW."reason_id" THEN 1152921504606846976 ELSE 0 END
        | CASE WHEN OLD."rule_revision" IS DISTINCT FROM NEW."rule_revision" THEN 8388608 ELSE 0 END
        | CASE WHEN OLD."state" IS DISTINCT FROM NEW."state" THEN 18014398509481984 ELSE 0 END
        | CASE WHEN OLD."attempt_count" IS DISTINCT FROM NEW."attempt_count" OR OLD."feedback_at" IS DISTINCT FROM NEW."feedback_at" THEN 16 ELSE 0 END
        | CASE WHEN OLD."next_attempt_at" IS DISTINCT FROM NEW."next_attempt_at" OR OLD."external_link" IS DISTINCT FROM NEW."external_link" THEN 4194304 ELSE 0 END
        | CASE WHEN OLD."created_at" IS DISTINCT FROM NEW."created_at" THEN 8192 ELSE 0 END
        | CASE WHEN OLD."delivered_at" IS DISTINCT FROM NEW."delivered_at" THEN 17179869184 ELSE 0 END
        | CASE WHEN OLD."external_id" IS DISTINCT FROM NEW."external_id" THEN 562949953421312 ELSE 0 END
        | CASE WHEN OLD."error" IS DISTINCT FROM NEW."error" THEN 1 ELSE 0 END
        | CASE WHEN OLD."version" IS DISTINCT FROM NEW."version" THEN 2305843009213693952 ELSE 0 END, OLD."id", OLD."customer_id");
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "routings_changes_rename" AFTER UPDATE OF "id" ON "routings" FOR EACH ROW WHEN OLD."id" IS DISTINCT FROM NEW."id" BEGIN
    INSERT INTO "routings_changes" ("mask", "id", "customer_id") VALUES (-1, OLD."id", OLD."customer_id");
    INSERT INTO "routings_changes" ("mask", "id", "customer_id") VALUES (NULL, NEW."id", NULL);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "routings_changes_delete" AFTER DELETE ON "routings" FOR EACH ROW BEGIN
    INSERT INTO "routings_changes" ("mask", "id", "customer_id") VALUES (-1, OLD."id", OLD."customer_id");
END;
-- +goose StatementEnd

CREATE TABLE "feedback_reasons_changes" (
    "n" integer PRIMARY KEY,
    "mask" integer,
    "at" integer NOT NULL DEFAULT (unixepoch()),
    "id" integer,
    "active" integer
);
INSERT INTO "feedback_reasons_changes" ("n") VALUES (unixepoch() * 1000);
-- +goose StatementBegin
CREATE TRIGGER "feedback_reasons_changes_insert" AFTER INSERT ON "feedback_reasons" FOR EACH ROW BEGIN
    INSERT INTO "feedback_reasons_changes" ("mask", "id", "active") VALUES (NULL, NEW."id", NULL);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "feedback_reasons_changes_update" AFTER UPDATE ON "feedback_reasons" FOR EACH ROW BEGIN
    INSERT INTO "feedback_reasons_changes" ("mask", "id", "active") VALUES (0
        | CASE WHEN OLD."name" IS DISTINCT FROM NEW."name" THEN 35184372088832 ELSE 0 END
        | CASE WHEN CAST(OLD."names" AS text) IS DISTINCT FROM CAST(NEW."names" AS text) THEN 34359738368 ELSE 0 END
        | CASE WHEN OLD."category" IS DISTINCT FROM NEW."category" THEN 1099511627776 ELSE 0 END
        | CASE WHEN OLD."closes_lead" IS DISTINCT FROM NEW."closes_lead" THEN 18014398509481984 ELSE 0 END
        | CASE WHEN OLD."counts_as_sale" IS DISTINCT FROM NEW."counts_as_sale" OR OLD."active" IS DISTINCT FROM NEW."active" OR OLD."created_at" IS DISTINCT FROM NEW."created_at" THEN 8192 ELSE 0 END
        | CASE WHEN OLD."position" IS DISTINCT FROM NEW."position" THEN 4096 ELSE 0 END
        | CASE WHEN OLD."version" IS DISTINCT FROM NEW."version" THEN 2305843009213693952 ELSE 0 END, OLD."id", OLD."active");
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "feedback_reasons_changes_rename" AFTER UPDATE OF "id" ON "feedback_reasons" FOR EACH ROW WHEN OLD."id" IS DISTINCT FROM NEW."id" BEGIN
    INSERT INTO "feedback_reasons_changes" ("mask", "id", "active") VALUES (-1, OLD."id", OLD."active");
    INSERT INTO "feedback_reasons_changes" ("mask", "id", "active") VALUES (NULL, NEW."id", NULL);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "feedback_reasons_changes_delete" AFTER DELETE ON "feedback_reasons" FOR EACH ROW BEGIN
    INSERT INTO "feedback_reasons_changes" ("mask", "id", "active") VALUES (-1, OLD."id", OLD."active");
END;
-- +goose StatementEnd

CREATE TABLE "feedback_changes" (
    "n" integer PRIMARY KEY,
    "mask" integer,
    "at" integer NOT NULL DEFAULT (unixepoch()),
    "id" text,
    "customer_id" integer
);
INSERT INTO "feedback_changes" ("n") VALUES (unixepoch() * 1000);
-- +goose StatementBegin
CREATE TRIGGER "feedback_changes_insert" AFTER INSERT ON "feedback" FOR EACH ROW BEGIN
    INSERT INTO "feedback_changes" ("mask", "id", "customer_id") VALUES (NULL, NEW."id", NULL);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "feedback_changes_update" AFTER UPDATE ON "feedback" FOR EACH ROW BEGIN
    INSERT INTO "feedback_changes" ("mask", "id", "customer_id") VALUES (0
        | CASE WHEN OLD."routing_id" IS DISTINCT FROM NEW."routing_id" THEN 34359738368 ELSE 0 END
        | CASE WHEN OLD."reason_id" IS DISTINCT FROM NEW."reason_id" THEN 1152921504606846976 ELSE 0 END
        | CASE WHEN OLD."comment" IS DISTINCT FROM NEW."comment" OR OLD."occurred_at" IS DISTINCT FROM NEW."occurred_at" THEN 35184372088832 ELSE 0 END
        | CASE WHEN OLD."received_at" IS DISTINCT FROM NEW."received_at" THEN 2147483648 ELSE 0 END
        | CASE WHEN OLD."external_id" IS DISTINCT FROM NEW."external_id" THEN 562949953421312 ELSE 0 END
        | CASE WHEN OLD."external_link" IS DISTINCT FROM NEW."external_link" THEN 4194304 ELSE 0 END
        | CASE WHEN OLD."owner" IS DISTINCT FROM NEW."owner" THEN 36028797018963968 ELSE 0 END
        | CASE WHEN OLD."connection_id" IS DISTINCT FROM NEW."connection_id" THEN 2097152 ELSE 0 END, OLD."id", (SELECT "customer_id" FROM "routings" WHERE "id" = OLD."routing_id"));
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "feedback_changes_rename" AFTER UPDATE OF "id" ON "feedback" FOR EACH ROW WHEN OLD."id" IS DISTINCT FROM NEW."id" BEGIN
    INSERT INTO "feedback_changes" ("mask", "id", "customer_id") VALUES (-1, OLD."id", (SELECT "customer_id" FROM "routings" WHERE "id" = OLD."routing_id"));
    INSERT INTO "feedback_changes" ("mask", "id", "customer_id") VALUES (NULL, NEW."id", NULL);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "feedback_changes_delete" AFTER DELETE ON "feedback" FOR EACH ROW BEGIN
    INSERT INTO "feedback_changes" ("mask", "id", "customer_id") VALUES (-1, OLD."id", (SELECT "customer_id" FROM "routings" WHERE "id" = OLD."routing_id"));
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "feedback_changes_routing_update" AFTER UPDATE OF "customer_id" ON "routings" FOR EACH ROW WHEN OLD."customer_id" IS DISTINCT FROM NEW."customer_id" BEGIN
    INSERT INTO "feedback_changes" ("mask", "id", "customer_id") SELECT 4611686018427387904, "id", OLD."customer_id" FROM "feedback" e WHERE e."routing_id" = OLD."id";
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "feedback_changes_routing_delete" BEFORE DELETE ON "routings" FOR EACH ROW BEGIN
    INSERT INTO "feedback_changes" ("mask", "id", "customer_id") SELECT 4611686018427387904, "id", OLD."customer_id" FROM "feedback" e WHERE e."routing_id" = OLD."id";
END;
-- +goose StatementEnd

-- +goose Down

DROP TRIGGER "customers_changes_insert";
DROP TRIGGER "customers_changes_update";
DROP TRIGGER "customers_changes_rename";
DROP TRIGGER "customers_changes_delete";
DROP TABLE "customers_changes";
DROP TRIGGER "leads_changes_insert";
DROP TRIGGER "leads_changes_update";
DROP TRIGGER "leads_changes_rename";
DROP TRIGGER "leads_changes_delete";
DROP TRIGGER "leads_changes_routings_insert";
DROP TRIGGER "leads_changes_routings_update";
DROP TRIGGER "leads_changes_routings_delete";
DROP TABLE "leads_changes";
DROP TRIGGER "routings_changes_insert";
DROP TRIGGER "routings_changes_update";
DROP TRIGGER "routings_changes_rename";
DROP TRIGGER "routings_changes_delete";
DROP TABLE "routings_changes";
DROP TRIGGER "feedback_reasons_changes_insert";
DROP TRIGGER "feedback_reasons_changes_update";
DROP TRIGGER "feedback_reasons_changes_rename";
DROP TRIGGER "feedback_reasons_changes_delete";
DROP TABLE "feedback_reasons_changes";
DROP TRIGGER "feedback_changes_insert";
DROP TRIGGER "feedback_changes_update";
DROP TRIGGER "feedback_changes_rename";
DROP TRIGGER "feedback_changes_delete";
DROP TRIGGER "feedback_changes_routing_update";
DROP TRIGGER "feedback_changes_routing_delete";
DROP TABLE "feedback_changes";

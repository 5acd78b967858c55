-- +goose Up

-- Words that have got a meaning while reports that waited with them still do. Those
-- on the routings up to after have it.
CREATE TABLE settlings (
    customer_id integer NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    folded      text NOT NULL,
    after       text NOT NULL,
    PRIMARY KEY (customer_id, folded)
);

DROP VIEW unmapped_statuses;
CREATE VIEW unmapped_statuses AS
    WITH waiting AS (
        SELECT r.customer_id, f.folded, f.status, f.received_at, count(*) OVER (PARTITION BY r.customer_id, f.folded) AS count,
            row_number() OVER (PARTITION BY r.customer_id, f.folded ORDER BY f.received_at, f.id) AS place
        FROM feedback f JOIN routings r ON r.id = f.routing_id
        WHERE f.reason_id IS NULL
    )
    SELECT a.customer_id, a.status, a.count, a.received_at AS first_at, z.received_at AS last_at,
        EXISTS (SELECT 1 FROM settlings s WHERE s.customer_id = a.customer_id AND s.folded = a.folded) AS mapped
    FROM waiting a JOIN waiting z ON z.customer_id = a.customer_id AND z.folded = a.folded AND z.place = a.count
    WHERE a.place = 1;

-- Whose sight of rules is limited follows feedback too.
DROP TRIGGER "feedback_changes_insert";
DROP TRIGGER "feedback_changes_update";
DROP TRIGGER "feedback_changes_rename";
DROP TRIGGER "feedback_changes_delete";
DROP TRIGGER "feedback_changes_routing_update";
DROP TRIGGER "feedback_changes_routing_delete";
CREATE TABLE "new_feedback_changes" (
    "n" integer PRIMARY KEY,
    "mask" integer,
    "at" integer NOT NULL DEFAULT (unixepoch()),
    "id" text,
    "customer_id" integer,
    "rule_id" integer
);
INSERT INTO new_feedback_changes (n, mask, at, id, customer_id) SELECT n, mask, at, id, customer_id FROM feedback_changes;
DROP TABLE feedback_changes;
ALTER TABLE new_feedback_changes RENAME TO feedback_changes;
-- +goose StatementBegin
CREATE TRIGGER "feedback_changes_insert" AFTER INSERT ON "feedback" FOR EACH ROW BEGIN
    INSERT INTO "feedback_changes" ("mask", "id", "customer_id", "rule_id") VALUES (NULL, NEW."id", NULL, NULL);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "feedback_changes_update" AFTER UPDATE ON "feedback" FOR EACH ROW BEGIN
    INSERT INTO "feedback_changes" ("mask", "id", "customer_id", "rule_id") VALUES (0
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
        | CASE WHEN OLD."return_decided_at" IS DISTINCT FROM NEW."return_decided_at" THEN 16384 ELSE 0 END, OLD."id", (SELECT "customer_id" FROM "routings" WHERE "id" = OLD."routing_id"), (SELECT "rule_id" FROM "routings" WHERE "id" = OLD."routing_id"));
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "feedback_changes_rename" AFTER UPDATE OF "id" ON "feedback" FOR EACH ROW WHEN OLD."id" IS DISTINCT FROM NEW."id" BEGIN
    INSERT INTO "feedback_changes" ("mask", "id", "customer_id", "rule_id") VALUES (-1, OLD."id", (SELECT "customer_id" FROM "routings" WHERE "id" = OLD."routing_id"), (SELECT "rule_id" FROM "routings" WHERE "id" = OLD."routing_id"));
    INSERT INTO "feedback_changes" ("mask", "id", "customer_id", "rule_id") VALUES (NULL, NEW."id", NULL, NULL);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "feedback_changes_delete" AFTER DELETE ON "feedback" FOR EACH ROW BEGIN
    INSERT INTO "feedback_changes" ("mask", "id", "customer_id", "rule_id") VALUES (-1, OLD."id", (SELECT "customer_id" FROM "routings" WHERE "id" = OLD."routing_id"), (SELECT "rule_id" FROM "routings" WHERE "id" = OLD."routing_id"));
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "feedback_changes_routing_update" AFTER UPDATE OF "customer_id", "rule_id" ON "routings" FOR EACH ROW WHEN OLD."customer_id" IS DISTINCT FROM NEW."customer_id" OR OLD."rule_id" IS DISTINCT FROM NEW."rule_id" BEGIN
    INSERT INTO "feedback_changes" ("mask", "id", "customer_id", "rule_id") SELECT 4611686018427387904, "id", OLD."customer_id", OLD."rule_id" FROM "feedback" e WHERE e."routing_id" = OLD."id";
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "feedback_changes_routing_delete" BEFORE DELETE ON "routings" FOR EACH ROW BEGIN
    INSERT INTO "feedback_changes" ("mask", "id", "customer_id", "rule_id") SELECT 4611686018427387904, "id", OLD."customer_id", OLD."rule_id" FROM "feedback" e WHERE e."routing_id" = OLD."id";
END;
-- +goose StatementEnd

-- +goose Down

DROP VIEW unmapped_statuses;
CREATE VIEW unmapped_statuses AS
    WITH waiting AS (
        SELECT r.customer_id, f.folded, f.status, f.received_at, count(*) OVER (PARTITION BY r.customer_id, f.folded) AS count,
            row_number() OVER (PARTITION BY r.customer_id, f.folded ORDER BY f.received_at, f.id) AS place
        FROM feedback f JOIN routings r ON r.id = f.routing_id
        WHERE f.reason_id IS NULL
    )
    SELECT a.customer_id, a.status, a.count, a.received_at AS first_at, z.received_at AS last_at
    FROM waiting a JOIN waiting z ON z.customer_id = a.customer_id AND z.folded = a.folded AND z.place = a.count
    WHERE a.place = 1;

DROP TABLE settlings;
DROP TRIGGER "feedback_changes_insert";
DROP TRIGGER "feedback_changes_update";
DROP TRIGGER "feedback_changes_rename";
DROP TRIGGER "feedback_changes_delete";
DROP TRIGGER "feedback_changes_routing_update";
DROP TRIGGER "feedback_changes_routing_delete";
CREATE TABLE "new_feedback_changes" (
    "n" integer PRIMARY KEY,
    "mask" integer,
    "at" integer NOT NULL DEFAULT (unixepoch()),
    "id" text,
    "customer_id" integer
);
INSERT INTO new_feedback_changes (n, mask, at, id, customer_id) SELECT n, mask, at, id, customer_id FROM feedback_changes;
DROP TABLE feedback_changes;
ALTER TABLE new_feedback_changes RENAME TO feedback_changes;
-- +goose StatementBegin
CREATE TRIGGER "feedback_changes_insert" AFTER INSERT ON "feedback" FOR EACH ROW BEGIN
    INSERT INTO "feedback_changes" ("mask", "id", "customer_id") VALUES (NULL, NEW."id", NULL);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER "feedback_changes_update" AFTER UPDATE ON "feedback" FOR EACH ROW BEGIN
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

-- +goose Up

-- What customers call things: their own status text and the reason it stands for.
-- folded is the status as it is compared.
CREATE TABLE status_maps (
    id          integer PRIMARY KEY AUTOINCREMENT,
    customer_id integer NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    status      text NOT NULL,
    folded      text NOT NULL,
    reason_id   integer NOT NULL REFERENCES feedback_reasons (id),
    created_at  datetime NOT NULL,
    version     integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX status_maps_customer_id ON status_maps (customer_id, folded);
CREATE INDEX status_maps_reason_id ON status_maps (reason_id);

-- A report may come with the customer's own word for what became of the lead. One
-- that nobody has said the meaning of has no reason yet.
DROP TRIGGER "feedback_changes_routing_update";
DROP TRIGGER "feedback_changes_routing_delete";
CREATE TABLE new_feedback (
    id            text NOT NULL PRIMARY KEY,
    routing_id    text NOT NULL REFERENCES routings (id),
    reason_id     integer REFERENCES feedback_reasons (id),
    comment       text,
    occurred_at   datetime,
    received_at   datetime NOT NULL,
    external_id   text,
    external_link text,
    owner         text,
    connection_id text REFERENCES connections (id),
    status        text,
    folded        text,
    CHECK (reason_id IS NOT NULL OR status IS NOT NULL)
);
INSERT INTO new_feedback (id, routing_id, reason_id, comment, occurred_at, received_at, external_id, external_link, owner, connection_id)
    SELECT id, routing_id, reason_id, comment, occurred_at, received_at, external_id, external_link, owner, connection_id FROM feedback;
DROP TABLE feedback;
ALTER TABLE new_feedback RENAME TO feedback;
-- A report equals another by its status, or else by its reason; no status begins with a space.
CREATE UNIQUE INDEX feedback_routing_id ON feedback (routing_id, coalesce(folded, ' ' || reason_id), occurred_at);
CREATE INDEX feedback_unmapped ON feedback (folded, routing_id) WHERE reason_id IS NULL;
CREATE INDEX feedback_reason_id ON feedback (reason_id);
CREATE INDEX feedback_connection_id ON feedback (connection_id) WHERE connection_id IS NOT NULL;
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
        | CASE WHEN OLD."connection_id" IS DISTINCT FROM NEW."connection_id" THEN 256 ELSE 0 END
        | CASE WHEN OLD."status" IS DISTINCT FROM NEW."status" THEN 512 ELSE 0 END, OLD."id", (SELECT "customer_id" FROM "routings" WHERE "id" = OLD."routing_id"));
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

-- The words that wait for a meaning, each as it first came, with how many reports.
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

-- How a kind of system is read for what became of the leads.
ALTER TABLE connectors ADD COLUMN reading text NOT NULL DEFAULT '{}' CHECK (json_valid(reading));

-- Routings by the id that the customer's system gave the lead.
CREATE INDEX routings_external_id ON routings (customer_id, external_id) WHERE external_id IS NOT NULL;

-- Scheduled readings of customers' systems. since is how far they are; while one
-- runs, lease_until and lease_token keep other servers from it.
CREATE TABLE pulls (
    id               integer PRIMARY KEY AUTOINCREMENT,
    connection_id    text NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    connector_id     integer NOT NULL REFERENCES connectors (id),
    name             text NOT NULL,
    settings         text NOT NULL DEFAULT '{}' CHECK (json_valid(settings)),
    interval_minutes integer NOT NULL DEFAULT 15,
    starts_at        datetime NOT NULL,
    state            text NOT NULL CHECK (state IN ('active', 'paused')),
    since            datetime,
    next_at          datetime,
    last_run_at      datetime,
    last_error       text,
    failing_since    datetime,
    pause_reason     text,
    found            integer NOT NULL DEFAULT 0,
    reported         integer NOT NULL DEFAULT 0,
    unknown          integer NOT NULL DEFAULT 0,
    refused          integer NOT NULL DEFAULT 0,
    failures         integer NOT NULL DEFAULT 0,
    lease_until      datetime,
    lease_token      text,
    created_at       datetime NOT NULL,
    version          integer NOT NULL DEFAULT 1
);
CREATE INDEX pulls_next_at ON pulls (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX pulls_connection_id ON pulls (connection_id);
CREATE INDEX pulls_connector_id ON pulls (connector_id);

-- +goose Down

DROP TABLE pulls;
DROP INDEX routings_external_id;
ALTER TABLE connectors DROP COLUMN reading;
DROP VIEW unmapped_statuses;
DROP TRIGGER "feedback_changes_routing_update";
DROP TRIGGER "feedback_changes_routing_delete";
CREATE TABLE new_feedback (
    id            text NOT NULL PRIMARY KEY,
    routing_id    text NOT NULL REFERENCES routings (id),
    reason_id     integer NOT NULL REFERENCES feedback_reasons (id),
    comment       text,
    occurred_at   datetime,
    received_at   datetime NOT NULL,
    external_id   text,
    external_link text,
    owner         text,
    connection_id text REFERENCES connections (id)
);
INSERT OR IGNORE INTO new_feedback (id, routing_id, reason_id, comment, occurred_at, received_at, external_id, external_link, owner, connection_id)
    SELECT id, routing_id, reason_id, comment, occurred_at, received_at, external_id, external_link, owner, connection_id FROM feedback WHERE reason_id IS NOT NULL;
DROP TABLE feedback;
ALTER TABLE new_feedback RENAME TO feedback;
CREATE UNIQUE INDEX feedback_routing_id ON feedback (routing_id, reason_id, occurred_at);
CREATE INDEX feedback_reason_id ON feedback (reason_id);
CREATE INDEX feedback_connection_id ON feedback (connection_id) WHERE connection_id IS NOT NULL;
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
        | CASE WHEN OLD."connection_id" IS DISTINCT FROM NEW."connection_id" THEN 256 ELSE 0 END, OLD."id", (SELECT "customer_id" FROM "routings" WHERE "id" = OLD."routing_id"));
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

DROP TABLE status_maps;

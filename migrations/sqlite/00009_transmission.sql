-- +goose Up

-- How much a customer's system takes at once and in a minute; null: the default,
-- and no bound.
ALTER TABLE customers ADD COLUMN max_concurrent integer;
ALTER TABLE customers ADD COLUMN max_per_minute integer;
DROP TRIGGER "customers_changes_update";
-- +goose StatementBegin
CREATE TRIGGER "customers_changes_update" AFTER UPDATE ON "customers" FOR EACH ROW BEGIN
    INSERT INTO "customers_changes" ("mask", "id") VALUES (0
        | CASE WHEN OLD."name" IS DISTINCT FROM NEW."name" THEN 1 ELSE 0 END
        | CASE WHEN OLD."description" IS DISTINCT FROM NEW."description" THEN 2 ELSE 0 END
        | CASE WHEN OLD."created_at" IS DISTINCT FROM NEW."created_at" THEN 4 ELSE 0 END
        | CASE WHEN OLD."max_concurrent" IS DISTINCT FROM NEW."max_concurrent" THEN 8 ELSE 0 END
        | CASE WHEN OLD."max_per_minute" IS DISTINCT FROM NEW."max_per_minute" THEN 16 ELSE 0 END
        | CASE WHEN OLD."version" IS DISTINCT FROM NEW."version" THEN 2305843009213693952 ELSE 0 END, OLD."id");
END;
-- +goose StatementEnd

-- The circuit breaker of each rule. breaker_recent has a bit for each of the last
-- 20 exchanges, the newest lowest, set where it failed; breaker_pause is how long
-- the last wait for a probe was, in seconds.
ALTER TABLE rules ADD COLUMN breaker text NOT NULL DEFAULT 'closed' CHECK (breaker IN ('closed', 'open', 'half-open'));
ALTER TABLE rules ADD COLUMN breaker_until datetime;
ALTER TABLE rules ADD COLUMN breaker_recent integer NOT NULL DEFAULT 0;
ALTER TABLE rules ADD COLUMN breaker_pause integer NOT NULL DEFAULT 0;
ALTER TABLE rules ADD COLUMN failing_since datetime;
ALTER TABLE rules ADD COLUMN pause_reason text;
CREATE INDEX rules_breaker_until ON rules (breaker_until) WHERE breaker_until IS NOT NULL;

-- The queue of each rule, so that a long one hides no other.
CREATE INDEX routings_queue ON routings (rule_id, next_attempt_at) WHERE next_attempt_at IS NOT NULL;

-- What staff should know of. The same thing again within the hour counts up the
-- notice that is there.
CREATE TABLE notices (
    id          integer PRIMARY KEY AUTOINCREMENT,
    kind        text NOT NULL,
    subject     text NOT NULL UNIQUE,
    message     text NOT NULL,
    rule_id     integer REFERENCES rules (id) ON DELETE CASCADE,
    customer_id integer REFERENCES customers (id) ON DELETE CASCADE,
    routing_id  text REFERENCES routings (id) ON DELETE CASCADE,
    times       integer NOT NULL DEFAULT 1,
    created_at  datetime NOT NULL,
    last_at     datetime NOT NULL,
    sent_at     datetime,
    next_at     datetime,
    tries       integer NOT NULL DEFAULT 0,
    error       text
);
CREATE INDEX notices_next_at ON notices (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX notices_rule_id ON notices (rule_id);
CREATE INDEX notices_customer_id ON notices (customer_id);
CREATE INDEX notices_routing_id ON notices (routing_id);

-- Many routings sent again, and how far that is.
CREATE TABLE resends (
    id         integer PRIMARY KEY AUTOINCREMENT,
    filter     text NOT NULL,
    max        integer,
    delivered  boolean NOT NULL DEFAULT false,
    state      text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed', 'cancelled')),
    found      integer NOT NULL,
    resent     integer NOT NULL DEFAULT 0,
    error      text,
    created_at datetime NOT NULL,
    ended_at   datetime,
    position   text,
    version    integer NOT NULL DEFAULT 1
);
CREATE INDEX resends_running ON resends (id) WHERE state = 'running';

-- +goose Down

DROP TABLE resends;
DROP TABLE notices;
DROP INDEX routings_queue;
DROP INDEX rules_breaker_until;
ALTER TABLE rules DROP COLUMN pause_reason;
ALTER TABLE rules DROP COLUMN failing_since;
ALTER TABLE rules DROP COLUMN breaker_pause;
ALTER TABLE rules DROP COLUMN breaker_recent;
ALTER TABLE rules DROP COLUMN breaker_until;
ALTER TABLE rules DROP COLUMN breaker;
DROP TRIGGER "customers_changes_update";
-- +goose StatementBegin
CREATE TRIGGER "customers_changes_update" AFTER UPDATE ON "customers" FOR EACH ROW BEGIN
    INSERT INTO "customers_changes" ("mask", "id") VALUES (0
        | CASE WHEN OLD."name" IS DISTINCT FROM NEW."name" THEN 1 ELSE 0 END
        | CASE WHEN OLD."description" IS DISTINCT FROM NEW."description" THEN 2 ELSE 0 END
        | CASE WHEN OLD."created_at" IS DISTINCT FROM NEW."created_at" THEN 4 ELSE 0 END
        | CASE WHEN OLD."version" IS DISTINCT FROM NEW."version" THEN 2305843009213693952 ELSE 0 END, OLD."id");
END;
-- +goose StatementEnd
ALTER TABLE customers DROP COLUMN max_per_minute;
ALTER TABLE customers DROP COLUMN max_concurrent;

-- +goose Up

-- How a rule shares its tier, how much it may get, and when.
ALTER TABLE rules ADD COLUMN weight bigint NOT NULL DEFAULT 1;
ALTER TABLE rules ADD COLUMN rotation text COLLATE "C" NOT NULL DEFAULT 'weight';
ALTER TABLE rules ADD COLUMN cap_day bigint;
ALTER TABLE rules ADD COLUMN cap_week bigint;
ALTER TABLE rules ADD COLUMN cap_month bigint;
ALTER TABLE rules ADD COLUMN cap_total bigint;
ALTER TABLE rules ADD COLUMN time_zone text COLLATE "C" NOT NULL DEFAULT 'Asia/Jerusalem';
ALTER TABLE rules ADD COLUMN schedule jsonb NOT NULL DEFAULT '[]';
ALTER TABLE rules ADD COLUMN is_default boolean NOT NULL DEFAULT false;

-- How many leads a rule got in a period that it has a cap for.
CREATE TABLE rule_counts (
    rule_id bigint NOT NULL REFERENCES rules (id) ON DELETE CASCADE,
    period  text COLLATE "C" NOT NULL,
    taken   bigint NOT NULL,
    PRIMARY KEY (rule_id, period)
);

-- The first count of a period is of the routings in it.
DROP INDEX routings_rule_id;
CREATE INDEX routings_rule_id ON routings (rule_id, created_at);

-- How many decisions a tier in rotation has seen, and the last of each rule.
CREATE TABLE rotations (
    priority bigint NOT NULL PRIMARY KEY,
    turn     bigint NOT NULL
);
CREATE TABLE rotation_turns (
    priority bigint NOT NULL,
    rule_id  bigint NOT NULL REFERENCES rules (id) ON DELETE CASCADE,
    turn     bigint NOT NULL,
    PRIMARY KEY (priority, rule_id)
);
CREATE INDEX rotation_turns_rule_id ON rotation_turns (rule_id);

-- What was decided about a lead, and why.
CREATE TABLE decisions (
    lead_id       uuid NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    n             bigint NOT NULL,
    at            timestamptz NOT NULL,
    cause         text COLLATE "C" NOT NULL,
    routing_id    uuid, -- the routing it replaces
    rules_version text COLLATE "C" NOT NULL,
    rules         bigint NOT NULL,
    held          bigint NOT NULL,
    verdicts      jsonb NOT NULL DEFAULT '[]',
    PRIMARY KEY (lead_id, n)
);

-- +goose Down

DROP TABLE decisions;
DROP TABLE rotation_turns;
DROP TABLE rotations;
DROP INDEX routings_rule_id;
CREATE INDEX routings_rule_id ON routings (rule_id);
DROP TABLE rule_counts;
ALTER TABLE rules DROP COLUMN is_default;
ALTER TABLE rules DROP COLUMN schedule;
ALTER TABLE rules DROP COLUMN time_zone;
ALTER TABLE rules DROP COLUMN cap_total;
ALTER TABLE rules DROP COLUMN cap_month;
ALTER TABLE rules DROP COLUMN cap_week;
ALTER TABLE rules DROP COLUMN cap_day;
ALTER TABLE rules DROP COLUMN rotation;
ALTER TABLE rules DROP COLUMN weight;

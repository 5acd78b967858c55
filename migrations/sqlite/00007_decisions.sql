-- +goose Up

-- How a rule shares its tier, how much it may get, and when.
ALTER TABLE rules ADD COLUMN weight integer NOT NULL DEFAULT 1;
ALTER TABLE rules ADD COLUMN rotation text NOT NULL DEFAULT 'weight';
ALTER TABLE rules ADD COLUMN cap_day integer;
ALTER TABLE rules ADD COLUMN cap_week integer;
ALTER TABLE rules ADD COLUMN cap_month integer;
ALTER TABLE rules ADD COLUMN cap_total integer;
ALTER TABLE rules ADD COLUMN time_zone text NOT NULL DEFAULT 'Asia/Jerusalem';
ALTER TABLE rules ADD COLUMN schedule text NOT NULL DEFAULT '[]' CHECK (json_valid(schedule));
ALTER TABLE rules ADD COLUMN is_default boolean NOT NULL DEFAULT false;

-- How many leads a rule got in a period that it has a cap for.
CREATE TABLE rule_counts (
    rule_id integer NOT NULL REFERENCES rules (id) ON DELETE CASCADE,
    period  text NOT NULL,
    taken   integer NOT NULL,
    PRIMARY KEY (rule_id, period)
) WITHOUT ROWID;

-- The first count of a period is of the routings in it.
DROP INDEX routings_rule_id;
CREATE INDEX routings_rule_id ON routings (rule_id, created_at);

-- How many decisions a tier in rotation has seen, and the last of each rule.
CREATE TABLE rotations (
    priority integer NOT NULL PRIMARY KEY,
    turn     integer NOT NULL
);
CREATE TABLE rotation_turns (
    priority integer NOT NULL,
    rule_id  integer NOT NULL REFERENCES rules (id) ON DELETE CASCADE,
    turn     integer NOT NULL,
    PRIMARY KEY (priority, rule_id)
) WITHOUT ROWID;
CREATE INDEX rotation_turns_rule_id ON rotation_turns (rule_id);

-- What was decided about a lead, and why.
CREATE TABLE decisions (
    lead_id       text NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    n             integer NOT NULL,
    at            datetime NOT NULL,
    cause         text NOT NULL,
    routing_id    text, -- the routing it replaces
    rules_version text NOT NULL,
    rules         integer NOT NULL,
    held          integer NOT NULL,
    verdicts      text NOT NULL DEFAULT '[]' CHECK (json_valid(verdicts)),
    PRIMARY KEY (lead_id, n)
) WITHOUT ROWID;

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

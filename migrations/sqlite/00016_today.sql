-- +goose Up

-- How many leads came in and what became of them, by the hour they came in: kept
-- from the change logs, so that nobody has to count leads. In place of nothing
-- stands 0. A row of customer 0 counts leads, the others count routings; reports
-- are counted by the hour that they came in themselves. settings.activity holds
-- how far that is.
CREATE TABLE activity (
    hour        datetime NOT NULL,
    source_id   integer NOT NULL,
    customer_id integer NOT NULL,
    rule_id     integer NOT NULL,
    reason_id   integer NOT NULL,
    leads       integer NOT NULL DEFAULT 0,
    tests       integer NOT NULL DEFAULT 0,
    duplicates  integer NOT NULL DEFAULT 0,
    unmatched   integer NOT NULL DEFAULT 0,
    routed      integer NOT NULL DEFAULT 0,
    waiting     integer NOT NULL DEFAULT 0,
    delivered   integer NOT NULL DEFAULT 0,
    rejected    integer NOT NULL DEFAULT 0,
    failed      integer NOT NULL DEFAULT 0,
    parked      integer NOT NULL DEFAULT 0,
    answered    integer NOT NULL DEFAULT 0,
    returned    integer NOT NULL DEFAULT 0,
    reports     integer NOT NULL DEFAULT 0,
    PRIMARY KEY (hour, source_id, customer_id, rule_id, reason_id)
);

-- How a member of the staff likes to look at a list: what it shows and in which
-- columns. Shared ones are everybody's to use.
CREATE TABLE saved_views (
    id         integer PRIMARY KEY AUTOINCREMENT,
    user_id    integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    list       text NOT NULL,
    name       text NOT NULL,
    query      text NOT NULL DEFAULT '',
    shared     boolean NOT NULL DEFAULT false,
    created_at datetime NOT NULL,
    version    integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX saved_views_name ON saved_views (user_id, list, name);

-- +goose Down

DROP TABLE saved_views;
DROP TABLE activity;
DELETE FROM settings WHERE name = 'activity';

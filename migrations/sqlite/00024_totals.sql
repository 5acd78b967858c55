-- +goose Up

-- The counters of activity added up: by hour, and by day (of UTC) and reason of
-- each source and of each customer, so that a month of them is read at once. Kept
-- with activity, and made from it when counting goes on.
CREATE TABLE activity_totals (
    kind      text NOT NULL, -- hour, source or customer
    at        datetime NOT NULL, -- when the hour, or the day, begins
    id        integer NOT NULL, -- of the source or the customer; 0 of an hour
    reason_id integer NOT NULL,
    leads     integer NOT NULL DEFAULT 0,
    unmatched integer NOT NULL DEFAULT 0,
    routed    integer NOT NULL DEFAULT 0,
    delivered integer NOT NULL DEFAULT 0,
    rejected  integer NOT NULL DEFAULT 0,
    failed    integer NOT NULL DEFAULT 0,
    parked    integer NOT NULL DEFAULT 0,
    answered  integer NOT NULL DEFAULT 0,
    reports   integer NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, at, id, reason_id)
) WITHOUT ROWID;

-- +goose Down

DROP TABLE activity_totals;
-- Should they come back, they are made anew.
UPDATE settings SET value = json_remove(value, '$.totals') WHERE name = 'activity';

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

-- +goose Up

-- The queue of each rule tells as well whether anything is due at all. Each index
-- on the due time is written twice for every transmission.
DROP INDEX routings_next_attempt_at;

-- +goose Down

CREATE INDEX routings_next_attempt_at ON routings (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

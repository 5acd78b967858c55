-- +goose Up

-- Leads in a state, the newest first.
CREATE INDEX leads_state ON leads (state, received_at, id);
-- Routings that are not in the queue, by what became of them. It names no state: a
-- plan for any state could not use it then.
CREATE INDEX routings_resting ON routings (state, id) WHERE next_attempt_at IS NULL;

-- +goose Down

DROP INDEX routings_resting;
DROP INDEX leads_state;

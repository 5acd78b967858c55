-- +goose Up

-- Leads in a state, the newest first.
CREATE INDEX leads_state ON leads (state, received_at, id);
-- Routings that went wrong and are not in the queue, by what became of them: those
-- that go well pass by. next_attempt_at lets them be counted by the index alone.
CREATE INDEX routings_resting ON routings (state, id, next_attempt_at) WHERE state = 'rejected' OR state = 'failed' OR state = 'parked';

-- +goose Down

DROP INDEX routings_resting;
DROP INDEX leads_state;

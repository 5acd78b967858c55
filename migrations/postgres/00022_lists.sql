-- +goose Up

-- Leads in a state, the newest first.
CREATE INDEX leads_state ON leads (state, received_at, id);
-- Routings that went wrong, by what became of them: those that go well pass by.
CREATE INDEX routings_troubled ON routings (state, id) WHERE state = 'rejected' OR state = 'failed' OR state = 'parked';

-- +goose Down

DROP INDEX routings_troubled;
DROP INDEX leads_state;

-- +goose Up

-- How outcomes of a source's leads are sent back to where those came from, and the
-- circuit breaker of that, which is as that of rules.
ALTER TABLE sources ADD COLUMN onward_connector_id integer REFERENCES connectors (id);
ALTER TABLE sources ADD COLUMN onward_settings text NOT NULL DEFAULT '{}' CHECK (json_valid(onward_settings));
ALTER TABLE sources ADD COLUMN onward_mapping text NOT NULL DEFAULT '[]' CHECK (json_valid(onward_mapping));
ALTER TABLE sources ADD COLUMN breaker text NOT NULL DEFAULT 'closed' CHECK (breaker IN ('closed', 'open', 'half-open'));
ALTER TABLE sources ADD COLUMN breaker_until datetime;
ALTER TABLE sources ADD COLUMN breaker_recent integer NOT NULL DEFAULT 0;
ALTER TABLE sources ADD COLUMN breaker_pause integer NOT NULL DEFAULT 0;
ALTER TABLE sources ADD COLUMN failing_since datetime;
CREATE INDEX sources_breaker_until ON sources (breaker_until) WHERE breaker_until IS NOT NULL;

-- Outcomes of leads that are sent onward, each with the report it tells of. A lead
-- has one at most that is not replaced by a newer one.
CREATE TABLE onwards (
    id              text NOT NULL PRIMARY KEY,
    lead_id         text NOT NULL REFERENCES leads (id) ON DELETE CASCADE,
    source_id       integer NOT NULL REFERENCES sources (id),
    routing_id      text NOT NULL REFERENCES routings (id) ON DELETE CASCADE,
    reason_id       integer NOT NULL REFERENCES feedback_reasons (id),
    occurred_at     datetime NOT NULL,
    status          text,
    comment         text,
    amount          integer,
    currency        text,
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sending', 'delivered', 'rejected', 'failed', 'parked', 'replaced')),
    attempt_count   integer NOT NULL DEFAULT 0,
    next_attempt_at datetime,
    lease_token     text,
    created_at      datetime NOT NULL,
    delivered_at    datetime,
    replaced_at     datetime,
    error           text,
    version         integer NOT NULL DEFAULT 1
);
CREATE INDEX onwards_queue ON onwards (source_id, next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX onwards_parked ON onwards (source_id) WHERE state = 'parked';
CREATE UNIQUE INDEX onwards_newest ON onwards (lead_id) WHERE replaced_at IS NULL;
CREATE INDEX onwards_lead_id ON onwards (lead_id);
CREATE INDEX onwards_routing_id ON onwards (routing_id);
CREATE INDEX onwards_reason_id ON onwards (reason_id);

-- Exchanges that sent an outcome onward; routing_id is then whose outcome it was.
ALTER TABLE attempts ADD COLUMN onward_id text REFERENCES onwards (id) ON DELETE CASCADE;
CREATE INDEX attempts_onward_id ON attempts (onward_id) WHERE onward_id IS NOT NULL;

ALTER TABLE notices ADD COLUMN source_id integer REFERENCES sources (id) ON DELETE CASCADE;
CREATE INDEX notices_source_id ON notices (source_id) WHERE source_id IS NOT NULL;

-- +goose Down

DROP INDEX notices_source_id;
ALTER TABLE notices DROP COLUMN source_id;
DELETE FROM attempts WHERE onward_id IS NOT NULL;
DROP INDEX attempts_onward_id;
ALTER TABLE attempts DROP COLUMN onward_id;
DROP TABLE onwards;
DROP INDEX sources_breaker_until;
ALTER TABLE sources DROP COLUMN failing_since;
ALTER TABLE sources DROP COLUMN breaker_pause;
ALTER TABLE sources DROP COLUMN breaker_recent;
ALTER TABLE sources DROP COLUMN breaker_until;
ALTER TABLE sources DROP COLUMN breaker;
ALTER TABLE sources DROP COLUMN onward_mapping;
ALTER TABLE sources DROP COLUMN onward_settings;
ALTER TABLE sources DROP COLUMN onward_connector_id;

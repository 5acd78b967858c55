-- +goose Up

-- How the system of a connection reports by a fixed webhook, and how long after
-- delivery, in nanoseconds; null: for ever.
ALTER TABLE connections ADD COLUMN feedback_fields jsonb NOT NULL DEFAULT '{}';
ALTER TABLE connections ADD COLUMN allow_get boolean NOT NULL DEFAULT false;
ALTER TABLE connections ADD COLUMN max_feedback_age bigint;

ALTER TABLE feedback_reasons ADD COLUMN asks_for_return boolean NOT NULL DEFAULT false;
UPDATE feedback_reasons SET asks_for_return = true WHERE id = 12;

-- Amounts are in 1/10000 of the currency.
ALTER TABLE feedback ADD COLUMN amount bigint;
ALTER TABLE feedback ADD COLUMN currency text COLLATE "C";
ALTER TABLE feedback ADD COLUMN return_state text COLLATE "C" CHECK (return_state IN ('requested', 'approved', 'declined'));
ALTER TABLE feedback ADD COLUMN return_comment text COLLATE "C";
ALTER TABLE feedback ADD COLUMN return_decided_at timestamptz;
CREATE INDEX feedback_return_state ON feedback (return_state, id) WHERE return_state IS NOT NULL;

ALTER TABLE routings ADD COLUMN returned_at timestamptz;

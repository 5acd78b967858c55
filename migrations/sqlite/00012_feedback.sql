-- +goose Up

-- How the system of a connection reports by a fixed webhook, and how long after
-- delivery, in nanoseconds; null: for ever.
ALTER TABLE connections ADD COLUMN feedback_fields text NOT NULL DEFAULT '{}' CHECK (json_valid(feedback_fields));
ALTER TABLE connections ADD COLUMN allow_get boolean NOT NULL DEFAULT false;
ALTER TABLE connections ADD COLUMN max_feedback_age integer;

ALTER TABLE feedback_reasons ADD COLUMN asks_for_return boolean NOT NULL DEFAULT false;
UPDATE feedback_reasons SET asks_for_return = true WHERE id = 12;

-- Amounts are in 1/10000 of the currency.
ALTER TABLE feedback ADD COLUMN amount integer;
ALTER TABLE feedback ADD COLUMN currency text;
ALTER TABLE feedback ADD COLUMN return_state text CHECK (return_state IN ('requested', 'approved', 'declined'));
ALTER TABLE feedback ADD COLUMN return_comment text;
ALTER TABLE feedback ADD COLUMN return_decided_at datetime;
CREATE INDEX feedback_return_state ON feedback (return_state, id) WHERE return_state IS NOT NULL;

ALTER TABLE routings ADD COLUMN returned_at datetime;

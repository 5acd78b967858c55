-- +goose Up

-- The queue of each rule tells as well whether anything is due at all. Each index
-- on the due time is written twice for every transmission.
DROP INDEX routings_next_attempt_at;

-- The way of notices by e-mail.
ALTER TABLE notices ADD COLUMN mailed_at timestamptz;
ALTER TABLE notices ADD COLUMN mail_next_at timestamptz;
ALTER TABLE notices ADD COLUMN mail_tries bigint NOT NULL DEFAULT 0;
ALTER TABLE notices ADD COLUMN mail_error text COLLATE "C";
CREATE INDEX notices_mail_next_at ON notices (mail_next_at) WHERE mail_next_at IS NOT NULL;

-- +goose Down

DROP INDEX notices_mail_next_at;
ALTER TABLE notices DROP COLUMN mail_error;
ALTER TABLE notices DROP COLUMN mail_tries;
ALTER TABLE notices DROP COLUMN mail_next_at;
ALTER TABLE notices DROP COLUMN mailed_at;

CREATE INDEX routings_next_attempt_at ON routings (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

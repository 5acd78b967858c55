-- +goose Up

-- Answers of repeatable requests, for who sends one again. The answer, sealed, is
-- null only inside the transaction that carries the request out.
CREATE TABLE repeats (
    caller     text COLLATE "C" NOT NULL,
    id         text COLLATE "C" NOT NULL,
    answer     bytea,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (caller, id)
);
CREATE INDEX repeats_expires_at ON repeats (expires_at);

-- +goose Down

DROP TABLE repeats;

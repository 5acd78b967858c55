-- +goose Up

-- Links by which a customer reads the guide of a connection without signing in.
CREATE TABLE guide_links (
    id            integer PRIMARY KEY AUTOINCREMENT,
    connection_id text NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    hash          blob NOT NULL,
    created_at    datetime NOT NULL,
    expires_at    datetime NOT NULL,
    revoked_at    datetime
);
CREATE UNIQUE INDEX guide_links_hash ON guide_links (hash);
CREATE INDEX guide_links_connection_id ON guide_links (connection_id);

-- What became of the last call of each connection.
CREATE TABLE last_calls (
    connection_id text NOT NULL PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE,
    at            datetime NOT NULL,
    method        text NOT NULL,
    path          text NOT NULL,
    address       text NOT NULL,
    status        integer NOT NULL,
    code          text NOT NULL,
    message       text NOT NULL,
    target        text NOT NULL
);

-- The feedback of a customer, by when it came in.
CREATE INDEX feedback_received_at ON feedback (received_at);

-- +goose Down
DROP INDEX feedback_received_at;
DROP TABLE last_calls;
DROP TABLE guide_links;

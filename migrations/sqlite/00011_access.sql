-- +goose Up

-- What one key may do, where that is less than its connection may, and where it
-- was last used from.
ALTER TABLE keys ADD COLUMN scopes text NOT NULL DEFAULT '[]' CHECK (json_valid(scopes));
ALTER TABLE keys ADD COLUMN last_used_from text;

-- Days of the customer's calendar, beside the instants they come to; and how many
-- requests a minute are answered.
ALTER TABLE connections ADD COLUMN time_zone text NOT NULL DEFAULT 'Asia/Jerusalem';
ALTER TABLE connections ADD COLUMN starts_on text;
ALTER TABLE connections ADD COLUMN ends_on text;
ALTER TABLE connections ADD COLUMN requests_per_minute integer NOT NULL DEFAULT 1200;

-- When the sign-in of a session was, from where, and by what program.
ALTER TABLE sessions ADD COLUMN began_at datetime NOT NULL DEFAULT '1970-01-01T00:00:00.000000Z';
ALTER TABLE sessions ADD COLUMN address text NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN agent text NOT NULL DEFAULT '';
UPDATE sessions SET began_at = created_at;

-- What access tokens are signed under: sealed, and replaced now and then. One that
-- was replaced verifies until ends_at.
CREATE TABLE signing_keys (
    id         text NOT NULL PRIMARY KEY,
    secret     blob NOT NULL,
    created_at datetime NOT NULL,
    ends_at    datetime
);
CREATE UNIQUE INDEX signing_keys_current ON signing_keys ((ends_at IS NULL)) WHERE ends_at IS NULL;

-- Members of the staff taken together.
CREATE TABLE groups (
    id          integer PRIMARY KEY AUTOINCREMENT,
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    created_at  datetime NOT NULL,
    version     integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX groups_name ON groups (name);
CREATE TABLE group_members (
    group_id integer NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    user_id  integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX group_members_user_id ON group_members (user_id);

-- Who sees a rule: all staff, or those chosen.
ALTER TABLE rules ADD COLUMN visibility text NOT NULL DEFAULT 'all' CHECK (visibility IN ('all', 'chosen'));
CREATE INDEX rules_chosen ON rules (id) WHERE visibility = 'chosen';
CREATE TABLE rule_viewers (
    id       integer PRIMARY KEY AUTOINCREMENT,
    rule_id  integer NOT NULL REFERENCES rules (id) ON DELETE CASCADE,
    user_id  integer REFERENCES users (id) ON DELETE CASCADE,
    group_id integer REFERENCES groups (id) ON DELETE CASCADE,
    CHECK ((user_id IS NULL) <> (group_id IS NULL))
);
CREATE UNIQUE INDEX rule_viewers_users ON rule_viewers (rule_id, user_id) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX rule_viewers_groups ON rule_viewers (rule_id, group_id) WHERE group_id IS NOT NULL;
CREATE INDEX rule_viewers_user_id ON rule_viewers (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX rule_viewers_group_id ON rule_viewers (group_id) WHERE group_id IS NOT NULL;

-- Whose resend it is: it leaves out what they do not see. Null: all is seen.
ALTER TABLE resends ADD COLUMN user_id integer;

-- +goose Down

ALTER TABLE resends DROP COLUMN user_id;
DROP TABLE rule_viewers;
DROP INDEX rules_chosen;
ALTER TABLE rules DROP COLUMN visibility;
DROP TABLE group_members;
DROP TABLE groups;
DROP TABLE signing_keys;
ALTER TABLE sessions DROP COLUMN agent;
ALTER TABLE sessions DROP COLUMN address;
ALTER TABLE sessions DROP COLUMN began_at;
ALTER TABLE connections DROP COLUMN requests_per_minute;
ALTER TABLE connections DROP COLUMN ends_on;
ALTER TABLE connections DROP COLUMN starts_on;
ALTER TABLE connections DROP COLUMN time_zone;
ALTER TABLE keys DROP COLUMN last_used_from;
ALTER TABLE keys DROP COLUMN scopes;

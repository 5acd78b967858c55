-- +goose Up

-- Small facts of the installation, such as rules_version and vault_check.
CREATE TABLE settings (
    name  text NOT NULL PRIMARY KEY,
    value text NOT NULL
);

-- Staff.
CREATE TABLE users (
    id            integer PRIMARY KEY AUTOINCREMENT,
    email         text NOT NULL UNIQUE,
    name          text NOT NULL DEFAULT '',
    role          text NOT NULL CHECK (role IN ('admin', 'manager', 'viewer')),
    password_hash text NOT NULL DEFAULT '',
    active        boolean NOT NULL DEFAULT true,
    created_at    datetime NOT NULL,
    version       integer NOT NULL DEFAULT 1
);

-- Refresh tokens of staff. A family is one sign-in and all that rotation made of it.
CREATE TABLE sessions (
    id         text NOT NULL PRIMARY KEY,
    user_id    integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    family     text NOT NULL,
    token_hash blob NOT NULL UNIQUE,
    created_at datetime NOT NULL,
    expires_at datetime NOT NULL,
    used_at    datetime,
    revoked_at datetime
);
CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_family ON sessions (family);

-- Companies that receive leads.
CREATE TABLE customers (
    id          integer PRIMARY KEY AUTOINCREMENT,
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    created_at  datetime NOT NULL,
    version     integer NOT NULL DEFAULT 1
);

-- Identities of customers' systems.
CREATE TABLE connections (
    id               text NOT NULL PRIMARY KEY,
    customer_id      integer NOT NULL REFERENCES customers (id),
    name             text NOT NULL,
    description      text NOT NULL DEFAULT '',
    starts_at        datetime,
    ends_at          datetime,
    scopes           text NOT NULL DEFAULT '[]' CHECK (json_valid(scopes)),
    allowed_networks text NOT NULL DEFAULT '[]' CHECK (json_valid(allowed_networks)),
    created_at       datetime NOT NULL,
    version          integer NOT NULL DEFAULT 1
);
CREATE INDEX connections_customer_id ON connections (customer_id);

-- Secrets of connections: only their hash.
CREATE TABLE keys (
    id            text NOT NULL PRIMARY KEY,
    connection_id text NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    hash          blob NOT NULL,
    created_at    datetime NOT NULL,
    expires_at    datetime,
    revoked_at    datetime,
    last_used_at  datetime
);
CREATE INDEX keys_connection_id ON keys (connection_id);

-- The numbered answers a customer can give. Numbers under 101 belong to the program.
CREATE TABLE feedback_reasons (
    id             integer PRIMARY KEY AUTOINCREMENT,
    name           text NOT NULL,
    names          text NOT NULL DEFAULT '{}' CHECK (json_valid(names)),
    category       text NOT NULL CHECK (category IN ('positive', 'in_progress', 'negative', 'invalid')),
    closes_lead    boolean NOT NULL DEFAULT false,
    counts_as_sale boolean NOT NULL DEFAULT false,
    position       integer NOT NULL DEFAULT 0,
    active         boolean NOT NULL DEFAULT true,
    created_at     datetime NOT NULL,
    version        integer NOT NULL DEFAULT 1
);

-- Where leads come in.
CREATE TABLE sources (
    id           integer PRIMARY KEY AUTOINCREMENT,
    name         text NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('json', 'form', 'google-ads')),
    token        text NOT NULL UNIQUE,
    secret_mac   blob,
    region       text NOT NULL DEFAULT 'IL',
    max_routings integer NOT NULL DEFAULT 1,
    enabled      boolean NOT NULL DEFAULT true,
    created_at   datetime NOT NULL,
    version      integer NOT NULL DEFAULT 1
);

-- Enquiries. properties holds whatever else the form had.
CREATE TABLE leads (
    id              text NOT NULL PRIMARY KEY,
    source_id       integer REFERENCES sources (id),
    received_at     datetime NOT NULL,
    first_name      text,
    last_name       text,
    phone           text,
    phone_raw       text,
    email           text,
    city            text,
    message         text,
    campaign        text,
    utm_source      text,
    utm_medium      text,
    utm_campaign    text,
    utm_term        text,
    utm_content     text,
    external_id     text,
    is_test         boolean NOT NULL DEFAULT false,
    duplicate_of_id text REFERENCES leads (id),
    state           text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'routed', 'unmatched', 'duplicate', 'test')),
    reason_id       integer, -- also in feedback, which refers to the reason
    feedback_at     datetime,
    properties      text NOT NULL DEFAULT '{}' CHECK (json_valid(properties)),
    version         integer NOT NULL DEFAULT 1
);
CREATE INDEX leads_received_at ON leads (received_at, id);
CREATE INDEX leads_source_id ON leads (source_id, received_at);
CREATE UNIQUE INDEX leads_external_id ON leads (source_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX leads_duplicate_of_id ON leads (duplicate_of_id) WHERE duplicate_of_id IS NOT NULL;

-- What a lead was made from, as it came.
CREATE TABLE payloads (
    lead_id        text NOT NULL PRIMARY KEY REFERENCES leads (id) ON DELETE CASCADE,
    body           blob,
    content_type   text NOT NULL DEFAULT '',
    remote_address text NOT NULL DEFAULT '',
    user_agent     text NOT NULL DEFAULT ''
);

-- What came in and could not be made a lead.
CREATE TABLE rejections (
    id          integer PRIMARY KEY AUTOINCREMENT,
    source_id   integer NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    received_at datetime NOT NULL,
    reason      text NOT NULL,
    target      text NOT NULL DEFAULT '',
    body        blob
);
CREATE INDEX rejections_source_id ON rejections (source_id, received_at);

-- How to talk to a kind of system.
CREATE TABLE connectors (
    id         integer PRIMARY KEY AUTOINCREMENT,
    code       text NOT NULL DEFAULT '',
    name       text NOT NULL,
    method     text NOT NULL DEFAULT 'POST',
    format     text NOT NULL CHECK (format IN ('json', 'form')),
    url        text NOT NULL,
    settings   text NOT NULL DEFAULT '[]' CHECK (json_valid(settings)),
    built_in   boolean NOT NULL DEFAULT false,
    created_at datetime NOT NULL,
    version    integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX connectors_code ON connectors (code) WHERE code <> '';

-- Send these leads to this customer like so.
CREATE TABLE rules (
    id              integer PRIMARY KEY AUTOINCREMENT,
    customer_id     integer NOT NULL REFERENCES customers (id),
    connector_id    integer NOT NULL REFERENCES connectors (id),
    name            text NOT NULL,
    settings        text NOT NULL DEFAULT '{}' CHECK (json_valid(settings)),
    condition       text NOT NULL DEFAULT '',
    mapping         text NOT NULL DEFAULT '[]' CHECK (json_valid(mapping)),
    priority        integer NOT NULL DEFAULT 100,
    state           text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'tested', 'active', 'paused')),
    revision        integer NOT NULL DEFAULT 1,
    tested_revision integer,
    active_revision integer,
    starts_at       datetime,
    ends_at         datetime,
    owner_id        integer REFERENCES users (id),
    created_at      datetime NOT NULL,
    version         integer NOT NULL DEFAULT 1
);
CREATE INDEX rules_customer_id ON rules (customer_id);
CREATE INDEX rules_connector_id ON rules (connector_id);
CREATE INDEX rules_active ON rules (priority, id) WHERE state = 'active';
CREATE INDEX rules_owner_id ON rules (owner_id) WHERE owner_id IS NOT NULL;

-- Rules as they were activated: what matching and sending go by.
CREATE TABLE rule_revisions (
    rule_id      integer NOT NULL REFERENCES rules (id) ON DELETE CASCADE,
    revision     integer NOT NULL,
    connector_id integer NOT NULL REFERENCES connectors (id),
    settings     text NOT NULL DEFAULT '{}' CHECK (json_valid(settings)),
    condition    text NOT NULL DEFAULT '',
    mapping      text NOT NULL DEFAULT '[]' CHECK (json_valid(mapping)),
    created_at   datetime NOT NULL,
    PRIMARY KEY (rule_id, revision)
);
CREATE INDEX rule_revisions_connector_id ON rule_revisions (connector_id);

-- One lead given to one customer; also the work item of the transmission queue.
CREATE TABLE routings (
    id              text NOT NULL PRIMARY KEY,
    lead_id         text NOT NULL REFERENCES leads (id),
    customer_id     integer NOT NULL REFERENCES customers (id),
    rule_id         integer NOT NULL REFERENCES rules (id),
    rule_revision   integer NOT NULL,
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sending', 'delivered', 'rejected', 'failed', 'parked')),
    attempt_count   integer NOT NULL DEFAULT 0,
    next_attempt_at datetime,
    lease_token     text,
    created_at      datetime NOT NULL,
    delivered_at    datetime,
    external_id     text,
    external_link   text,
    error           text,
    reason_id       integer, -- also in feedback, which refers to the reason
    feedback_at     datetime,
    version         integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX routings_lead_id ON routings (lead_id, customer_id);
CREATE INDEX routings_customer_id ON routings (customer_id, lead_id);
CREATE INDEX routings_rule_id ON routings (rule_id);
CREATE INDEX routings_next_attempt_at ON routings (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

-- Exchanges with customers' systems.
CREATE TABLE attempts (
    id          integer PRIMARY KEY AUTOINCREMENT,
    routing_id  text NOT NULL REFERENCES routings (id) ON DELETE CASCADE,
    started_at  datetime NOT NULL,
    duration_ms integer NOT NULL DEFAULT 0,
    status_code integer,
    request     text NOT NULL DEFAULT '',
    response    text NOT NULL DEFAULT '',
    outcome     text NOT NULL CHECK (outcome IN ('accepted', 'rejected', 'retry')),
    error       text
);
CREATE INDEX attempts_routing_id ON attempts (routing_id);

-- Reports of customers on routings.
CREATE TABLE feedback (
    id            text NOT NULL PRIMARY KEY,
    routing_id    text NOT NULL REFERENCES routings (id),
    reason_id     integer NOT NULL REFERENCES feedback_reasons (id),
    comment       text,
    occurred_at   datetime,
    received_at   datetime NOT NULL,
    external_id   text,
    external_link text,
    owner         text,
    connection_id text REFERENCES connections (id)
);
CREATE UNIQUE INDEX feedback_routing_id ON feedback (routing_id, reason_id, occurred_at);
CREATE INDEX feedback_reason_id ON feedback (reason_id);
CREATE INDEX feedback_connection_id ON feedback (connection_id) WHERE connection_id IS NOT NULL;

INSERT INTO feedback_reasons (id, name, names, category, closes_lead, counts_as_sale, position, created_at) VALUES
    (1, 'Received', '{"en":"Received","he":"התקבל"}', 'in_progress', false, false, 10, '2026-01-01T00:00:00.000000Z'),
    (2, 'Contacted', '{"en":"Contacted","he":"נוצר קשר"}', 'in_progress', false, false, 20, '2026-01-01T00:00:00.000000Z'),
    (3, 'No answer', '{"en":"No answer","he":"לא ענה"}', 'in_progress', false, false, 30, '2026-01-01T00:00:00.000000Z'),
    (4, 'Call later', '{"en":"Call later","he":"לחזור מאוחר יותר"}', 'in_progress', false, false, 40, '2026-01-01T00:00:00.000000Z'),
    (5, 'Appointment set', '{"en":"Appointment set","he":"נקבעה פגישה"}', 'positive', false, false, 50, '2026-01-01T00:00:00.000000Z'),
    (6, 'Quote sent', '{"en":"Quote sent","he":"נשלחה הצעת מחיר"}', 'positive', false, false, 60, '2026-01-01T00:00:00.000000Z'),
    (7, 'Sold', '{"en":"Sold","he":"נסגרה עסקה"}', 'positive', true, true, 70, '2026-01-01T00:00:00.000000Z'),
    (8, 'Not interested', '{"en":"Not interested","he":"לא מעוניין"}', 'negative', true, false, 80, '2026-01-01T00:00:00.000000Z'),
    (9, 'Wrong number', '{"en":"Wrong number","he":"מספר שגוי"}', 'invalid', true, false, 90, '2026-01-01T00:00:00.000000Z'),
    (10, 'Duplicate', '{"en":"Duplicate","he":"כפול"}', 'invalid', true, false, 100, '2026-01-01T00:00:00.000000Z'),
    (11, 'Not relevant or outside area', '{"en":"Not relevant or outside area","he":"לא רלוונטי או מחוץ לאזור"}', 'invalid', true, false, 110, '2026-01-01T00:00:00.000000Z'),
    (12, 'Return requested', '{"en":"Return requested","he":"מבוקש זיכוי"}', 'invalid', true, false, 120, '2026-01-01T00:00:00.000000Z');
UPDATE sqlite_sequence SET seq = 100 WHERE name = 'feedback_reasons';

-- +goose Down

DROP TABLE feedback;
DROP TABLE attempts;
DROP TABLE routings;
DROP TABLE rule_revisions;
DROP TABLE rules;
DROP TABLE connectors;
DROP TABLE rejections;
DROP TABLE payloads;
DROP TABLE leads;
DROP TABLE sources;
DROP TABLE feedback_reasons;
DROP TABLE keys;
DROP TABLE connections;
DROP TABLE customers;
DROP TABLE sessions;
DROP TABLE users;
DROP TABLE settings;
